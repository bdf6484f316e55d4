"""Finds the coefficients of csrc/kernels/eltwise/math.inl.h again. Needs mpmath; about a minute.

    python -m benchmarks.minimax [expm1] [log1p] [quotients] [normal] [erf] [tanh]

Fits minimise the largest weighted error by Lawson's iteration: least squares on Chebyshev points whose
weights grow where the error is large (C. L. Lawson, 1961); a quotient P / Q is made linear by dividing
by the Q of the round before. Coefficients are rounded to float one after the other, each time with
the rest fitted anew. Printed errors are those of the rounded coefficients.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

try:
    import mpmath as mp
except ImportError as error:
    raise SystemExit("benchmarks.minimax: needs mpmath (pip install mpmath)") from error

mp.mp.dps = 40
Real = Any  # mp.mpf
Function = Callable[[Real], Real]
Terms = dict[int, Real]  # power: coefficient


def rounded(x: Real) -> Real:
    return mp.mpf(float(np.float32(float(x))))


def chebyshev(low: Real, high: Real, count: int) -> list[Real]:
    middle, half = (high + low) / 2, (high - low) / 2
    return [middle - half * mp.cos(mp.pi * (i + mp.mpf(1) / 2) / count) for i in range(count)]


def value(terms: Terms, x: Real) -> Real:
    return sum((c * x**power for power, c in terms.items()), mp.mpf(0))


def lawson(
    rows: Callable[[list[Real]], tuple[Any, Any]],
    errors: Callable[[Any], list[Real]],
    unknowns: int,
    points: int,
    rounds: int = 60,
) -> tuple[Real, Any]:
    """Solves rows(weights) again and again; the solution with the least largest error, and that."""
    weights, best = [mp.mpf(1)] * points, None
    for round_number in range(rounds if unknowns else 1):
        a, b = rows(weights)
        solution = mp.lu_solve(a.T * a, a.T * b) if unknowns else []
        found = errors(solution)
        worst = max(found)
        if best is None or worst < best[0]:
            best = (worst, solution)
        if round_number < 5:  # a quotient settles first
            continue
        weights = [w * (e / worst + mp.mpf("1e-3")) for w, e in zip(weights, found)]
        total = sum(weights)
        weights = [w * points / total for w in weights]
    assert best is not None
    return best


def polynomial(f: Function, weight: Function, low: Real, high: Real, degree: int) -> tuple[Real, Terms]:
    """min max |weight (p - f)|, coefficients rounded from the lowest up."""
    xs = chebyshev(low, high, 200)
    ws = [weight(x) for x in xs]
    fixed: Terms = {}
    for power in range(degree + 2):
        free = [j for j in range(degree + 1) if j not in fixed]
        ys = [f(x) - value(fixed, x) for x in xs]

        def rows(weights: list[Real], free: list[int] = free, ys: list[Real] = ys) -> tuple[Any, Any]:
            a, b = mp.matrix(len(xs), max(1, len(free))), mp.matrix(len(xs), 1)
            for i, x in enumerate(xs):
                scale = mp.sqrt(weights[i]) * ws[i]
                for k, j in enumerate(free):
                    a[i, k] = scale * x**j
                b[i] = scale * ys[i]
            return a, b

        def errors(solution: Any, free: list[int] = free, ys: list[Real] = ys) -> list[Real]:
            terms = {j: solution[k] for k, j in enumerate(free)}
            return [abs(w * (value(terms, x) - y)) for x, y, w in zip(xs, ys, ws)]

        worst, solution = lawson(rows, errors, len(free), len(xs))
        if power <= degree:
            fixed[power] = rounded(solution[free.index(power)])
    return worst, fixed


def quotient(
    f: Function, weight: Function, xs: Sequence[Real], p: Terms, q: Terms, factor: Real | None
) -> tuple[Real, Real, Terms, Terms]:
    """factor * P / Q with the unknown coefficients None in p and q; factor None: unknown as well."""
    fs, ws = [f(x) for x in xs], [weight(x) for x in xs]
    free_p, free_q = ([j for j, c in terms.items() if c is None] for terms in (p, q))
    known_p, known_q = ({j: c for j, c in terms.items() if c is not None} for terms in (p, q))
    count = len(free_p) + len(free_q) + (factor is None)
    q_before = [x ** max(q) + 1 for x in xs]

    def rows(weights: list[Real]) -> tuple[Any, Any]:
        a, b = mp.matrix(len(xs), max(1, count)), mp.matrix(len(xs), 1)
        for i, x in enumerate(xs):
            scale = mp.sqrt(weights[i]) * ws[i] / (q_before[i] * fs[i])
            columns = [value(known_p, x)] if factor is None else []
            columns += [x**j * (1 if factor is None else factor) for j in free_p]
            columns += [-fs[i] * x**j for j in free_q]
            for k, column in enumerate(columns):
                a[i, k] = scale * column
            rest = 0 if factor is None else factor * value(known_p, x)
            b[i] = scale * (fs[i] * value(known_q, x) - rest)
        return a, b

    def unpack(solution: Any) -> tuple[Real, Terms, Terms]:
        start = int(factor is None)
        front = solution[0] if factor is None else factor
        divide = front if factor is None else 1
        split = start + len(free_p)
        new_p = {**known_p, **{j: solution[start + k] / divide for k, j in enumerate(free_p)}}
        return front, new_p, {**known_q, **{j: solution[split + k] for k, j in enumerate(free_q)}}

    def errors(solution: Any) -> list[Real]:
        front, new_p, new_q = unpack(solution)
        q_before[:] = [value(new_q, x) for x in xs]
        return [
            abs(front * value(new_p, x) / d / y - 1) * w for x, d, y, w in zip(xs, q_before, fs, ws)
        ]

    worst, solution = lawson(rows, errors, count, len(xs), 40)
    return (worst, *unpack(solution))


def show(name: str, worst: Real, coefficients: Sequence[Real]) -> None:
    print(f"{name}: 2^{float(mp.log(worst, 2)):.2f}")
    print("   ", ", ".join(f"{float(c):.9g}f" for c in coefficients), flush=True)


def fit_expm1() -> None:
    """e^r = 1 + r + r^2 P(r): relative error of e^r - 1."""
    limit = mp.log(2) / 2 * mp.mpf("1.0005")
    worst, terms = polynomial(
        lambda r: (mp.expm1(r) - r) / r**2, lambda r: abs(r * r / mp.expm1(r)), -limit, limit, 4
    )
    show("expm1, rising powers", worst, [terms[j] for j in range(5)])


def fit_log1p() -> None:
    """log(1 + f) = f - f^2 / 2 + f^3 P(f): relative error of the logarithm."""
    low, high = mp.sqrt(mp.mpf(1) / 2) - 1 - mp.mpf("1e-6"), mp.sqrt(2) - 1 + mp.mpf("1e-6")
    worst, terms = polynomial(
        lambda f: (mp.log1p(f) - f + f * f / 2) / f**3, lambda f: abs(f**3 / mp.log1p(f)), low, high, 7
    )
    show("log1p, rising powers", worst, [terms[j] for j in range(8)])


def fit_quotients() -> None:
    """b^r = (a + r c) / (a - r c), a = a0 + a1 r^2 and c = c0 + r^2. The ratio c0 / a0 carries most of
    the error of rounding: neighbours of c0 are tried until it fits."""
    for name, base, limit in (("e^r", 1.0, np.log(2) / 2 * 1.0005), ("2^r", np.log(2.0), 0.5001)):
        r = np.linspace(0, limit, 2001)[1:]
        square, tangent = r * r, np.tanh(r * base / 2) / r
        matrix = np.stack([np.ones_like(r), -tangent, -tangent * square], 1) * r[:, None]
        c0, a0, a1 = np.linalg.lstsq(matrix, -square * r, rcond=None)[0]
        best: tuple[float, float, float, float] | None = None
        for step in range(-200, 201):
            c = float(np.float32(c0) + np.float32(step) * np.spacing(np.float32(c0)))
            near = np.float32(c / (base / 2))
            for a in (float(near + np.float32(k) * np.spacing(near)) for k in (-1, 0, 1)):
                for k in range(-24, 25, 4):
                    b = float(np.float32(a1) + np.float32(k) * np.spacing(np.float32(a1)))
                    error = float(np.max(np.abs((c + square) / (a + b * square) - tangent) * 2 * r))
                    if best is None or error < best[0]:
                        best = (error, a, b, c)
        assert best is not None
        show(f"{name}: a0, a1, c0", mp.mpf(best[0]), best[1:])


def fit_normal() -> None:
    """The normal tail times 2^(c a^2) as factor * P / Q with leading coefficients 1 on [0, 14.5]; the
    error may grow with a^2, as that of the square does."""
    c = rounded(1 / mp.log(2) / 2)
    high, near = mp.mpf("14.5"), mp.mpf("1.5")
    top = (high - near) / (high + near)
    xs = [near * (1 + t) / (1 - t) for t in chebyshev(-1, top, 140)]

    def tail(a: Real) -> Real:
        return mp.erfc(a / mp.sqrt(2)) / 2 * mp.mpf(2) ** (c * a * a)

    def weight(a: Real) -> Real:
        return 1 / (1 + a * a / 4)

    p: Terms = {**dict.fromkeys(range(4)), 4: mp.mpf(1)}
    q: Terms = {**dict.fromkeys(range(5)), 5: mp.mpf(1)}
    factor = rounded(quotient(tail, weight, xs, p, q, None)[1])
    for power in range(4, -1, -1):
        q[power] = rounded(quotient(tail, weight, xs, p, q, factor)[3][power])
        if power < 4:
            p[power] = rounded(quotient(tail, weight, xs, p, q, factor)[2][power])
    worst = quotient(tail, weight, xs, p, q, factor)[0]
    show("normal tail: factor", worst, [factor])
    show("  P, rising powers", worst, [p[j] for j in range(5)])
    show("  Q, rising powers", worst, [q[j] for j in range(6)])


def fit_erf() -> None:
    """erf(x) = x (c + x^2 P(x^2)) for |x| <= 1, c in two parts: relative error."""
    c = 2 / mp.sqrt(mp.pi)

    def ratio(square: Real) -> Real:
        x = mp.sqrt(square)
        return mp.erf(x) / x

    worst, terms = polynomial(
        lambda s: (ratio(s) - c) / s, lambda s: s / ratio(s), mp.mpf(0), mp.mpf("1.0001"), 5
    )
    show("erf: c", worst, [rounded(c), rounded(c - rounded(c))])
    show("  P, rising powers", worst, [terms[j] for j in range(6)])


def fit_tanh() -> None:
    """tanh(x) = x P(x^2) / Q(x^2) up to 9, both 1 at 0: relative error."""
    squares = [x * x for x in chebyshev(mp.mpf("1e-3"), mp.mpf(9), 200)]

    def ratio(square: Real) -> Real:
        x = mp.sqrt(square)
        return mp.tanh(x) / x

    def fit() -> tuple[Real, Real, Terms, Terms]:
        return quotient(ratio, lambda s: mp.mpf(1), squares, p, q, mp.mpf(1))

    p: Terms = {0: mp.mpf(1), **dict.fromkeys(range(1, 5))}
    q: Terms = dict(p)
    for power in range(1, 5):
        p[power] = rounded(fit()[2][power])
        q[power] = rounded(fit()[3][power])
    worst = fit()[0]
    show("tanh: P, rising powers", worst, [p[j] for j in range(5)])
    show("  Q, rising powers", worst, [q[j] for j in range(5)])


FITS = {
    "expm1": fit_expm1,
    "log1p": fit_log1p,
    "quotients": fit_quotients,
    "normal": fit_normal,
    "erf": fit_erf,
    "tanh": fit_tanh,
}


def main(names: Sequence[str]) -> int:
    unknown = [name for name in names if name not in FITS]
    if unknown:
        print(f"expected {', '.join(FITS)}, got {unknown[0]}", file=sys.stderr)
        return 2
    for name in names or FITS:
        FITS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
