"""Keeps how checks of trees without patches ended: the next patch is compared with the same tree.

What is kept is found by a hash of everything that decides it, and used only if the user can have
written it (`iopermit.cache`). Checks that a limit or a doubt ended are not kept.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import sys
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

import iopermit
from iopermit.cache.entry import Origin, sealed, unsealed
from iopermit.cache.errors import RejectedError, UntrustedError, explain_once
from iopermit.cache.eviction import trim
from iopermit.cache.files import read_own, write_own
from iopermit.cache.key import sealing_key
from iopermit.kernel.check import examine_tree
from iopermit.kernel.outcome import TreeOutcome
from iopermit.kernel.shelf import kernel_verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.engine.control import Control
    from iopermit.kernel.check import Passed
    from iopermit.kernel.loading import LoadedTree
    from iopermit.system.scenario import Scenario

_LIBRARIES: Final = ("unicorn", "capstone", "pyelftools", "numpy")
"""What executes, decodes and compares for a check."""


def outcome_of(
    tree: LoadedTree, scenarios: Sequence[Scenario], passed: Passed, control: Control
) -> TreeOutcome:
    """Return how the check of a tree ends: from an earlier run, or checked and kept now.

    The arguments and the errors raised are those of `examine_tree`.
    """
    key = cache_key(tree, scenarios, passed, control)
    known = _read(key)
    if known is not None:
        return known
    examined = examine_tree(tree, scenarios, passed, control)
    outcome = TreeOutcome.of(examined)
    if examined.verdict.ending is None and outcome.verdict != "undetermined":
        _write(key, outcome)
    return outcome


def cache_key(
    tree: LoadedTree, scenarios: Sequence[Scenario], passed: Passed, control: Control
) -> str:
    """Return a hash of everything that decides how the check of a tree ends."""
    objects = [_digest(path.read_bytes()) for path in (*tree.built.objects, *tree.built.callers)]
    what = (
        tree.built.made_of,
        # The compiler may have made something else of the same.
        objects,
        # Lines that patches changed are blamed first, and have to be reached.
        (sorted(tree.suspects), sorted(tree.removed)),
        [[_in_order(getattr(one, each.name)) for each in fields(one)] for one in scenarios],
        (sorted(fault.saved() for fault in passed.known), passed.every),
        (control.limits.max_states, control.limits.max_memory, control.limits.timeout),
    )
    return _digest(repr(what).encode())


def _in_order(value: object) -> object:
    """Return a bound of a scenario; its events by name, in one order."""
    return sorted(event.name for event in value) if isinstance(value, frozenset) else value


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@functools.cache
def toolchain() -> str:
    """Return a hash of what checks a tree: iopermit's own code, and what it rests on."""
    total = hashlib.sha256(sys.version.encode())
    for library in _LIBRARIES:
        total.update(f"{library} {version(library)}\0".encode())
    folder = Path(iopermit.__file__).parent
    for file in sorted(folder.rglob("*.py")):
        total.update(f"{file.relative_to(folder)}\0".encode())
        total.update(file.read_bytes())
    return total.hexdigest()


def _read(key: str) -> TreeOutcome | None:
    """Return what is kept under a key, or None if there is nothing that can be used."""
    try:
        file = kernel_verdicts().ready(create=False) / key
        content = unsealed(read_own(file), _origin(key), sealing_key())
    except (UntrustedError, RejectedError) as error:
        explain_once(error, f"a kept verdict ({key})")
        return None
    except OSError:
        return None
    with contextlib.suppress(OSError):
        os.utime(file)
    return TreeOutcome.from_saved(content)


def _write(key: str, outcome: TreeOutcome) -> None:
    """Keep an outcome if possible; a full or read-only disk only costs time."""
    try:
        shelf = kernel_verdicts()
        directory = shelf.ready()
        write_own(directory / key, sealed(outcome.saved(), _origin(key), sealing_key()))
    except UntrustedError as error:
        explain_once(error)
    except OSError:
        return
    else:
        trim(directory, shelf.limit, directories=False)


def _origin(key: str) -> Origin:
    return Origin("verdict about a kernel tree", key, toolchain())
