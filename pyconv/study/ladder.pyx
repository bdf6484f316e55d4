# cython: language_level=3, freethreading_compatible=True, boundscheck=False, wraparound=False
# cython: cdivision=True, initializedcheck=False
"""One convolution, compiled by Cython: three rungs of the ladder in `pyconv.study.rungs`.

Read them in this order: `untyped_loops` is the Python source of the first rung, compiled as it
stands; `typed_loops` gives every variable a C type; `blocked_loops` computes a tile of results at
a time. All take ``x`` (n, ih, iw, ic) and ``weight`` (oc, ic, kh, kw), both float32, and return
(n, oh, ow, oc). They run at the compiler's baseline (on x86-64: SSE2, vectors of 4 floats, and no
fused multiply-add); what wider vectors add is the subject of the C++ rungs.

A convolution is, per output, one sum::

    y[n, oh, ow, oc] = sum over kh, kw, ic of x[n, oh*s + kh, ow*s + kw, ic] * w[oc, ic, kh, kw]

so the loops may stand in any order. Which order, and what is kept close to the processor meanwhile,
is all that distinguishes one rung from the next.
"""

import numpy as np

cdef enum:
    OC_BLOCK = 64   # output channels of the innermost loop
    OW_BLOCK = 4    # pixels that share each loaded weight; their 4 x 64 sums are 1 KiB of L1


def output_shape(x, weight, stride, padding):
    """(n, oh, ow, oc); ValueError when shapes don't fit together.

    >>> import numpy as np
    >>> output_shape(np.ones((1, 7, 7, 2)), np.ones((4, 2, 3, 3)), 2, 0)
    (1, 3, 3, 4)
    """
    if x.ndim != 4 or weight.ndim != 4 or x.shape[3] != weight.shape[1]:
        raise ValueError(
            "expected x (n, ih, iw, ic) and weight (oc, ic, kh, kw) with the same ic, "
            f"got {x.shape} and {weight.shape}"
        )
    if stride < 1 or padding < 0:
        raise ValueError(f"expected stride >= 1 and padding >= 0, got {stride} and {padding}")
    n, ih, iw, _ = x.shape
    oc, _, kh, kw = weight.shape
    if min(ih, iw) + 2 * padding < max(kh, kw):
        raise ValueError(f"the {kh} x {kw} filter is larger than the padded {ih} x {iw} input")
    return n, (ih + 2 * padding - kh) // stride + 1, (iw + 2 * padding - kw) // stride + 1, oc


def _prepare(x, weight, stride, padding):
    """The padded input, the weights as (kh, kw, ic, oc), and the zeroed output."""
    y = np.zeros(output_shape(x, weight, stride, padding), np.float32)
    sides = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    padded = np.ascontiguousarray(np.pad(x, sides), np.float32)
    return padded, np.ascontiguousarray(weight.transpose(2, 3, 1, 0), np.float32), y


def untyped_loops(x, weight, stride=1, padding=0):
    """The seven loops of pure Python, compiled without a single type.

    Cython removes the interpreter, not the objects: every number is still a Python object that is
    looked up, multiplied and allocated through the C API. So compiling alone gains nothing or little.

    >>> import numpy as np
    >>> x, w = np.ones((1, 4, 4, 2), np.float32), np.ones((3, 2, 3, 3), np.float32)
    >>> float(untyped_loops(x, w)[0, 0, 0, 0])
    18.0
    """
    padded, taps, y = _prepare(x, weight, stride, padding)
    batch, oh, ow, oc = y.shape
    kh, kw, ic, _ = taps.shape
    source, filters = padded.tolist(), taps.tolist()
    for n in range(batch):
        for i in range(oh):
            for j in range(ow):
                for o in range(oc):
                    total = 0.0
                    for a in range(kh):
                        for b in range(kw):
                            pixel = source[n][i * stride + a][j * stride + b]
                            tap = filters[a][b]
                            for c in range(ic):
                                total += pixel[c] * tap[c][o]
                    y[n, i, j, o] = total
    return y


def typed_loops(x, weight, Py_ssize_t stride=1, Py_ssize_t padding=0):
    """The same seven loops with C types: machine numbers, memory read in place.

    The multiplications may run ahead, but each addition needs the result of the one before (2 to 4
    cycles), and the compiler may not reorder floating point to break that chain. The weights are
    read with a step of oc floats, often a new cache line each time.

    >>> import numpy as np
    >>> x, w = np.ones((1, 4, 4, 2), np.float32), np.ones((3, 2, 3, 3), np.float32)
    >>> float(typed_loops(x, w)[0, 0, 0, 0])
    18.0
    """
    padded, taps, y = _prepare(x, weight, stride, padding)
    cdef const float[:, :, :, ::1] src = padded
    cdef const float[:, :, :, ::1] w = taps
    cdef float[:, :, :, ::1] dst = y
    cdef Py_ssize_t n, i, j, o, a, b, c
    cdef float total
    with nogil:
        for n in range(dst.shape[0]):
            for i in range(dst.shape[1]):
                for j in range(dst.shape[2]):
                    for o in range(dst.shape[3]):
                        total = 0.0
                        for a in range(w.shape[0]):
                            for b in range(w.shape[1]):
                                for c in range(w.shape[2]):
                                    total = total + src[n, i * stride + a, j * stride + b, c] * w[a, b, c, o]
                        dst[n, i, j, o] = total
    return y


cdef void _add_row(
    const float* src, Py_ssize_t src_stride_ow, const float* w, Py_ssize_t length, float* acc
) noexcept nogil:
    """acc[OW_BLOCK][OC_BLOCK] += src[ow, k] * w[k, oc] for k in 0..length, weights packed."""
    cdef Py_ssize_t k, o
    cdef float x0, x1, x2, x3, tap
    for k in range(length):
        x0, x1 = src[k], src[src_stride_ow + k]
        x2, x3 = src[2 * src_stride_ow + k], src[3 * src_stride_ow + k]
        for o in range(OC_BLOCK):
            tap = w[k * OC_BLOCK + o]
            acc[o] += x0 * tap
            acc[OC_BLOCK + o] += x1 * tap
            acc[2 * OC_BLOCK + o] += x2 * tap
            acc[3 * OC_BLOCK + o] += x3 * tap


def _pack(taps):
    """Weights (kh, kw, ic, oc) as (oc blocks, kh, kw, ic, OC_BLOCK), the last block zero-filled."""
    kh, kw, ic, oc = taps.shape
    blocks = -(-oc // OC_BLOCK)
    full = np.zeros((kh, kw, ic, blocks * OC_BLOCK), np.float32)
    full[..., :oc] = taps
    return np.ascontiguousarray(full.reshape(kh, kw, ic, blocks, OC_BLOCK).transpose(3, 0, 1, 2, 4))


def blocked_loops(x, weight, Py_ssize_t stride=1, Py_ssize_t padding=0):
    """Loops in blocks: the sums of 4 pixels x 64 output channels grow together, in the L1 cache.

    Three things changed. The innermost loop now runs over output channels, whose sums don't depend
    on one another, so the compiler turns it into vector instructions and no addition waits. Each
    weight, once loaded, serves 4 pixels. And the weights are packed so that they are read from
    first to last. What is missing: GCC keeps the sums in memory, so each multiply-add costs a load
    and a store; kernels that hold them in registers, in wider vectors, are the C++ rungs.

    >>> import numpy as np
    >>> x, w = np.ones((1, 4, 4, 2), np.float32), np.ones((3, 2, 3, 3), np.float32)
    >>> float(blocked_loops(x, w)[0, 0, 0, 0])
    18.0
    """
    padded, taps, y = _prepare(x, weight, stride, padding)
    cdef Py_ssize_t oh = y.shape[1], ow = y.shape[2], oc = y.shape[3]
    # Columns to the right, so that the last tile may hold fewer pixels than it computes.
    padded = np.pad(padded, ((0, 0), (0, 0), (0, stride * OW_BLOCK), (0, 0)))
    cdef const float[:, :, :, ::1] src = padded
    cdef const float[:, :, :, :, ::1] w = _pack(taps)
    cdef float[:, :, :, ::1] dst = y
    cdef Py_ssize_t n, i, j, tile, block, a, p, o
    cdef Py_ssize_t src_stride_ow = stride * src.shape[3], row = w.shape[2] * w.shape[3]
    cdef float acc[OW_BLOCK * OC_BLOCK]
    with nogil:
        for n in range(dst.shape[0]):
            for i in range(oh):
                for block in range(w.shape[0]):
                    for tile in range((ow + OW_BLOCK - 1) // OW_BLOCK):
                        j = tile * OW_BLOCK
                        for o in range(OW_BLOCK * OC_BLOCK):
                            acc[o] = 0.0
                        for a in range(w.shape[1]):
                            _add_row(&src[n, i * stride + a, j * stride, 0], src_stride_ow,
                                     &w[block, a, 0, 0, 0], row, acc)
                        for p in range(min(OW_BLOCK, ow - j)):
                            for o in range(min(OC_BLOCK, oc - block * OC_BLOCK)):
                                dst[n, i, j + p, block * OC_BLOCK + o] = acc[p * OC_BLOCK + o]
    return y
