"""Sixteen threads at once, on all that Python code keeps between calls; without a GIL they run in parallel."""

from __future__ import annotations

import importlib.util
import pickle
import subprocess
import sys
import threading
import zlib

import numpy as np
import pytest

import pyconv
from pyconv import nn

THREADS = 16
NOISE = np.random.default_rng(1).standard_normal((1, 8, 12, 12), np.float32)
WEIGHT = np.random.default_rng(2).standard_normal((8, 8, 3, 3), np.float32)


def same(value):
    """What is equal for results that are, to the bit."""
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, zlib.crc32(np.ascontiguousarray(value).tobytes())
    if isinstance(value, dict):
        return {key: same(item) for key, item in value.items()}
    return [same(item) for item in value] if isinstance(value, list | tuple) else value


def network():
    return nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 1))


def onnx_model():
    from support import onnx_models

    nodes = [onnx_models.node("Conv", "x w", "c"), onnx_models.node("Reshape", "c s", "y")]
    shape = onnx_models.info("s", (2,), onnx_models.TensorProto.INT64)
    return onnx_models.model_of(nodes, [onnx_models.info("x", (1, 8, "h", 12)), shape], ["y"], {"w": WEIGHT})


class Shared:
    """What the threads use together, made new for each round, so that each round has first calls."""

    def __init__(self):
        self.net = network()
        self.net.load_state_dict(
            {n: np.full(a.shape, 0.5, a.dtype) for n, a in self.net.state_dict().items()}
        )
        self.plan = pyconv.Conv2dPlan("ic8oc8_ih12kh3ph1", WEIGHT)
        self.transposed = pyconv.ConvTranspose2dPlan(NOISE.shape, WEIGHT, stride=2)
        self.model = pyconv.compile(self.net, NOISE.shape, threads=2)
        self.onnx = None
        if importlib.util.find_spec("onnx"):
            from pyconv import backend

            self.onnx = backend.prepare(onnx_model())

    def by_module(self):
        return [self.net(NOISE[:, :, : 6 + i]) for i in range(3)]

    def by_model(self):
        return self.model(NOISE), self.model.describe()["steps"]

    def by_plan(self):
        return self.plan(NOISE), self.transposed(NOISE), self.plan.describe()

    def by_function(self):
        found = pyconv.conv2d(NOISE, WEIGHT, threads=2), pyconv.max_pool2d(NOISE, 2), pyconv.softmax(NOISE)
        return *found, [a.name for a in pyconv.algorithms(NOISE.shape, WEIGHT.shape)], len(pyconv.kernels())

    def by_backend(self):
        if self.onnx is None:
            return None
        shapes = [(8, -1), (-1, 10), (16, -1)]
        return [self.onnx.run([NOISE[:, :, : 6 + 2 * i], np.int64(s)])[0] for i, s in enumerate(shapes)]

    def by_copy(self):
        return pickle.loads(pickle.dumps(self.model))(NOISE)

    def by_zoo(self):
        nets = [pyconv.zoo.lenet5(), pyconv.zoo.squeezenet1_1()]
        return [net.num_parameters() for net in nets], pyconv.zoo.entry("resnet18").input_shape


ACTIONS = [name for name in vars(Shared) if name.startswith("by_")]


def together(work):
    """Runs `work(i)` on all threads at once; what they returned, and the first that they raised."""
    gate, results, errors = threading.Barrier(THREADS), [None] * THREADS, []

    def body(i):
        try:
            gate.wait(60)
            results[i] = work(i)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=body, args=(i,)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def test_everything_at_once():
    nn.manual_seed(7)
    state = Shared()
    alone = {name: same(getattr(state, name)()) for name in ACTIONS}
    for _ in range(5):
        nn.manual_seed(7)
        state = Shared()

        def work(i, state=state):
            order = ACTIONS[i % len(ACTIONS) :] + ACTIONS[: i % len(ACTIONS)]
            return {name: same(getattr(state, name)()) for name in order}

        for i, found in enumerate(together(work)):
            for name in ACTIONS:
                assert found[name] == alone[name], (i, name)


FIRST_USE = """
import sys, threading
import pyconv
first = [
    "pyconv.nn.Conv2d(1, 1, 1)", "pyconv.zoo.entry('lenet5')", "pyconv.compile", "pyconv.Model", "pyconv.load",
    "pyconv.preprocess.recipe('imagenet')", "pyconv.formats.safetensors", "pyconv.graph.GraphBuilder()",
    "pyconv.passes()", "pyconv.nn.functional.relu", "pyconv.formats.weights", "pyconv.zoo.lenet5()",
    "pyconv.show_config()", "pyconv.kernels()", "__import__('pyconv.study.network')", "__import__('pyconv.cli')",
]
gate, errors = threading.Barrier(len(first)), []
def body(text):
    gate.wait(60)
    try:
        eval(text)
    except BaseException as error:
        errors.append(f"{text}: {error!r}")
threads = [threading.Thread(target=body, args=(text,)) for text in first]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert not errors, errors
assert pyconv.compile is sys.modules["pyconv.model"].compile
"""


def test_first_uses_may_come_at_once(tmp_path):
    """Each imports what it needs, and the modules import each other."""
    for _ in range(3):
        run = subprocess.run([sys.executable, "-c", FIRST_USE], cwd=tmp_path, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr


@pytest.mark.skipif(not hasattr(sys, "_is_gil_enabled"), reason="every Python before 3.13 has a GIL")
def test_nothing_of_ours_brings_the_gil_back(tmp_path):
    code = "import sys; before = sys._is_gil_enabled(); import pyconv, pyconv.study.ladder, pyconv.model, pyconv.zoo"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{code}; print(before, sys._is_gil_enabled())"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    before, after = run.stdout.split()
    assert before == after, run.stderr
