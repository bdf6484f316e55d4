"""Any file of weights, told apart by what it begins with."""

from __future__ import annotations

import os
from pathlib import Path

from pyconv.formats import _zip, safetensors
from pyconv.formats._arrays import AnyArray
from pyconv.formats.npz import load_npz
from pyconv.formats.torch_checkpoint import is_legacy, load_torch_checkpoint


def kind_of(path: str | os.PathLike[str]) -> str:
    """``"torch"``, ``"safetensors"`` or ``"npz"``, from the file's content; its name plays no part.

    Raises ValueError for anything else, and OSError where the file cannot be read.

    >>> import os, tempfile, numpy as np
    >>> from pyconv.formats import kind_of
    >>> path = os.path.join(tempfile.mkdtemp(), "weights.bin")
    >>> with open(path, "wb") as file: np.savez(file, bias=np.zeros(3))
    >>> kind_of(path)
    'npz'
    """
    path = Path(path)
    with path.open("rb") as file:
        head = file.read(32)
    if is_legacy(head):
        return "torch"
    if head.startswith(b"PK\x03\x04"):
        try:
            with _zip.opened(path) as (_, members):
                names = list(members)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        if any(name.endswith("/data.pkl") for name in names):
            return "torch"
        if names and all(name.endswith(".npy") for name in names):
            return "npz"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= safetensors.MAX_HEADER:
        return "safetensors"
    raise ValueError(f"{path}: expected a torch checkpoint, a safetensors file or an npz file")


def load_weights(
    path: str | os.PathLike[str], *, dtype: object = None, strip_prefix: str = ""
) -> dict[str, AnyArray]:
    """Arrays by name from a torch checkpoint, a safetensors file or an npz file.

    Args:
        path: the file; its content says which kind it is.
        dtype: None, or the floating type to convert all floating arrays to, as ``"float32"``.
        strip_prefix: taken off every name that starts with it, as the ``"module."`` of DataParallel.

    Returns:
        As `load_torch_checkpoint`, `safetensors.load` and `load_npz` do.

    Raises:
        ValueError: none of the three, or damaged.
        OSError: the file cannot be read.

    >>> import os, tempfile, numpy as np
    >>> from pyconv.formats import load_weights
    >>> path = os.path.join(tempfile.mkdtemp(), "weights.bin")
    >>> with open(path, "wb") as file: np.savez(file, bias=np.zeros(3))
    >>> load_weights(path, dtype="float32")
    {'bias': array([0., 0., 0.], dtype=float32)}
    """
    loaders = {"torch": load_torch_checkpoint, "safetensors": safetensors.load, "npz": load_npz}
    return loaders[kind_of(path)](path, dtype=dtype, strip_prefix=strip_prefix)
