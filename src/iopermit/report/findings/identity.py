"""The identity of a finding: the same in every run as long as the fault is the same."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from iopermit.report.findings.source_root import SourceRoot
from iopermit.report.words import subject

if TYPE_CHECKING:
    from iopermit.engine.verdict import Verdict
    from iopermit.system.site import Site

_DIGITS: Final = 16
"""Hexadecimal digits of an identity: enough for the findings of one project."""
PORT_CALLS: Final = "arch/x86/kernel/ioport.c"
"""Where ioperm() and iopl() are in every tree: the place of what has no place of its own."""


def finding_id(verdict: Verdict) -> str:
    """Return what identifies the fault of a verdict, as 16 hexadecimal digits.

    It rests on the kind, the design with its options, and the statement that lets it happen: file,
    function and text. Ports, line numbers, the scenario and the place of the checkout do not
    matter.
    """
    site = place_of(verdict)
    kind = verdict.violation.kind if verdict.violation is not None else verdict.verdict
    facts = [kind, subject(verdict), SourceRoot(verdict).relative(file_of(verdict))[1]]
    if site is not None:
        facts += [site.function, " ".join(site.text.split())]
    elif verdict.violation is not None and verdict.violation.kind == "rule":
        # A broken rule is no state: its message is all that tells it from others.
        facts.append(verdict.violation.message)
    return hashlib.sha256("\0".join(facts).encode("utf-8", "backslashreplace")).hexdigest()[
        :_DIGITS
    ]


def place_of(verdict: Verdict) -> Site | None:
    """Return the statement to show a violation at: the one to blame, else the last one executed."""
    if verdict.violation is None:
        return None
    executed = [step.source for step in verdict.trace or () if step.source is not None]
    return verdict.violation.site or (executed[-1] if executed else None)


def file_of(verdict: Verdict) -> str:
    """Return the file that a verdict is shown at; of a tree, relative to the tree."""
    site = place_of(verdict)
    if site is not None:
        return site.file
    return verdict.design_file if verdict.kernel is None else PORT_CALLS
