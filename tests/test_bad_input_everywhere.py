"""Every function that takes arrays: what is wrong is named, what is odd but right is computed."""

from __future__ import annotations

import inspect

import pytest

pyconv = pytest.importorskip("pyconv")

import numpy as np  # noqa: E402

import reference  # noqa: E402
from support.arrays import assert_same_bits, guarded, nan_like  # noqa: E402

RNG = np.random.default_rng(8)


def reals(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


X = reals(2, 4, 5, 6)

# name: (arrays by argument name, options, reference or None for its namesake)
CASES = {
    "conv2d": ({"x": X, "weight": reals(3, 4, 3, 3), "bias": reals(3)}, {"padding": 1}, None),
    "depthwise_conv2d": ({"x": X, "weight": reals(8, 1, 3, 2), "bias": reals(8)}, {"stride": 2}, None),
    "separable_conv2d": (
        {"x": X, "column": reals(4, 3), "row": reals(4, 2), "bias": reals(4)},
        {"padding": (1, 0)},
        None,
    ),
    "conv_transpose2d": (
        {"x": X, "weight": reals(4, 3, 3, 2), "bias": reals(3)},
        {"stride": 2, "padding": 1},
        None,
    ),
    "max_pool2d": ({"x": X}, {"kernel_size": 3, "stride": 2, "padding": 1}, None),
    "avg_pool2d": ({"x": X}, {"kernel_size": (2, 3), "ceil_mode": True}, None),
    "global_avg_pool2d": ({"x": X}, {}, None),
    "global_max_pool2d": ({"x": X}, {}, None),
    "linear": ({"x": reals(5, 7), "weight": reals(3, 7), "bias": reals(3)}, {}, None),
    "batch_norm": (
        {"x": X, "mean": reals(4), "var": np.abs(reals(4)), "weight": reals(4), "bias": reals(4)},
        {},
        None,
    ),
    "lrn": ({"x": X}, {"size": 3, "alpha": 0.1}, None),
    "softmax": ({"x": X}, {}, None),
    "log_softmax": ({"x": X}, {}, None),
    "relu": ({"x": X}, {}, None),
    "relu6": ({"x": X}, {}, None),
    "leaky_relu": ({"x": X}, {}, None),
    "prelu": ({"x": X, "weight": reals(4)}, {}, None),
    "elu": ({"x": X}, {}, None),
    "sigmoid": ({"x": X}, {}, None),
    "hard_sigmoid": ({"x": X}, {}, None),
    "silu": ({"x": X}, {}, None),
    "hard_swish": ({"x": X}, {}, None),
    "tanh": ({"x": X}, {}, None),
    "gelu": ({"x": X}, {}, None),
    "add": ({"a": X, "b": reals(2, 4, 5, 6)}, {}, None),
    "mul": ({"a": X, "b": reals(2, 4, 5, 6)}, {}, None),
    "concat": ({"arrays": [X, reals(2, 3, 5, 6)]}, {}, None),
    "pad": ({"x": X}, {"padding": (1, 0, 2, 1)}, None),
    "resize": ({"x": X}, {"size": (7, 4), "mode": "bilinear"}, None),
    "nchw_to_nhwc": ({"x": X}, {}, lambda x: x.transpose(0, 2, 3, 1)),
    "nhwc_to_nchw": ({"x": X}, {}, lambda x: x.transpose(0, 3, 1, 2)),
}
PRESENT = [name for name in CASES if hasattr(pyconv, name)]
ARRAYS = [(name, argument) for name in PRESENT for argument in CASES[name][0]]
RANK_FIXED = {  # a wrong rank is an error of the argument
    "conv2d", "depthwise_conv2d", "separable_conv2d", "conv_transpose2d", "max_pool2d", "avg_pool2d",
    "global_avg_pool2d", "global_max_pool2d", "pad", "resize", "nchw_to_nhwc", "nhwc_to_nchw",
}  # fmt: skip


def call(name, *, replace=None, **more):
    arrays, options, _ = CASES[name]
    return getattr(pyconv, name)(**{**arrays, **options, **(replace or {}), **more})


def test_every_function_is_here():
    array_functions = {
        name
        for name in pyconv.__all__
        if inspect.isfunction(getattr(pyconv, name))
        and "out" in inspect.signature(getattr(pyconv, name)).parameters
    }
    assert array_functions == set(PRESENT)


@pytest.mark.parametrize("name", PRESENT)
def test_result_is_the_reference(name):
    arrays, options, meaning = CASES[name]
    want = (meaning or getattr(reference, name))(**arrays, **options)
    got = call(name)
    assert got.dtype == np.float32 and got.flags.c_contiguous and got.flags.writeable
    np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5)


def variants(value, change):
    """The argument with one array changed: itself, or each member of a sequence."""
    if isinstance(value, list):
        return [[*value[:i], change(v), *value[i + 1 :]] for i, v in enumerate(value)]
    return [change(value)]


@pytest.mark.parametrize("name, argument", ARRAYS)
@pytest.mark.parametrize("dtype", ["float64", "float16", "int32", "uint8", "bool", ">f4", "complex64"])
def test_dtype_is_named(name, argument, dtype):
    for value in variants(CASES[name][0][argument], lambda v: v.astype(dtype)):
        with pytest.raises(TypeError) as caught:
            call(name, replace={argument: value})
        message = str(caught.value)
        assert message.startswith(argument) and "expected" in message and "float32" in message
        assert str(np.dtype(dtype)) in message.split("got", 1)[1]


@pytest.mark.parametrize("name, argument", ARRAYS)
def test_what_is_no_array_is_named(name, argument):
    optional = inspect.signature(getattr(pyconv, name)).parameters[argument].default is None
    for wrong in ([1.0, 2.0], "text", object(), *([] if optional else [None])):
        for value in variants(CASES[name][0][argument], lambda v, w=wrong: w):
            with pytest.raises(TypeError) as caught:
                call(name, replace={argument: value})
            assert str(caught.value).startswith(argument), caught.value


@pytest.mark.parametrize("name, argument", ARRAYS)
def test_wrong_rank_and_size_are_named(name, argument):
    sample = CASES[name][0][argument]
    if argument in ("x", "a", "arrays") and name not in RANK_FIXED:
        pytest.skip(f"{name} takes any rank")
    changes = [lambda v: v[None, ...], lambda v: v[0], lambda v: np.zeros((), np.float32)]
    if argument not in ("x", "a", "arrays"):
        changes.append(lambda v: np.concatenate([v, v[:1]]))
    for change in changes:
        for value in variants(sample, change):
            try:
                call(name, replace={argument: value})
            except (ValueError, TypeError) as error:  # TypeError: numpy made a scalar of it
                message = str(error)
                assert "expected" in message or "does not fit" in message, message
                assert "got" in message or "does not fit" in message, message
            else:
                # Broadcasting and another number of output channels are legal.
                assert (name, argument) in {("add", "b"), ("mul", "b"), ("prelu", "weight"),
                                            ("linear", "weight")}, "accepted"  # fmt: skip


def odd_layouts(array):
    gaps = np.zeros((*array.shape, 2), np.float32)
    gaps[..., 0] = array
    yield np.asfortranarray(array)
    yield gaps[..., 0]
    yield array[::-1].copy()[::-1]
    read_only = array.copy()
    read_only.flags.writeable = False
    yield read_only
    yield np.frombuffer(b"\0" + array.tobytes(), np.float32, offset=1).reshape(array.shape)
    yield guarded(array, "begin")
    yield guarded(array, "end")


@pytest.mark.parametrize("name, argument", ARRAYS)
def test_memory_order_does_not_matter(name, argument):
    want = call(name)
    sample = CASES[name][0][argument]
    if isinstance(sample, list):
        every = [list(pair) for pair in zip(*map(odd_layouts, sample))]
    else:
        every = list(odd_layouts(sample))
    for value in every:
        assert_same_bits(call(name, replace={argument: value}), want, f"{name} {argument}")


@pytest.mark.parametrize("name", PRESENT)
def test_out_is_checked(name):
    want = call(name)
    out = guarded(nan_like(want.shape), "end")
    assert call(name, out=out) is out
    assert_same_bits(out, want, name)
    strided = np.zeros((*want.shape[:-1], 2 * want.shape[-1]), np.float32)[..., ::2]
    frozen = np.zeros_like(want)
    frozen.flags.writeable = False
    unaligned = np.frombuffer(bytearray(want.nbytes + 1), np.float32, offset=1).reshape(want.shape)
    for bad, error, words in (
        (np.zeros((*want.shape, 1), np.float32), ValueError, "shape"),
        (np.zeros((want.shape[0] + 1, *want.shape[1:]), np.float32), ValueError, "shape"),
        (want.astype(np.float64), TypeError, "float64"),
        (want.astype(">f4"), TypeError, ">f4"),
        (want.tolist(), TypeError, "list"),
        (frozen, ValueError, "read-only|writ"),
        (unaligned, ValueError, "aligned"),
        *([(strided, ValueError, "contiguous")] if want.shape[-1] > 1 else []),
    ):
        with pytest.raises(error, match=f"^out: expected.*({words})"):
            call(name, out=bad)
    assert_same_bits(call(name), want, name)


@pytest.mark.parametrize("name, argument", ARRAYS)
def test_out_that_overlaps_is_caught_or_harmless(name, argument):
    want = call(name)
    sample = CASES[name][0][argument]
    first = sample[0] if isinstance(sample, list) else sample
    memory = np.zeros(want.size + 2 * first.size, np.float32)
    for offset in {0, 1, first.size - 1}:
        inside = memory[offset : offset + first.size].reshape(first.shape)
        inside[...] = first
        out = memory[: want.size].reshape(want.shape)
        value = [inside, *sample[1:]] if isinstance(sample, list) else inside
        try:
            got = call(name, replace={argument: value}, out=out)
        except ValueError as error:
            assert str(error).startswith("out: expected") and "overlap" in str(error), error
        else:
            assert_same_bits(got, want, f"{name} {argument} at {offset}")


@pytest.mark.parametrize("name", PRESENT)
def test_common_options_are_checked(name):
    parameters = inspect.signature(getattr(pyconv, name)).parameters
    wrong = {
        "threads": [(0, ValueError), (-1, ValueError), ("2", TypeError), (1.5, TypeError), (True, TypeError)],
        "max_isa": [("sse9", ValueError), (3, TypeError)],
        "layout": [("nhcw", ValueError), (0, TypeError)],
        "kernel": [("no_such_kernel", ValueError), (0, TypeError)],
        "activation": [("rleu", ValueError), (0, TypeError)],
        "accuracy": [("high", ValueError), (0, TypeError)],
        "algorithm": [("fastest", ValueError), (0, TypeError)],
        "mode": [("cubist", ValueError), (0, TypeError)],
        "approximate": [("maybe", ValueError), (0, (TypeError, ValueError))],
        "axis": [(7, ValueError), (-9, ValueError), ("1", TypeError), (1.0, TypeError)],
        "kernel_size": [(0, ValueError), (-1, ValueError), ((1, 2, 3), ValueError), (1.5, TypeError),
                        (2**62, ValueError), (2**70, ValueError)],
        "stride": [(0, ValueError), (-1, ValueError), ((1, 2, 3), ValueError), (1.5, TypeError)],
        "dilation": [(0, ValueError), (-1, ValueError), ("1", TypeError), (2**62, ValueError)],
        "padding": [(-1, ValueError), ((1, 2, 3), ValueError), (0.5, TypeError), (2**62, ValueError)],
        "size": [(0, ValueError), (-3, ValueError), (2.5, TypeError), (2**62, (ValueError, MemoryError))],
        "divisor_override": [(0, ValueError), ("3", TypeError)],
        "output_padding": [(-1, ValueError), (5, ValueError), (0.5, TypeError)],
        "groups": [(0, ValueError), (3, ValueError), (1.0, TypeError)],
        "alpha": [("1", TypeError)],
        "beta": [("1", TypeError)],
        "k": [("1", TypeError)],
        "eps": [("1", TypeError)],
        "value": [("1", TypeError)],
        "negative_slope": [("1", TypeError)],
    }  # fmt: skip
    if name == "lrn":  # any window is legal, however wide
        wrong["size"].pop()
    for option in parameters.keys() & wrong.keys():
        for value, error in wrong[option]:
            with pytest.raises(error) as caught:
                call(name, **{option: value})
            message = str(caught.value)
            assert option in message or "fit" in message or isinstance(caught.value, MemoryError), (
                f"{option}={value!r}: {message}"
            )


@pytest.mark.parametrize("name", PRESENT)
def test_empty_batch(name):
    arrays = CASES[name][0]
    batch = {"x", "a", "arrays"} | ({"b"} if name in ("add", "mul") else set())
    cut = {
        key: [v[:0] for v in value] if isinstance(value, list) else value[:0]
        for key, value in arrays.items()
        if key in batch
    }
    want = call(name)
    got = call(name, replace=cut)
    assert got.shape == (0, *want.shape[1:]) and got.dtype == np.float32


@pytest.mark.parametrize("name", PRESENT)
@pytest.mark.parametrize("axis", [1, 2, 3])
def test_an_empty_axis_computes_or_explains(name, axis):
    arrays = CASES[name][0]
    main = next(iter(arrays))
    sample = arrays[main]
    if isinstance(sample, list) or sample.ndim <= axis:
        pytest.skip("covered by its own tests")
    shape = list(sample.shape)
    shape[axis] = 0
    try:
        got = call(name, replace={main: np.zeros(shape, np.float32)})
    except ValueError as error:
        assert len(str(error)) > 10
    else:
        assert not np.isnan(got).any() or got.size == 0
