"""The header of what is kept: made of what, with which tools, the hash of itself, and the seal.

    iopermit cache 1
    kind machine code
    made-of <hash>
    toolchain <hash>
    content <SHA-256>
    size <bytes>
    key <which key>
    seal <HMAC-SHA-256 of the lines above>

An empty line ends it. Whoever reads knows what should be there, so nothing is parsed: the whole
header has to be the one that would be written.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final, NamedTuple

from iopermit.cache.errors import RejectedError

if TYPE_CHECKING:
    from iopermit.cache.key import SealingKey

_NAME: Final = b"iopermit cache "
_FIRST: Final = _NAME + b"1\n"
_LONGEST: Final = 4096
"""Bytes in which the header ends."""


# A tuple: making a class of data would take a fifth of a millisecond of every start.
class Origin(NamedTuple):
    """What something that is kept was made from.

    Attributes:
        kind: What it is, in a few words.
        made_of: A hash of everything that it was made from.
        toolchain: A hash of what made it, or a name that says all about it.
    """

    kind: str
    made_of: str
    toolchain: str


def sealed(content: bytes, origin: Origin, key: SealingKey) -> bytes:
    """Return content with its header."""
    return _header(content, origin, key) + content


def unsealed(data: bytes, origin: Origin, key: SealingKey) -> bytes:
    """Return the content of what `sealed` gave for the same origin and key.

    Raises:
        RejectedError: It is anything else.
    """
    end = data.find(b"\n\n", 0, _LONGEST) + 2
    header, content = data[:end], data[end:]
    if hmac.compare_digest(header, _header(content, origin, key)):
        return content
    raise RejectedError(f"{_problem(header, origin, key)}; it is made anew")


def _header(content: bytes, origin: Origin, key: SealingKey) -> bytes:
    text = _lines(origin) + (
        f"content {hashlib.sha256(content).hexdigest()}\nsize {len(content)}\nkey {key.id}\n"
    )
    signed = _FIRST + text.encode()
    return signed + f"seal {hmac.digest(key.secret, signed, 'sha256').hex()}\n\n".encode()


def _lines(origin: Origin) -> str:
    # Escaped, so that no text can pass for another line.
    kind, made_of, toolchain = (part.encode("unicode_escape").decode() for part in origin)
    return f"kind {kind}\nmade-of {made_of}\ntoolchain {toolchain}\n"


def _problem(header: bytes, origin: Origin, key: SealingKey) -> str:
    """Return what is wrong with a header that is not the right one, as far as it can be told."""
    if not header.startswith(_NAME):
        return "it is damaged"
    if not header.startswith(_FIRST):
        return "another version of iopermit made it"
    lines = header.split(b"\n")
    if f"key {key.id}".encode() not in lines and any(line.startswith(b"key ") for line in lines):
        return "it was sealed with another key"
    if not header.startswith(_FIRST + _lines(origin).encode()):
        return "it was made of something else"
    return "it is damaged"
