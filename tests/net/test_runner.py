"""Calls that go the short way, and those that may not: the same results, the same complaints."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest

import pyconv
from pyconv import nn


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


@pytest.fixture
def model():
    nn.manual_seed(0)
    return pyconv.compile(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh()), (2, 3, 8, 8))


class Two(nn.Module):
    def forward(self, a, b):
        return a + b, a * b


def test_both_ways_agree(model):
    x = noise(2, 3, 8, 8)
    wanted = model._core.run([x], None)[0]
    short = model._run((x,), None)
    assert type(short) is np.ndarray and short.dtype == np.float32 and short.flags.owndata
    for got in (short, model(x), model(input=x), model({"input": x}), model.run(x)):
        np.testing.assert_array_equal(got, wanted)


def test_out_is_returned(model):
    x, out = noise(2, 3, 8, 8), np.full((2, 4, 6, 6), np.nan, np.float32)
    assert model._run((x,), out) is out
    np.testing.assert_array_equal(out, model(x))
    assert model.run(x, out=out) is out and model.run(input=x, out=[out]) is out


def test_several_outputs_are_a_tuple():
    model = pyconv.compile(Two(), {"a": (2, 3), "b": (2, 3)})
    a, b = noise(2, 3), noise(2, 3, seed=1)
    for got in (model._run((a, b), None), model(a, b), model(a, b=b)):
        assert isinstance(got, tuple)
        np.testing.assert_array_equal(got[0], a + b)
        np.testing.assert_array_equal(got[1], a * b)
    assert model._run((a, b), [a, b]) is NotImplemented


@pytest.mark.parametrize(
    "arrays",
    [
        (),
        (noise(2, 3, 8, 8),) * 2,
        [noise(2, 3, 8, 8)],
        (noise(2, 3, 8, 9),),
        (noise(3, 8, 8),),
        (noise(2, 3, 8, 8).astype(np.float64),),
        (noise(2, 3, 8, 8).astype(">f4"),),
        (np.asfortranarray(noise(2, 3, 8, 8)),),
        (noise(2, 3, 8, 16)[..., ::2],),
        (np.frombuffer(bytes(2 * 3 * 8 * 8 * 4 + 1), np.uint8)[1:].view(np.float32).reshape(2, 3, 8, 8),),
        ("no array",),
    ],
    ids=range(11),
)
def test_what_is_not_just_right_goes_the_long_way(model, arrays):
    assert model._run(arrays, None) is NotImplemented


def test_converted_inputs_and_complaints_are_those_of_the_long_way(model):
    x = noise(2, 3, 8, 8)
    np.testing.assert_array_equal(model(np.asfortranarray(x)), model(x))
    unaligned = np.frombuffer(b"x" + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(x.shape)
    np.testing.assert_array_equal(model(unaligned), model(x))
    with pytest.raises(ValueError, match=r"expected shape \(2, 3, 8, 8\)"):
        model(x[:1])
    with pytest.raises(TypeError, match="expected float32, got float64"):
        model(x.astype(np.float64))
    with pytest.raises(ValueError, match="inputs: expected 1, got 2"):
        model(x, x)


def test_outputs_that_will_not_do_are_left_alone(model):
    x = noise(2, 3, 8, 8)
    whole = np.zeros(2 * 3 * 8 * 8, np.float32)
    inside = whole.reshape(2, 3, 8, 8)
    locked = np.zeros((2, 4, 6, 6), np.float32)
    locked.flags.writeable = False
    for given, out in (
        (inside, whole[: 2 * 4 * 6 * 6].reshape(2, 4, 6, 6)),
        (x, locked),
        (x, np.zeros((2, 4, 6, 6), np.float32, order="F")),
        (x, np.zeros((2, 4, 6, 5), np.float32)),
    ):
        assert model._run((given,), out) is NotImplemented
        with pytest.raises(ValueError, match="out: "):
            model.run(given, out=out)
        assert not out.any()


def test_many_inputs_go_the_long_way():
    class Sum(nn.Module):
        def forward(self, *xs):
            return sum(xs[1:], xs[0])

    xs = [noise(2, 3, seed=i) for i in range(20)]
    model = pyconv.compile(Sum(), {f"x{i}": (2, 3) for i in range(20)})
    assert model._run(tuple(xs), None) is NotImplemented
    np.testing.assert_allclose(model(*xs), sum(xs), rtol=1e-4, atol=1e-5)


def test_nothing_is_kept_and_the_runner_keeps_its_model():
    x = noise(2, 3, 8, 8)
    model = pyconv.compile(nn.Conv2d(3, 4, 3), x.shape)
    run, wanted = model._run, model(x)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
    y = run((x,), None)
    np.testing.assert_array_equal(y, wanted)
    seen = weakref.ref(y)
    del y
    assert seen() is None
    with pytest.raises(TypeError, match="expected 2 arguments"):
        run((x,))


def test_other_threads_run_meanwhile():
    """The GIL is let go: a thread gets on while another is in a long call."""
    model = pyconv.compile(nn.Conv2d(64, 64, 3, padding=1), (8, 64, 96, 96), accuracy="exact")
    x, done, counted = noise(8, 64, 96, 96), threading.Event(), []

    def count():
        n = 0
        while not done.is_set():
            n += 1
        counted.append(n)

    thread = threading.Thread(target=count)
    thread.start()
    for _ in range(3):
        model(x)
    done.set()
    thread.join()
    assert counted[0] > 100
