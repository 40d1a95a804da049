"""The extras of the package: which libraries a part of iopermit needs beyond those of designs."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Final

from iopermit.engine.errors import MissingExtraError

EXTRAS: Final[Mapping[str, Mapping[str, str]]] = {
    "kernel": {"capstone": "capstone", "elftools": "pyelftools", "unicorn": "unicorn"},
    "run": {
        "capstone": "capstone",
        "elftools": "pyelftools",
        "landlockpy": "landlockpy",
        "seccompy": "seccompy",
        "unicorn": "unicorn",
    },
    "plot": {"matplotlib": "matplotlib"},
    "prove": {"z3": "z3-solver"},
    "reproduce": {
        "capstone": "capstone",
        "elftools": "pyelftools",
        "lz4": "lz4",
        "zstandard": "zstandard",
    },
    "web": {"jinja2": "jinja2"},
    "cluster": {"lz4": "lz4", "ray": "ray"},
}
"""The modules of each extra of pyproject.toml, and the distributions that have them."""


def require(extra: str) -> None:
    """Refuse work that needs an extra which is not installed, before any of it is done.

    Raises:
        MissingExtraError: a library of the extra is missing.
    """
    missing = [library for module, library in EXTRAS[extra].items() if not _is_there(module)]
    if missing:
        raise MissingExtraError(extra, " and ".join(missing))


def extra_of(error: ImportError, arguments: Sequence[str]) -> MissingExtraError | None:
    """Return what to say of an import that failed, if it is a library of an extra.

    Args:
        error: the failed import.
        arguments: the command line. Programs and kernel trees need the same libraries.
    """
    module = (error.name or "").partition(".")[0]
    extras = [extra for extra, modules in EXTRAS.items() if module in modules]
    if not extras:
        return None
    wanted = "run" if "run" in extras and arguments and arguments[0] == "run" else extras[0]
    return MissingExtraError(wanted, EXTRAS[wanted][module])


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
