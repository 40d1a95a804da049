"""Looks for one disagreement again, shrinks the design that shows it, and writes both down."""

from __future__ import annotations

import random
import traceback
from typing import TYPE_CHECKING, Final

from tools.fuzz_designs.judging.configurations import CONFIGURATIONS, Searches
from tools.fuzz_designs.judging.crosschecks import CHECKS
from tools.fuzz_designs.judging.judge import compare, design_of
from tools.fuzz_designs.judging.outcome import Finding
from tools.fuzz_designs.judging.shrink import shrink

from iopermit.translate.frontend.load import load_design
from iopermit.translate.frontend.source import DesignError

if TYPE_CHECKING:
    from pathlib import Path

    from tools.fuzz_designs.generation.case import Case

_STRENGTH: Final = ("states", "reached", "kinds", "verdict")
"""Disagreements of two searches, the telling ones last: a shrunk design may show a better one."""


def again(case: Case, wanted: Finding, index: int) -> Finding | None:
    """Return the same disagreement, or a more telling one, about a case; None if there is none."""
    with design_of(case.source) as file:
        try:
            searches = Searches(load_design(str(file)), case.scenario)
            plain = searches.run("none")
            if wanted.configuration in CONFIGURATIONS and wanted.kind in _STRENGTH:
                made = searches.run(wanted.configuration)
                found = compare(plain, made, garbage=case.scenario.garbage)
                return found if found is not None and _as_good(found, wanted) else None
            if wanted.configuration in CONFIGURATIONS and wanted.kind == "internal":
                searches.run(wanted.configuration)
            for check in CHECKS:
                if check.name in {wanted.kind, wanted.configuration}:
                    text = check.run(searches, plain, random.Random(index))
                    return Finding(wanted.kind, "none", text) if text else None
        except DesignError:
            return None
        except Exception as error:  # noqa: BLE001 - an internal error may be what is looked for
            return _same_error(wanted, error)
    return None


def _as_good(found: Finding, wanted: Finding) -> bool:
    return _STRENGTH.index(found.kind) >= _STRENGTH.index(wanted.kind)


def _same_error(wanted: Finding, error: Exception) -> Finding | None:
    text = "".join(traceback.format_exception(error, limit=-6))
    if wanted.kind != "internal" or _place(text) != _place(wanted.text):
        return None
    return Finding("internal", wanted.configuration, text)


def _place(text: str) -> str:
    """Return the last file and line of a traceback, where the error was raised."""
    places = [line for line in text.splitlines() if line.startswith("  File ")]
    return places[-1] if places else ""


def smaller(case: Case, finding: Finding, index: int, seconds: float) -> tuple[Case, Finding]:
    """Return a smaller case, and the disagreement about it."""
    shrunk = shrink(case, lambda each: again(each, finding, index) is not None, seconds)
    return shrunk, again(shrunk, finding, index) or finding


def describe(case: Case, finding: Finding, label: str) -> str:
    """Return a section of Markdown about a finding."""
    return "\n".join([
        f"## {label}: {finding.kind} ({finding.configuration})",
        "",
        f"{case.about}; `{case.command}`",
        "",
        "```",
        finding.text.strip()[-3000:],
        "```",
        "",
        "```python",
        case.source.strip(),
        "```",
        "",
        "",
    ])  # fmt: skip


def write(file: Path, text: str) -> None:
    """Append a section."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as opened:
        opened.write(text)
