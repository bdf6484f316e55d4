"""csrc/base/thread_pool.cpp and what it stands on, through the program tests/cpp/thread_pool_test.cpp."""

import os
import platform
import subprocess

import pytest

SOURCES = ["base/thread_pool.cpp", "base/cpu_quota.cpp", "base/affinity.cpp"]


@pytest.fixture(scope="module")
def program(compile_cpp):
    return compile_cpp("thread_pool_test", SOURCES)


def run(program, *arguments, **environment):
    done = subprocess.run(
        [program, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_stress(program):
    run(program)


def test_stress_under_thread_sanitizer(compile_cpp):
    # The sanitizer can't follow new threads in the child of a process that had threads: no "fork".
    run(compile_cpp("thread_pool_test", SOURCES, "-fsanitize=thread"))


def test_fork(program):
    run(program, "fork")


def test_thread_creation_fails(program):
    if platform.system() != "Linux":
        pytest.skip("limits the address space by /proc/self/statm")
    run(program, "starved")


def test_affinity_is_honoured(program):
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("no CPU affinity here")
    allowed = os.sched_getaffinity(0)
    assert 1 <= int(run(program, "usable")) <= len(allowed)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert int(run(program, "usable")) == 1
        run(program)
    finally:
        os.sched_setaffinity(0, allowed)


V2_MOUNT = "30 24 0:26 {root} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNT = (
    "31 24 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
    "32 24 0:28 {root} /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
)
V1 = "sys/fs/cgroup/cpu,cpuacct"


def v1_files(group, quota, period=100000):
    return {f"{V1}{group}/cpu.cfs_quota_us": f"{quota}\n", f"{V1}{group}/cpu.cfs_period_us": f"{period}\n"}


QUOTAS = {
    "none": ("", "", {}, 0),
    "v2 own": ("0::/a/b\n", V2_MOUNT.format(root="/"), {"sys/fs/cgroup/a/b/cpu.max": "150000 100000\n"}, 2),
    "v2 max": ("0::/a\n", V2_MOUNT.format(root="/"), {"sys/fs/cgroup/a/cpu.max": "max 100000\n"}, 0),
    "v2 ancestor is tighter": (
        "0::/a/b/c\n",
        V2_MOUNT.format(root="/"),
        {
            "sys/fs/cgroup/a/cpu.max": "50000 100000\n",
            "sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
            "sys/fs/cgroup/a/b/c/cpu.max": "400000 100000\n",
        },
        1,
    ),
    "v2 namespace": ("0::/\n", V2_MOUNT.format(root="/"), {"sys/fs/cgroup/cpu.max": "300000 100000\n"}, 3),
    "v2 group outside the namespace": (
        "0::/../../x\n",
        V2_MOUNT.format(root="/"),
        {"sys/fs/cgroup/cpu.max": "300000 100000\n"},
        3,
    ),
    "v1 own": ("4:cpu,cpuacct:/a\n3:cpuset:/\n", V1_MOUNT.format(root="/"), v1_files("/a", 250000), 3),
    "v1 no limit": ("4:cpu,cpuacct:/a\n", V1_MOUNT.format(root="/"), v1_files("/a", -1), 0),
    "v1 container shows its own group": (
        "4:cpu,cpuacct:/docker/ab12\n",
        V1_MOUNT.format(root="/docker/ab12"),
        v1_files("", 20000),
        1,
    ),
    "v1 mount of another group": (
        "4:cpu,cpuacct:/docker/ab1234\n",
        V1_MOUNT.format(root="/docker/ab12"),
        v1_files("", 200000),
        2,
    ),
    "hybrid takes the tighter": (
        "4:cpu,cpuacct:/a\n0::/b\n",
        V1_MOUNT.format(root="/")
        + V2_MOUNT.format(root="/").replace("/sys/fs/cgroup", "/sys/fs/cgroup/unified"),
        v1_files("/a", 400000) | {"sys/fs/cgroup/unified/b/cpu.max": "200000 100000\n"},
        2,
    ),
    "escaped mount point": (
        "0::/a\n",
        V2_MOUNT.format(root="/").replace("/sys/fs/cgroup", "/sys/fs/c\\040group"),
        {"sys/fs/c group/a/cpu.max": "200000 100000\n"},
        2,
    ),
    "garbage": ("no colons\n0::\n", "- -\n - cgroup2\n", {"cpu.max": "x"}, 0),
    "zero period": ("0::/\n", V2_MOUNT.format(root="/"), {"sys/fs/cgroup/cpu.max": "5 0\n"}, 0),
}


@pytest.mark.parametrize("case", QUOTAS)
def test_cgroup_quota(program, tmp_path, case):
    cgroup, mountinfo, files, expected = QUOTAS[case]
    for name, text in (files | {"proc/self/cgroup": cgroup, "proc/self/mountinfo": mountinfo}).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert int(run(program, "quota", tmp_path)) == expected
