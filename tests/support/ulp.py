"""Distance of float32 results from float64 values, in units of the last place."""

from __future__ import annotations

import numpy as np


def ulp_error(got, want):
    """|got - want| in float32 ulps of want (2^-149 for subnormals); where the value rounds to an
    infinity or is NaN: 0 if got is the same, else inf."""
    got = np.asarray(got, np.float64)
    with np.errstate(all="ignore"):
        rounded = np.asarray(want).astype(np.float32)
        exponent = np.frexp(np.maximum(np.abs(want), 2.0**-126))[1] - 24
        error = np.abs(got - want) / np.exp2(exponent)
    same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    return np.where(np.isfinite(rounded) & np.isfinite(got), error, np.where(same, 0.0, np.inf))


SPECIAL = np.array(
    [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 1.1754944e-38, -1.1754944e-38, 3.4028235e38,
     -3.4028235e38, 1.0, -1.0, 3.0, -3.0, 6.0, 88.72284, 88.72283, -87.33655, -103.97208, -103.97209,
     -14.5, -11.0, -20.0],
    np.float32,
)  # fmt: skip


def sample_floats(rng, count):
    """Bit patterns at random (NaN and subnormals among them), numbers of every size that an activation
    tells apart, and SPECIAL."""
    patterns = rng.integers(0, 2**32, count, dtype=np.uint64).astype(np.uint32).view(np.float32)
    near = (rng.standard_normal(count) * 4).astype(np.float32)
    wide = rng.uniform(-110, 110, count).astype(np.float32)
    return np.concatenate([SPECIAL, patterns, near, wide])
