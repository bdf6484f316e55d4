"""A kernel as a sum of products of four vectors, by alternating least squares.

weight[o, i, y, x] ~ sum over r of out[o, r] into[i, r] column[y, r] row[x, r] (Lebedev, Ganin, Rakhuba,
Oseledets, Lempitsky, arXiv:1412.6553). Each step solves for one factor with the others held, which never
makes the error larger, and may end in a valley that is not the deepest: several starts are tried for a few
sweeps, and the best of them goes on. The starts follow from the rank alone, so the same weights give the same
factors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_TRIAL_SWEEPS = 8
_EXACT = 1e-7  # below it the error is rounding: it comes as a difference of squares
_SETTLED = 1e-5
"""A sweep that lessens the error by less than this share of it ends the search."""
_RIDGE = 1e-10
"""Of the mean diagonal: keeps the solves sane where two terms come to cancel each other (de Silva, Lim,
SIAM J. Matrix Anal. 30(3), 2008: a best approximation need not exist)."""


class Sum(NamedTuple):
    """`out` (oc, rank), `into` (ic, rank), `column` (kh, rank), `row` (kw, rank)."""

    out: Array
    into: Array
    column: Array
    row: Array


def decompose(weight: Array, rank: int, *, starts: int = 4, sweeps: int = 150) -> Sum:
    """The best sum of `rank` products that was found for `weight` (oc, ic, kh, kw)."""
    norm = float(np.linalg.norm(weight))
    if norm == 0.0:
        return Sum(*(np.zeros((size, rank)) for size in weight.shape))
    unfolded = _Unfolded.of(weight)
    tried = [_sweep(unfolded, _start(weight, rank, s), _TRIAL_SWEEPS) for s in range(starts)]
    best = min(tried, key=lambda t: t[1])[0]
    found, _ = _sweep(unfolded, best, sweeps)
    return _balanced(found, norm)


def _start(weight: Array, rank: int, number: int) -> list[Array]:
    """The first start has the leading singular vectors of each unfolding, as far as they go."""
    rng = np.random.default_rng([rank, number])
    factors = [rng.standard_normal((size, rank)) / np.sqrt(size) for size in weight.shape]
    if number == 0:
        for axis in range(2):
            unfolded = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1)
            vectors = np.linalg.svd(unfolded, full_matrices=False)[0][:, :rank]
            factors[axis][:, : vectors.shape[1]] = vectors
    return factors


def _sweep(unfolded: _Unfolded, factors: list[Array], sweeps: int) -> tuple[list[Array], float]:
    """Factors after so many sweeps, or when they settle, and their relative error."""
    out, into, column, row = factors
    before, error = 2.0, 1.0
    for _ in range(sweeps):
        taps = _products(column, row)
        out = _solved(unfolded.by_out @ _products(into, taps), into, column, row)
        into = _solved(unfolded.by_into @ _products(out, taps), out, column, row)
        seen = (unfolded.by_taps @ _products(out, into)).reshape(len(column), len(row), -1)
        column = _solved(np.einsum("yxr,xr->yr", seen, row), out, into, row)
        met = np.einsum("yxr,yr->xr", seen, column)
        row = _solved(met, out, into, column)
        size = float((_grams(out, into, column) * (row.T @ row)).sum())
        error = np.sqrt(max(0.0, 1.0 - 2.0 * float((met * row).sum()) + size))
        out, into, column, row = _evened(out, into, column, row)
        if error < _EXACT or before - error <= _SETTLED * before:
            break
        before = error
    return [out, into, column, row], error


class _Unfolded(NamedTuple):
    """The weights over their norm as matrices: one row for each output, input, tap."""

    by_out: Array
    by_into: Array
    by_taps: Array

    @staticmethod
    def of(weight: Array) -> _Unfolded:
        oc, ic, kh, kw = weight.shape
        cube = weight.reshape(oc, ic, kh * kw) / np.linalg.norm(weight)
        by_taps = np.ascontiguousarray(cube.reshape(oc * ic, -1).T)
        into = np.ascontiguousarray(cube.transpose(1, 0, 2)).reshape(ic, -1)
        return _Unfolded(cube.reshape(oc, -1), into, by_taps)


def _products(a: Array, b: Array) -> Array:
    """Each entry of a column of `a` times each of the same column of `b`: (len(a) * len(b), rank)."""
    return np.asarray((a[:, None] * b[None]).reshape(-1, a.shape[1]))


def _grams(*factors: Array) -> Array:
    product = np.ones((factors[0].shape[1],) * 2)
    for factor in factors:
        product *= factor.T @ factor
    return product


def _solved(right: Array, *others: Array) -> Array:
    """The factor whose product with the Gram matrix of the others is `right`."""
    gram = _grams(*others)
    gram[np.diag_indices_from(gram)] += _RIDGE * np.trace(gram) / len(gram) + np.finfo(float).tiny
    return np.ascontiguousarray(np.linalg.solve(gram, right.T).T)


def _evened(*factors: Array) -> list[Array]:
    """Each term's length shared out evenly over its four vectors."""
    lengths = [np.maximum(np.linalg.norm(factor, axis=0), np.finfo(float).tiny) for factor in factors]
    share = np.exp(np.mean([np.log(length) for length in lengths], axis=0))
    return [factor * (share / length) for factor, length in zip(factors, lengths)]


def _balanced(factors: list[Array], norm: float) -> Sum:
    return Sum(*(factor * norm**0.25 for factor in factors))
