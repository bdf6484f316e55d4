"""Zip archives that may lie: whatever Python's reader raises over them becomes ValueError."""

from __future__ import annotations

import errno
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OverflowError,
    RuntimeError,  # NotImplementedError among them; encrypted members
)


@contextmanager
def opened(path: Path) -> Iterator[tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]]:
    """The archive and its members by name, each of which begins inside the file."""
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                members: dict[str, zipfile.ZipInfo] = {}
                for info in archive.infolist():
                    if info.filename in members:
                        raise ValueError(f"zip: two members named {info.filename!r}")
                    if not 0 <= info.header_offset < path.stat().st_size:
                        raise ValueError(f"zip: {info.filename!r} begins outside the file")
                    members[info.filename] = info
                yield archive, members
        except _DAMAGE as error:
            raise ValueError(f"zip: {str(error) or 'a member ends too soon'}") from None
        except OSError as error:
            if error.errno != errno.EINVAL:  # that one comes of seeking before the file's start
                raise
            raise ValueError("zip: an offset points outside the file") from None
