"""Bad input gives the right answer, or a message that names argument, expectation and what came."""

from __future__ import annotations

import copy
import pickle
import re

import pytest

pyconv = pytest.importorskip("pyconv")

import numpy as np  # noqa: E402

X = np.ones((2, 4, 6, 7), np.float32)
W = np.ones((6, 4, 3, 3), np.float32)
B = np.ones(6, np.float32)


def frozen(array):
    array.flags.writeable = False
    return array


def unaligned(shape):
    size = int(np.prod(shape))
    return np.frombuffer(bytearray(4 * size + 1), np.float32, size, 1).reshape(shape)


# what is passed beside X, W, B; the exception; what its message must say
CONV2D = {
    "x float64": ({"x": X.astype(np.float64)}, TypeError, "x: expected .*float32.* got float64"),
    "x int32": ({"x": X.astype(np.int32)}, TypeError, "x: expected .*float32.* got int32"),
    "x float16": ({"x": X.astype(np.float16)}, TypeError, "x: expected .*float32.* got float16"),
    "x complex": ({"x": X.astype(complex)}, TypeError, "x: expected .*float32.* got complex128"),
    "x big-endian": ({"x": X.astype(">f4")}, TypeError, "x: expected .*native byte order.* got >f4"),
    "x list": ({"x": X.tolist()}, TypeError, "x: expected .*array.* got list"),
    "x None": ({"x": None}, TypeError, "x: expected .*array.* got NoneType"),
    "x objects": ({"x": X.astype(object)}, TypeError, "x: expected .*float32.* got object"),
    "x rank 3": ({"x": X[0]}, ValueError, r"x: expected .*\(N, C, H, W\).* got \(4, 6, 7\)"),
    "x rank 5": ({"x": X[None]}, ValueError, r"x: expected .* got \(1, 2, 4, 6, 7\)"),
    "x rank 0": ({"x": np.float32(1) * np.ones(())}, TypeError, "x: expected"),
    "x rank 3 nhwc": ({"x": X[0], "layout": "nhwc"}, ValueError, r"x: expected .*\(N, H, W, C\)"),
    "weight float64": ({"weight": W.astype(float)}, TypeError, "weight: expected .* got float64"),
    "weight rank": ({"weight": W[0]}, ValueError, r"weight: expected .* got \(4, 3, 3\)"),
    "weight channels": (
        {"weight": W[:, :3].copy()},
        ValueError,
        r"weight: expected shape \(6, 4, 3, 3\).*groups=1.* got \(6, 3, 3, 3\)",
    ),
    "weight channels for groups": (
        {"groups": 2},
        ValueError,
        r"weight: expected shape \(6, 2, 3, 3\).*groups=2.* got \(6, 4, 3, 3\)",
    ),
    "weight without taps": ({"weight": W[:, :, :0]}, ValueError, "kernel.* got 0"),
    "weight too large": ({"weight": np.ones((6, 4, 9, 3), np.float32)}, ValueError, "does not fit"),
    "bias float64": ({"bias": B.astype(float)}, TypeError, "bias: expected .* got float64"),
    "bias length": ({"bias": B[:5]}, ValueError, r"bias: expected shape \(6,\).* got \(5,\)"),
    "bias rank": ({"bias": B[None]}, ValueError, r"bias: expected .* got \(1, 6\)"),
    "bias number": ({"bias": 1.0}, TypeError, "bias: expected .* got float"),
    "groups 0": ({"groups": 0}, ValueError, "groups: expected .* got 0"),
    "groups negative": ({"groups": -1}, ValueError, "groups: expected .* got -1"),
    "groups not of in": ({"groups": 3}, ValueError, "groups: expected .*4.* got 3"),
    "groups not of out": (
        {"groups": 4, "weight": np.ones((6, 1, 3, 3), np.float32)},
        ValueError,
        "groups: expected .*6.* got 4",
    ),
    "groups float": ({"groups": 1.0}, TypeError, "groups: expected an int.* got float"),
    "groups bool": ({"groups": True}, TypeError, "groups: expected an int.* got bool"),
    "groups huge": ({"groups": 10**30}, ValueError, "groups: expected .* got 1000000"),
    "stride 0": ({"stride": 0}, ValueError, "stride: expected .* got 0"),
    "stride negative": ({"stride": (1, -2)}, ValueError, "stride: expected .* got -2"),
    "stride of three": ({"stride": (1, 1, 1)}, ValueError, "stride: expected .* got 3 values"),
    "stride empty": ({"stride": ()}, ValueError, "stride: expected .* got 0 values"),
    "stride float": ({"stride": 1.5}, TypeError, "stride: expected .* got float"),
    "stride str": ({"stride": "2"}, TypeError, "stride: expected .* got str"),
    "stride floats": ({"stride": (1.0, 1)}, TypeError, "stride: expected .* got float"),
    "stride array": ({"stride": np.ones(2)}, TypeError, "stride: expected .* got .*ndarray"),
    "stride int array": ({"stride": np.ones(2, int)}, TypeError, "stride: expected .* got .*ndarray"),
    "stride None": ({"stride": None}, TypeError, "stride: expected .* got NoneType"),
    "stride huge": ({"stride": 2**63 - 1, "padding": "same"}, ValueError, "stride: expected"),
    "stride beyond": ({"stride": 2**70}, ValueError, "stride: expected"),
    "dilation 0": ({"dilation": 0}, ValueError, "dilation: expected .* got 0"),
    "dilation large": ({"dilation": 4}, ValueError, "does not fit"),
    "dilation huge": ({"dilation": 2**62}, ValueError, "dilation: expected|does not fit"),
    "dilation huge same": ({"dilation": 2**62, "padding": "same"}, ValueError, "dilation|does not fit"),
    "padding negative": ({"padding": -1}, ValueError, "padding: expected .* got -1"),
    "padding of three": ({"padding": (1, 2, 3)}, ValueError, "padding: expected .* got 3 values"),
    "padding word": ({"padding": "full"}, ValueError, "padding: expected .*'same'.* got 'full'"),
    "padding float": ({"padding": 0.5}, TypeError, "padding: expected .* got float"),
    "padding huge": ({"padding": 2**40}, ValueError, "elements|too large|at most"),
    "padding overflow": ({"padding": (2**63 - 1, 0, 2**63 - 1, 0)}, ValueError, "padding: expected"),
    "layout": ({"layout": "nhcw"}, ValueError, "layout: expected .* got 'nhcw'"),
    "layout None": ({"layout": None}, TypeError, "layout: expected .* got NoneType"),
    "algorithm": ({"algorithm": "fastest"}, ValueError, "algorithm: expected .*direct.* got 'fastest'"),
    "algorithm refuses": ({"algorithm": "pointwise"}, ValueError, "pointwise.*3x3"),
    "accuracy": ({"accuracy": "high"}, ValueError, "accuracy: expected .*'exact'.* got 'high'"),
    "activation": ({"activation": "rleu"}, ValueError, "activation: expected .* got 'rleu'"),
    "activation function": ({"activation": np.tanh}, TypeError, "activation: expected .* got"),
    "threads 0": ({"threads": 0}, ValueError, "threads: expected .* got 0"),
    "threads negative": ({"threads": -3}, ValueError, "threads: expected .* got -3"),
    "threads str": ({"threads": "2"}, TypeError, "threads: expected .* got str"),
    "max_isa": ({"max_isa": "sse9"}, ValueError, "max_isa: expected .*'avx2'.* got 'sse9'"),
    "kernel": ({"kernel": "gemm_f32_0x0"}, ValueError, "kernel.*gemm_f32_0x0"),
    "kernel int": ({"kernel": 3}, TypeError, "kernel: expected .* got int"),
    "out shape": (
        {"out": np.ones((2, 6, 4, 4), np.float32)},
        ValueError,
        r"out: expected shape \(2, 6, 4, 5\), got \(2, 6, 4, 4\)",
    ),
    "out rank": ({"out": np.ones(240, np.float32)}, ValueError, r"out: expected .* got \(240,\)"),
    "out float64": ({"out": np.ones((2, 6, 4, 5))}, TypeError, "out: expected .* got float64"),
    "out strided": (
        {"out": np.ones((2, 6, 4, 10), np.float32)[..., ::2]},
        ValueError,
        "out: expected .*contiguous",
    ),
    "out read-only": (
        {"out": frozen(np.ones((2, 6, 4, 5), np.float32))},
        ValueError,
        "out: expected .*writ.* got",
    ),
    "out unaligned": ({"out": unaligned((2, 6, 4, 5))}, ValueError, "out: expected .*aligned"),
    "out list": ({"out": []}, TypeError, "out: expected .* got list"),
}


@pytest.mark.parametrize("case", CONV2D)
def test_conv2d_says_what_is_wrong(case):
    given, error, message = CONV2D[case]
    arguments = {"x": X, "weight": W, "bias": B, **given}
    with pytest.raises(error, match=message) as caught:
        pyconv.conv2d(**arguments)
    assert "\n" not in str(caught.value)


def test_messages_name_the_algorithms_there_are():
    with pytest.raises(ValueError) as caught:
        pyconv.conv2d(X, W, algorithm="?")
    for entry in pyconv.algorithms(X.shape, W.shape):
        assert re.search(rf"\b{entry.name}\b", str(caught.value))


def test_options_are_keyword_only():
    with pytest.raises(TypeError):
        pyconv.conv2d(X, W, B, 1)
    with pytest.raises(TypeError, match="strides"):
        pyconv.conv2d(X, W, B, strides=1)


@pytest.mark.parametrize("case", ["input", "weight", "bias"])
def test_out_may_not_share_memory_with_an_input(case):
    x = np.ones((1, 4, 5, 5), np.float32)
    memory = np.ones(400, np.float32)
    w, b = np.ones((4, 4, 1, 1), np.float32), np.ones(4, np.float32)
    out = memory[:100].reshape(1, 4, 5, 5)
    if case == "input":
        x = memory[99:199].reshape(1, 4, 5, 5)
    elif case == "weight":
        w = memory[50:66].reshape(4, 4, 1, 1)
    else:
        b = memory[96:100]
    with pytest.raises(ValueError, match="out: expected .*overlap"):
        pyconv.conv2d(x, w, b, out=out)
    pyconv.conv2d(x, w, b, out=memory[200:300].reshape(1, 4, 5, 5))


def test_out_beside_a_copied_input_is_right():
    """A strided x is copied before anything is written, so even sharing memory is harmless."""
    memory = np.arange(64, dtype=np.float32)
    x = memory.reshape(1, 1, 8, 8)[:, :, ::2, ::2]
    w = np.full((1, 1, 1, 1), 2.0, np.float32)
    want = x * 2
    out = memory[:16].reshape(1, 1, 4, 4)
    try:
        got = pyconv.conv2d(x, w, out=out)
    except ValueError as error:
        assert "out: expected" in str(error)
    else:
        np.testing.assert_array_equal(got, want)


PLAN = {
    "problem type": ({"problem": 3}, TypeError, "problem: expected .* got int"),
    "problem text": ({"problem": "ic4oc6_ih6kh3q1"}, ValueError, "problem: expected .*unknown key 'q'"),
    "problem cut off": ({"problem": "ic4oc6_ih6kh"}, ValueError, "problem: expected .* got 'ic4oc6_ih6kh'"),
    "problem empty": ({"problem": ""}, ValueError, "problem: expected"),
    "problem twice": ({"problem": "ic4ic4oc6_ih6kh3"}, ValueError, "problem: expected .*twice"),
    "problem negative": ({"problem": "ic-4oc6_ih6kh3"}, ValueError, "problem: expected"),
    "problem digits": ({"problem": "ic4oc6_ih99999999999999999999kh3"}, ValueError, "problem: expected"),
    "problem product": ({"problem": "ic1099511627776oc6_ih1099511627776kh3"}, ValueError, "elements"),
    "problem nul": ({"problem": "ic4oc6_ih6kh3\0"}, ValueError, "problem: expected"),
    "weight": ({"weight": W[:5]}, ValueError, r"weight: expected shape \(6, 4, 3, 3\).* got \(5, 4, 3, 3\)"),
    "bias": ({"bias": B[:5]}, ValueError, r"bias: expected shape \(6,\).* got \(5,\)"),
    "algorithm": ({"algorithm": "winograd_f99"}, ValueError, "algorithm: expected .* got 'winograd_f99'"),
}


@pytest.mark.parametrize("case", PLAN)
def test_plan_says_what_is_wrong(case):
    given, error, message = PLAN[case]
    with pytest.raises(error, match=message):
        pyconv.Conv2dPlan(**{"problem": "mb2ic4oc6_ih6iw7kh3", "weight": W, "bias": B, **given})


def test_plan_call_says_what_is_wrong():
    plan = pyconv.Conv2dPlan("mb2ic4oc6_ih6iw7kh3", W, B)
    with pytest.raises(ValueError, match=r"x: expected shape \(2, 4, 6, 7\).*got \(2, 4, 7, 6\)"):
        plan(X.reshape(2, 4, 7, 6))
    with pytest.raises(TypeError, match="x: expected .* got float64"):
        plan(X.astype(float))
    with pytest.raises(ValueError, match="out: expected"):
        plan(X, out=X)
    nhwc = pyconv.Conv2dPlan("mb2ic4oc6_ih6iw7kh3", W, B, layout="nhwc")
    with pytest.raises(ValueError, match=r"x: expected shape \(2, 6, 7, 4\).*got \(2, 4, 6, 7\)"):
        nhwc(X)


def test_plans_do_not_copy_or_pickle_and_problems_do():
    plan = pyconv.Conv2dPlan("mb2ic4oc6_ih6iw7kh3", W, B)
    for duplicate in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            duplicate(plan)
    assert pickle.loads(pickle.dumps(plan.problem)) == copy.deepcopy(plan.problem) == plan.problem


def test_algorithms_says_what_is_wrong():
    with pytest.raises(ValueError, match="x_shape: expected four sizes"):
        pyconv.algorithms((1, 2, 3), W.shape)
    with pytest.raises(ValueError, match="weight: expected"):
        pyconv.algorithms(X.shape, W.shape, weight=W[:5])
    with pytest.raises(ValueError, match="groups: expected .* got 5"):
        pyconv.algorithms(X.shape, W.shape, groups=5)


def test_sizes_that_no_memory_holds_are_refused():
    """Overflowing products are ValueErrors; legal ones too large for this machine MemoryErrors."""
    x = np.broadcast_to(np.float32(1), (1, 1, 1, 1))
    w = np.broadcast_to(np.float32(1), (1, 1, 1, 1))
    with pytest.raises((ValueError, MemoryError)):
        pyconv.conv2d(x, w, padding=2**38)
    with pytest.raises((ValueError, MemoryError)):
        pyconv.conv2d(np.broadcast_to(x, (2**30, 1, 2**15, 2**15)), w)
    with pytest.raises((ValueError, MemoryError)):
        pyconv.conv2d(x, np.broadcast_to(w, (2**45, 1, 1, 1)))


def test_denormals_and_extremes_propagate():
    x = np.full((1, 1, 1, 3), 1e-40, np.float32)
    np.testing.assert_array_equal(pyconv.conv2d(x, np.ones((1, 1, 1, 1), np.float32)), x)
    x = np.full((1, 1, 1, 3), 3e38, np.float32)
    assert np.isposinf(pyconv.conv2d(x, np.full((1, 1, 1, 1), 2, np.float32))).all()
