"""Promises about threads, processes and signals.

What they run is a network of a few layers with work for two threads, whose exact bits are known beforehand.
"""

from __future__ import annotations

import ctypes
import hashlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import pyconv
from pyconv import nn
from pyconv.trust.compare import Broken, Floats, same_bits
from pyconv.trust.values import Draw
from pyconv.trust.work import Skipped, Work

THREADS = 16
CYCLES = 10_000
STARTS = ("fork", "forkserver", "spawn")
PATIENCE = 60.0
"""Seconds that a child process or a thread may take for what takes milliseconds."""


def network(seed: int, threads: int) -> tuple[pyconv.Model, Floats]:
    """A compiled network, and an input."""
    draw = Draw("threads", seed)
    net = nn.Sequential(
        nn.Conv2d(16, 32, 3, 1, 1), nn.ReLU(), nn.Conv2d(32, 32, 3, 2, 1, groups=32), nn.Conv2d(32, 48, 1)
    )
    state = {name: draw.reals(*np.shape(value)) for name, value in net.state_dict().items()}
    net.load_state_dict({name: np.ldexp(value, -5).astype(np.float32) for name, value in state.items()})
    model = pyconv.compile(net, (1, 16, 40, 40), accuracy="exact", threads=threads)
    return model, draw.reals(1, 16, 40, 40)


def _together(count: int, work: Callable[[int], None]) -> None:
    """Runs `work(i)` on so many threads at once; raises what the first of them raised."""
    errors: list[BaseException] = []
    gate = threading.Barrier(count)

    def body(i: int) -> None:
        try:
            gate.wait(PATIENCE)
            work(i)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=body, args=(i,), daemon=True) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        if thread.is_alive():
            raise Broken(f"a thread of {count} did not end within {PATIENCE:.0f} s")
    if errors:
        raise errors[0]


def callers(work: Work) -> None:
    """16 Python threads call one model, and 16 models, of one and of two threads each."""
    made = [network(seed, 1 + seed % 2) for seed in range(THREADS)]
    wanted = [model(x).copy() for model, x in made]
    for index in work.cases():
        one = index % 2 == 0

        def call(i: int, one: bool = one, shared: int = index // 2 % THREADS) -> None:
            at = shared if one else i
            model, x = made[at]
            for _ in range(8):
                same_bits(model(x), wanted[at], f"thread {i}, model {at}")

        _together(THREADS, call)
        work.count(
            f"calls from {THREADS} threads, {'one model' if one else f'{THREADS} models'}", 8 * THREADS
        )


def _child(queue: Any) -> None:
    model, x = network(1, 2)
    for _ in range(3):
        out = model(x)
    queue.put(hashlib.sha256(out.tobytes()).digest())  # few bytes: a pipe's buffer is small


def _in_process(method: str, wanted: bytes, when: str) -> None:
    context = multiprocessing.get_context(method)
    queue = context.SimpleQueue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of fork with threads: what is tested
        child = context.Process(target=_child, args=(queue,), daemon=True)  # type: ignore[attr-defined]
        child.start()
    child.join(PATIENCE)
    if child.is_alive():
        child.kill()
        raise Broken(f"{method}, {when}: a child process did not end within {PATIENCE:.0f} s")
    if child.exitcode != 0:
        raise Broken(f"{method}, {when}: a child process ended with exit code {child.exitcode}")
    if queue.get() != wanted:
        raise Broken(f"{method}, {when}: a child process got other bits")


def processes(work: Work) -> None:
    """fork, forkserver and spawn, before this process has used the pool and after; and while other threads do."""
    methods = [m for m in STARTS if m in multiprocessing.get_all_start_methods()]
    wanted = _bits_of_one_thread()
    for index in work.cases():
        when = "before first use" if index == 0 else "after use"
        if index == 1:
            model, x = network(1, 2)
            for _ in range(5):
                model(x)
        if index >= 2:
            when = "while other threads run"
        chosen = methods if index < 2 else [m for m in methods if m == "fork"] or methods
        for method in chosen:
            if index < 2:
                _in_process(method, wanted, when)
            else:
                _while_others_run(lambda method=method, when=when: _in_process(method, wanted, when))  # type: ignore[misc]
            work.count(f"{method} {when}")
            work.at(index)


def _bits_of_one_thread() -> bytes:
    """By one thread, which needs no pool: exact mode gives the same on two."""
    model, x = network(1, 1)
    return hashlib.sha256(model(x).tobytes()).digest()


def _while_others_run(do: Callable[[], None]) -> None:
    done = threading.Event()
    made = [network(seed, 2) for seed in (2, 3)]

    def keep_running(i: int) -> None:
        while not done.is_set():
            made[i][0](made[i][1])

    threads = [threading.Thread(target=keep_running, args=(i,), daemon=True) for i in range(2)]
    for thread in threads:
        thread.start()
    try:
        do()
    finally:
        done.set()
        for thread in threads:
            thread.join(PATIENCE)


def interrupted(work: Work) -> None:
    """Ctrl-C while a model runs: KeyboardInterrupt after the run that it falls into, and the model still works."""
    if threading.current_thread() is not threading.main_thread():
        raise Skipped("signals reach the main thread alone")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    model, x = network(1, 2)
    want = model(x).copy()
    draw = Draw("interrupted", work.seed)
    for _ in work.cases(10_000):
        delay = draw.between(0, 20_000) / 1e6
        sent: list[float] = []

        def send(delay: float = delay, sent: list[float] = sent) -> None:
            time.sleep(delay)
            sent.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)

        sender = threading.Thread(target=send, daemon=True)
        try:
            sender.start()
            limit = time.perf_counter() + PATIENCE
            while time.perf_counter() < limit:
                model(x)
            raise Broken(f"no KeyboardInterrupt within {PATIENCE:.0f} s")
        except KeyboardInterrupt:
            work.largest("slowest, ms", round(1e3 * (time.perf_counter() - sent[0]), 1))
        sender.join(PATIENCE)
        same_bits(model(x), want, "after KeyboardInterrupt")
        work.count("interrupts")


def pool_cycles(work: Work) -> None:
    """Pools that start, work and end with their process, orderly or at once; and threads of Python that come and go
    as callers."""
    if not hasattr(os, "fork"):
        raise Skipped("needs fork")
    model, x = network(1, 2)
    want = model(x).copy()
    for index in work.cases(CYCLES):
        if index % 4 == 3:
            _together(2, lambda i: same_bits(model(x), want, f"new thread {i}"))
        else:
            _forked(model, x, want, orderly=index % 2 == 0)
        work.count("cycles")


def _forked(model: pyconv.Model, x: Floats, want: Floats, *, orderly: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        code = 1
        try:  # the child's own pool starts here
            code = 0 if np.array_equal(model(x).view(np.uint32), want.view(np.uint32)) else 2
        finally:
            if orderly:
                ctypes.CDLL(None).exit(code)  # destructors of static objects, as at the end of a program
            os._exit(code)
    deadline = time.monotonic() + PATIENCE
    wait = 0.0002
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise Broken(f"a forked process did not end within {PATIENCE:.0f} s")
        time.sleep(wait)
        wait = min(2 * wait, 0.05)
    code = os.waitstatus_to_exitcode(status)
    if code:
        raise Broken(f"a forked process ended with {'other bits' if code == 2 else f'exit code {code}'}")


def placed(work: Work) -> None:
    """Masks of CPUs are honoured: threads=None plans for as many, and no thread of the pool runs elsewhere."""
    if not hasattr(os, "sched_setaffinity") or not os.path.isdir("/proc/self/task"):
        raise Skipped("needs Linux' affinity masks")
    allowed = sorted(os.sched_getaffinity(0))
    draw = Draw("placed", work.seed)
    for index in work.cases():
        few = {draw.pick(allowed)} if index % 2 == 0 else set(allowed)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.sched_setaffinity(0, few)
                code = _inside(few)
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code:
            what = {2: "planned for other CPUs", 3: "a thread may run elsewhere"}.get(
                code, f"exit code {code}"
            )
            raise Broken(f"mask {sorted(few)} of {allowed}: {what}")
        work.count(f"masks of {len(few)} CPU{'s' * (len(few) > 1)}")


def _inside(few: set[int]) -> int:
    problem = "ic64oc64_ih56kh3ph1"
    plan = pyconv.Conv2dPlan(problem, np.ones((64, 64, 3, 3), np.float32))
    if plan.threads > len(few):
        return 2
    plan(np.ones((1, 64, 56, 56), np.float32))
    for task in os.listdir("/proc/self/task"):
        if not set(os.sched_getaffinity(int(task))) <= few:
            return 3
    return 0


def free_threaded(work: Work) -> None:
    """Without the GIL: threads in Python truly at once."""
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        raise Skipped(f"this Python {sys.version.split()[0]} has a GIL")
    callers(work)
