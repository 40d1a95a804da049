"""The key with which this account, or a secret of continuous integration, seals what is kept.

The account's own key lies outside of the cache, so that it does not travel with it: what was sealed
elsewhere has an unknown key and is made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from typing import TYPE_CHECKING, Final, NamedTuple

from iopermit.cache.errors import RejectedError, UntrustedError
from iopermit.cache.files import OPEN_TO_OTHERS, read_own, write_own
from iopermit.cache.locations import STATE_VARIABLE, state_directory
from iopermit.cache.trust import safe_directory

if TYPE_CHECKING:
    from pathlib import Path

KEY_VARIABLE: Final = "IOPERMIT_CACHE_KEY"
_LEAST: Final = 32
"""Characters of a secret from outside: a shorter one could be found by trying."""
_BYTES: Final = 32
"""Of a key that is made here: as long as the hash that it goes into (RFC 2104, section 3)."""
_ID_DIGITS: Final = 16


class SealingKey(NamedTuple):
    """A secret.

    Attributes:
        secret: The bytes that seals are made with.
        source: Where it comes from: an environment variable or a file.
    """

    secret: bytes
    source: str

    def __repr__(self) -> str:
        """Return the key without its secret, which has no place in messages."""
        return f"SealingKey({self.id}, of {self.source})"

    @property
    def id(self) -> str:
        """What tells it from other keys, and does not reveal it."""
        return hashlib.sha256(b"id of " + self.secret).hexdigest()[:_ID_DIGITS]


def sealing_key(*, create: bool = True) -> SealingKey:
    """Return the key in $IOPERMIT_CACHE_KEY, or the account's own, which is made when needed.

    Raises:
        UntrustedError: The variable is too short for a secret, or no key can be kept.
        FileNotFoundError: There is no key yet, and it is not to be made.
    """
    # What a secret is that does not exist, as for a pull request from a fork.
    if given := os.environ.get(KEY_VARIABLE, ""):
        if len(given) < _LEAST:
            raise UntrustedError(
                f"{KEY_VARIABLE} has {len(given)} characters, and needs {_LEAST} or more; make one "
                f"with: openssl rand -hex 32"
            )
        data = given.encode("utf-8", "surrogateescape")
        return SealingKey(hashlib.sha256(b"iopermit cache key " + data).digest(), KEY_VARIABLE)
    try:
        directory = safe_directory(state_directory(), own=1, create=create, variable=STATE_VARIABLE)
        file = directory / "cache.key"
        return SealingKey(_kept(file) if create else _read(file), str(file))
    except FileNotFoundError:
        if not create:
            raise
        raise UntrustedError("the directory of its key has disappeared") from None
    except (RejectedError, OSError) as error:
        raise UntrustedError(_no_key(error)) from error


def fresh_key() -> SealingKey:
    """Return a key that nobody keeps."""
    return SealingKey(os.urandom(_BYTES), "this process")


def _kept(file: Path) -> bytes:
    """Return the key in a file, which is made or replaced if there is none of use."""
    with contextlib.suppress(RejectedError, FileNotFoundError):
        return _read(file)
    new = os.urandom(_BYTES).hex().encode() + b"\n"
    try:
        # Of two processes at once the first decides.
        write_own(file, new, replace=False)
    except OSError:
        with contextlib.suppress(RejectedError, FileNotFoundError):
            return _read(file)
        write_own(file, new)
    return _read(file)


def _read(file: Path) -> bytes:
    text = read_own(file, OPEN_TO_OTHERS)
    with contextlib.suppress(ValueError):
        secret = bytes.fromhex(text.decode("ascii"))
        if len(secret) == _BYTES:
            return secret
    raise RejectedError("it is damaged")


def _no_key(error: Exception) -> str:
    where = getattr(error, "filename", None) or state_directory()
    why = getattr(error, "strerror", None) or error
    return f"its key cannot be kept in {where}: {why}; set {STATE_VARIABLE} or {KEY_VARIABLE}"
