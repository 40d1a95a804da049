"""Reads the file of a patch, also compressed by gzip, up to a limit."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from typing import TYPE_CHECKING, Final

from iopermit.kernel.errors import PatchError

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_PATCH: Final = 64 << 20
"""Bytes of the largest text of a patch that is read, unpacked."""


def read_patch_file(file: Path) -> bytes:
    """Return the bytes of a patch file, unpacked.

    Raises:
        PatchError: It cannot be read, or is larger than `LARGEST_PATCH`.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(LARGEST_PATCH + 1)
        if data.startswith(b"\x1f\x8b") and len(data) <= LARGEST_PATCH:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
                data = packed.read(LARGEST_PATCH + 1)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise PatchError(f"cannot read the patch {file}: {reason}") from error
    if len(data) > LARGEST_PATCH:
        raise PatchError(
            f"the patch {file} has more than {LARGEST_PATCH >> 20} MB of text; split it"
        )
    # Some editors put a mark of the byte order in front, which is no part of a header.
    return data.removeprefix(codecs.BOM_UTF8)
