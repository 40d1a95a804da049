"""Where the cache and its key are: the XDG base directories, and how much is kept in each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

from iopermit.cache.errors import UntrustedError
from iopermit.cache.trust import safe_directory

CACHE_VARIABLE: Final = "XDG_CACHE_HOME"
STATE_VARIABLE: Final = "XDG_STATE_HOME"
_MEGABYTE: Final = 1_000_000


class Shelf(NamedTuple):
    """A directory of things that are kept, each an entry of its own.

    Attributes:
        path: The directory, absolute; it need not exist.
        own: How many of its last names are iopermit's own, see `safe_directory`.
        limit: How many bytes are kept.
        holds_directories: Whether the entries are directories; else they are files.
    """

    path: Path
    own: int
    limit: int
    holds_directories: bool

    def ready(self, *, create: bool = True) -> Path:
        """Return the real path of the directory, which only the user can write to.

        Raises:
            UntrustedError: Others could have written to it.
            OSError: It does not exist, or cannot be made.
        """
        return safe_directory(self.path, own=self.own, create=create, variable=CACHE_VARIABLE)


def machine_code() -> Shelf:
    """Return where the machine code of designs is kept.

    Raises:
        UntrustedError: There is no home directory.
    """
    return Shelf(cache_directory(), 1, 200 * _MEGABYTE, holds_directories=False)


def kernel_builds(directory: Path | None = None) -> Shelf:
    """Return where builds of kernel trees are kept: a directory, or by default in the cache.

    Raises:
        UntrustedError: There is no home directory.
    """
    path, own = (directory.absolute(), 1) if directory else (cache_directory() / "kernel", 2)
    return Shelf(path, own, 300 * _MEGABYTE, holds_directories=True)


def cache_directory() -> Path:
    """Return `$XDG_CACHE_HOME/iopermit`, by default in `~/.cache`.

    Raises:
        UntrustedError: There is no home directory.
    """
    return _base(CACHE_VARIABLE, ".cache") / "iopermit"


def state_directory() -> Path:
    """Return `$XDG_STATE_HOME/iopermit`, by default in `~/.local/state`.

    Raises:
        UntrustedError: There is no home directory.
    """
    return _base(STATE_VARIABLE, ".local/state") / "iopermit"


def _base(variable: str, default: str) -> Path:
    """Return a base directory; the specification says to ignore a path that is not absolute."""
    named = Path(os.environ.get(variable, ""))
    if named.is_absolute():
        return named
    home = Path(os.environ.get("HOME", ""))
    if not home.is_absolute():
        import pwd  # only for the few without HOME

        try:
            home = Path(pwd.getpwuid(os.geteuid()).pw_dir)
        except KeyError:
            raise UntrustedError(f"there is no home directory; set HOME or {variable}") from None
    return home / default
