"""Checks a tree with a planted fault, and tells whether the verdict is the right one."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.kernel.faults import unified_diff
from tests.support.kernel.planted.fault import UNDETERMINED
from tests.support.kernel.repaired import require_repaired_tree
from tests.support.kernel.trees import build_cache

from iopermit.engine.control import Control
from iopermit.engine.limits import Limits
from iopermit.kernel.build.builder import build
from iopermit.kernel.build.configuration import CONFIGURATIONS
from iopermit.kernel.check import check_tree
from iopermit.kernel.loading import load_built

if TYPE_CHECKING:
    from tests.support.kernel.planted.fault import PlantedFault

    from iopermit.engine.verdict import Verdict


LIMITS: Final = Limits(timeout=300)


@dataclass(frozen=True)
class PlantedOutcome:
    """What the check says of a tree with a planted fault.

    Attributes:
        version: the kernel's version.
        verdict: violated, holds, or undetermined.
        kind: the kind of violation; else empty.
        function: the function of the line that is blamed; else empty.
        file: the file of that line; else empty.
        line: its text.
        says: the message, or the reason of no verdict.
        states: how many were visited.
        seconds: how long the build and the check took.
    """

    version: str
    verdict: str
    kind: str
    function: str
    file: str
    line: str
    says: str
    states: int
    seconds: float


def outcome_of(fault: PlantedFault, version: str) -> PlantedOutcome:
    """Plant a fault in a repaired tree, and check it."""
    tree, started = require_repaired_tree(version), time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        patch = Path(directory) / "planted.patch"
        patch.write_text(unified_diff(tree, *fault.edits))
        configuration = CONFIGURATIONS[fault.configuration]
        built = build(tree, [patch], cache=build_cache(), configuration=configuration)
        loaded = load_built(built, [patch])
        found = check_tree(loaded, [fault.scenario], control=Control(LIMITS))
    return _outcome(found, loaded.built.version, time.monotonic() - started)


def _outcome(found: Verdict, version: str, seconds: float) -> PlantedOutcome:
    violation = found.violation
    site = violation.site if violation is not None else None
    return PlantedOutcome(
        version,
        found.verdict,
        violation.kind if violation is not None else "",
        site.function if site is not None else "",
        site.file if site is not None else "",
        site.text if site is not None else "",
        violation.message if violation is not None else found.reason,
        found.search.states,
        round(seconds, 1),
    )


def complaint(fault: PlantedFault, outcome: PlantedOutcome) -> str:
    """Return what is wrong with an outcome; empty if it is the right one."""
    found = outcome.kind or outcome.verdict
    if found not in fault.kinds:
        return f"is {found} ({outcome.says}), not {_any(fault.kinds)}"
    if fault.says not in outcome.says:
        return f"says {outcome.says!r}, not {fault.says!r}"
    named = [one for one in fault.functions if f"{one}()" in outcome.says]
    if found == UNDETERMINED and not named:
        return f"names none of {_any(fault.functions)}: {outcome.says}"
    if outcome.kind and fault.functions and outcome.function not in fault.functions:
        return f"blames {outcome.function}(): {outcome.line}; not {_any(fault.functions)}"
    return ""


def _any(names: frozenset[str]) -> str:
    return " or ".join(sorted(names))
