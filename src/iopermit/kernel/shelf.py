"""Where verdicts about kernel trees are kept between runs."""

from __future__ import annotations

from typing import Final

from iopermit.cache.locations import Shelf, cache_directory

_LIMIT: Final = 10_000_000
"""Bytes; a verdict takes less than a thousand."""


def kernel_verdicts() -> Shelf:
    """Return where verdicts about trees without their patches are kept.

    Raises:
        UntrustedError: there is no home directory.
    """
    return Shelf(cache_directory() / "verdicts", 2, _LIMIT, holds_directories=False)
