"""What is shipped: a source archive that is whole, a wheel that is small and stands on numpy alone."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from support import cpp_build

ROOT = Path(__file__).resolve().parents[1]
MOST_BYTES = 3_000_000

# Runs where nothing but numpy is: a convolution by the textbook, in integers and so exact.
SELF_CHECK = """
import sys
import numpy as np, pyconv
rng = np.random.default_rng(0)
x = rng.integers(-8, 9, (2, 6, 9, 11)).astype(np.float32)
w = rng.integers(-8, 9, (8, 3, 3, 3)).astype(np.float32)
padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
halves = [np.einsum("nchwij,ocij->nohw", windows[:, 3 * g : 3 * g + 3], w[4 * g : 4 * g + 4]) for g in (0, 1)]
expected = np.concatenate(halves, 1)
taken = [a.name for a in pyconv.algorithms(x.shape, w.shape, padding=1, groups=2, accuracy="exact") if a.accepted]
for name in taken:
    got = pyconv.conv2d(x, w, padding=1, groups=2, algorithm=name, accuracy="exact")
    assert np.array_equal(got, expected), name
model = pyconv.compile(pyconv.nn.Sequential(pyconv.nn.Conv2d(6, 4, 3), pyconv.nn.ReLU()), x.shape)
assert model(x).shape == (2, 4, 7, 9)
foreign = {name.split(".")[0] for name in sys.modules} & {"onnx", "torch", "matplotlib", "PIL", "rich", "click"}
assert not foreign, foreign
print(pyconv.__file__, len(taken), pyconv.show_config.__name__)
"""


def current_objects():
    """Whether the build left an object for every source, younger than what it was made of: a wheel is then
    linked and not compiled."""
    for source in (ROOT / "csrc").rglob("*.cpp"):
        if source.relative_to(ROOT).parts[1] in ("capi", "tools"):
            continue
        name = source.relative_to(ROOT).with_suffix(".o")
        found = list(ROOT.glob(f"build/temp.*-{sys.implementation.cache_tag}*/{name}"))
        if not found or cpp_build.stale(found[0], Path(f"{found[0]}.d")):
            return False
    return True


def build(folder, *commands):
    command = [sys.executable, "setup.py", "-q", *commands, "--dist-dir", folder]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]


@pytest.fixture(scope="module")
def tools():
    for needed in ("setuptools", "pybind11", "Cython"):
        pytest.importorskip(needed)


@pytest.fixture(scope="module")
def wheel(tools, tmp_path_factory):
    if not current_objects():
        pytest.skip("the objects under build/temp* are not those of this source")
    folder = tmp_path_factory.mktemp("wheel")
    build(folder, "bdist_wheel", "--bdist-dir", folder / "bdist")
    (found,) = folder.glob("*.whl")
    return found


def test_source_archive_is_whole(tools, tmp_path):
    build(tmp_path, "sdist")
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        packed = {name.split("/", 1)[1] for name in tar.getnames() if "/" in name}
    wanted = [p for p in (ROOT / "csrc").rglob("*") if p.suffix in (".cpp", ".h", ".inc")]
    wanted += [p for p in (ROOT / "pyconv").rglob("*") if p.suffix in (".py", ".pyi", ".pyx", ".pxd", ".jpg")]
    wanted += [ROOT / name for name in ("setup.py", "pyproject.toml", "LICENSE", "NOTICE", "README.md")]
    assert [p for p in wanted if p.relative_to(ROOT).as_posix() not in packed] == []
    assert [name for name in packed if name.startswith("build/") or name.endswith((".so", ".o"))] == []


def test_wheel_is_small_and_holds_the_package_alone(wheel):
    assert wheel.stat().st_size < MOST_BYTES
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names} <= {"pyconv", wheel.name.rsplit("-", 3)[0] + ".dist-info"}
    assert not [name for name in names if name.endswith((".cpp", ".h", ".c"))]


@pytest.mark.parametrize("isa", ["scalar", None])
def test_wheel_runs_where_numpy_is_all_there_is(wheel, tmp_path, isa):
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    for name in ("numpy", "numpy.libs"):
        source = Path(np.__file__).parents[1] / name
        if source.exists():
            (site / name).symlink_to(source)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    if isa:
        environment["PYCONV_MAX_ISA"] = isa
    code = f"import sys; sys.path.insert(0, {str(site)!r}); exec({SELF_CHECK!r})"
    # -S: no site-packages; -E: none of the user's paths.
    run = subprocess.run(
        [sys.executable, "-S", "-E", "-c", code], cwd=tmp_path, capture_output=True, text=True, env=environment
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(str(site))


@pytest.mark.slow
def test_source_archive_builds_and_passes_the_kernel_tests(tools, tmp_path):
    """As a user without anything would: pip, the archive, and what the tests need."""
    if platform.system() not in ("Linux", "Darwin") or shutil.which("c++") is None:
        pytest.skip("no C++ compiler")
    build(tmp_path, "sdist")
    (archive,) = tmp_path.glob("*.tar.gz")
    python = tmp_path / "venv" / "bin" / "python"
    for command in (
        [sys.executable, "-m", "venv", tmp_path / "venv"],
        [python, "-m", "pip", "install", "-q", archive],
        [python, "-c", SELF_CHECK],
        [python, "-m", "pip", "install", "-q", "pytest", "hypothesis"],
        [python, "-m", "pytest", "-q", "-x", ROOT / "tests/ops/test_conv2d_kernels.py"],
    ):
        environment = {**os.environ, "PYCONV_MAX_ISA": "scalar"}
        environment.pop("PYTHONPATH", None)
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
        assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
