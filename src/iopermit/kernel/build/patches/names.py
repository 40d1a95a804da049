"""The names of files in patches: git's quoting, and names that are refused."""

from __future__ import annotations

import os
import re
from typing import Final

NO_FILE: Final = b"/dev/null"
_ESCAPE: Final = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_ESCAPED: Final = {
    b"a": b"\a",
    b"b": b"\b",
    b"f": b"\f",
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
    b"v": b"\v",
    b"\\": b"\\",
    b'"': b'"',
}
_CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]")
_LONGEST_NAME, _LONGEST_PATH = 255, 4095
_PRODUCTS: Final = re.compile(
    r"(?:arch/x86/)?include/(?:config|generated)/.*"
    r"|(?:.*/)?(?:\.config|\.[^/]*\.(?:cmd|d)|[^/]*\.(?:o|a|ko|so|s|i|mod|order|symvers))"
)
_SHOWN: Final = 200
"""Characters of a line that a message shows."""


class BadNameError(ValueError):
    """A name in a patch that is not one of a file of a tree; `str()` says why."""


def unquoted(text: bytes) -> bytes:
    """Return the name that stands in a header, without git's quotation marks.

    Raises:
        BadNameError: It begins like a quoted name and is none.
    """
    if not text.startswith(b'"'):
        return text
    end = text[1:-1]
    plain = _ESCAPE.sub(b"", end)
    if len(text) == 1 or not text.endswith(b'"') or b'"' in plain or b"\\" in plain:
        raise BadNameError(f"{shown(text)} is no quoted name")
    return _ESCAPE.sub(_character, end)


def _character(match: re.Match[bytes]) -> bytes:
    code = match[1]
    if len(code) > 1:
        if code > b"377":
            raise BadNameError(f"{shown(match[0])} is no byte")
        return bytes([int(code, 8)])
    if code not in _ESCAPED:
        raise BadNameError(f"{shown(match[0])} means nothing in a quoted name")
    return _ESCAPED[code]


def path_of(name: bytes) -> str:
    """Return a name as a path relative to the tree, with slashes.

    Raises:
        BadNameError: It leads out of the tree, into git's own directory or to what a build leaves,
            or no file can have it.
    """
    parts = name.split(b"/")
    if name.startswith(b"/") or b".." in parts:
        raise BadNameError(f"the path {shown(name)} leads out of the tree")
    if _CONTROL.search(name):
        raise BadNameError(f"the path {shown(name)} has a control character")
    if b"" in parts or b"." in parts:
        raise BadNameError(f"{shown(name)} is not the path of a file")
    if any(part.lower() == b".git" for part in parts):
        raise BadNameError(f"the path {shown(name)} leads into git's own directory")
    if len(name) > _LONGEST_PATH or any(len(part) > _LONGEST_NAME for part in parts):
        raise BadNameError(f"the path {shown(name)} is too long")
    return os.fsdecode(name)


def is_build_product(path: str) -> bool:
    """Return whether make would take a file of this path for what it has built itself."""
    return _PRODUCTS.fullmatch(path) is not None


def stripped(name: bytes) -> bytes:
    """Return a name without its first component, as `patch -p1` takes it."""
    return name.partition(b"/")[2]


def shown(text: bytes) -> str:
    """Return bytes of a patch as they are shown in a message: one short line."""
    whole = text.decode("utf-8", "replace")
    short = whole if len(whole) <= _SHOWN else f"{whole[:_SHOWN]}..."
    return "".join(
        char if char.isprintable() or char == "\t" else repr(char)[1:-1] for char in short
    )
