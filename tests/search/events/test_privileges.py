"""Tests that no task gains ports by a call without CAP_SYS_RAWIO, in every reading."""

import re
from pathlib import Path
from typing import ClassVar, Final

import pytest
from tests.support.certify.exploring import explore

from iopermit.certify.errors import Refuted
from iopermit.designs import designs
from iopermit.search.check import check_once
from iopermit.search.problem import Problem, Settings
from iopermit.system.events import Event
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.reductions import NO_REDUCTIONS, Reductions
from iopermit.translate.frontend.load import load_design

DESIGNS: Final = Path(__file__).parents[2] / "support" / "designs" / "privileges.py"
CALLS: Final = frozenset({Event.IOPERM, Event.IOPL})
DROPPED: Final = Scenario(1, 2, 1, CALLS | {Event.DROP_PRIVILEGE})
WRONG: Final = ("ForEverybody", "LevelForEverybody")
RIGHT: Final = ("Governed", "Ungoverned")


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("reductions", [Reductions(), NO_REDUCTIONS], ids=["on", "off"])
def test_a_gain_without_privilege_is_a_leak(name: str, reductions: Reductions) -> None:
    """The search finds it, full size confirms it, and the statement is one of the call."""
    design = load_design(f"{DESIGNS}:{name}")
    violation = check_once(Problem(design, DROPPED, Settings(reductions))).violation
    assert violation is not None
    assert violation.kind == "leak"
    assert re.fullmatch(r"task [AB] gained ports 0-65535 without CAP_SYS_RAWIO", violation.message)
    assert violation.site is not None
    assert violation.site.function == ("iopl" if name == "LevelForEverybody" else "ioperm")
    assert violation.needs_privilege is False


@pytest.mark.parametrize("name", [*WRONG, *RIGHT])
def test_who_has_the_privilege_may_gain_ports(name: str) -> None:
    """As long as nobody drops the privilege, none of the designs is wrong."""
    design = load_design(f"{DESIGNS}:{name}")
    assert check_once(Problem(design, Scenario(1, 2, 1, CALLS))).verdict == "holds"


@pytest.mark.parametrize("name", RIGHT)
def test_a_check_or_a_kernel_without_the_rule_holds(name: str) -> None:
    """A design that asks for the privilege holds, and so does one whose kernel has none."""
    design = load_design(f"{DESIGNS}:{name}")
    assert check_once(Problem(design, DROPPED)).verdict == "holds"
    assert explore(design, DROPPED)[0] > 10


@pytest.mark.parametrize("name", WRONG)
def test_the_checker_of_certificates_has_the_rule(name: str) -> None:
    """It refutes what gains ports without the privilege."""
    with pytest.raises(Refuted, match=r"leak: .* without CAP_SYS_RAWIO"):
        explore(load_design(f"{DESIGNS}:{name}"), DROPPED)


def test_what_was_granted_before_is_no_gain() -> None:
    """Without the privilege ports can be given back, and levels be lowered or kept."""
    design = load_design(f"{DESIGNS}:Governed")
    verdict = check_once(Problem(design, DROPPED))
    assert "drop-privilege" not in verdict.uncovered.events
    assert not [site for site in verdict.uncovered.statements if "EPERM" in site.text]


def test_linux_5_4_forgets_the_level_of_iopl_at_exec() -> None:
    """Judged by the rule, iopl() gives a level again that execve() took away (findings.md)."""

    class Judged(designs()["linux-5.4"]):  # type: ignore[misc]  # a class found at run time
        id = "judged"
        iopl_needs_privilege: ClassVar[bool] = True

    events = DROPPED.events | {Event.EXEC}
    verdict = check_once(Problem(Judged, Scenario(1, 1, 1, events)))
    assert verdict.violation is not None
    assert verdict.violation.without_privilege
    happened = [step.event for step in verdict.trace or () if step.is_event]
    assert sorted(happened) == ["drop-privilege", "exec", "iopl", "iopl"]
