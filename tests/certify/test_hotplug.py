"""Tests what the checker of certificates knows of a CPU that comes up again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.certify.certificates import (
    certificate,
    rewrite,
    scenario,
    visited_by_plain_search,
)

from iopermit.certify.checker import certify
from iopermit.certify.errors import UnacceptableError
from iopermit.certify.hotplug import idle_events
from iopermit.system.events import EVENTS, Event
from iopermit.system.events.operations import CPU_OFFLINE, Effect
from iopermit.translate.frontend.load import load_design

if TYPE_CHECKING:
    from iopermit.system.scenario import Scenario

FILE: Final = Path(__file__).parents[1] / "support" / "designs" / "hotplug.py"
MOVING: Final = scenario(2, 2, 1, "ioperm,migrate,cpu-offline")
BOUND: Final = scenario(2, 2, 1, "ioperm,cpu-offline")
LONELY: Final = scenario(2, 1, 1, "ioperm,migrate,cpu-offline")


@pytest.mark.parametrize("bounds", [MOVING, BOUND], ids=["moving", "bound"])
@pytest.mark.parametrize("name", ["Resets", "NeverFills", "WithoutHook", "AllocatesOnce"])
def test_visited_set_is_certified(name: str, bounds: Scenario, tmp_path: Path) -> None:
    """The checker verifies what is visited of designs that bring a CPU up rightly, names apart.

    Two CPUs that allocate at first get different objects.
    """
    states = certificate(tmp_path / "it", f"{FILE}:{name}", bounds)
    result = certify(tmp_path / "it")
    assert result.verified
    assert 0 < result.members <= states


def test_a_design_that_forgets_its_tag_is_refuted(tmp_path: Path) -> None:
    """A set that leaves out the states with the loss is not closed."""
    found = visited_by_plain_search(tmp_path / "it", f"{FILE}:ForgetsTag", LONELY, (), hide=True)
    assert found == {"loss"}
    assert not certify(tmp_path / "it").verified


def test_a_set_without_the_event_is_refuted(tmp_path: Path) -> None:
    """What is visited without CPUs that come up is not closed if they can."""
    few = scenario(2, 1, 1, "ioperm,migrate")
    certificate(tmp_path / "it", f"{FILE}:Resets", few)
    assert certify(tmp_path / "it").verified
    wider = tuple(sorted(event.name for event in LONELY.events))
    rewrite(tmp_path / "it", events=wider)
    assert not certify(tmp_path / "it").verified


def test_what_else_an_idle_cpu_does_is_not_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event of idle CPUs with another effect is one that the checker does not know."""
    design = load_design(f"{FILE}:Resets")
    assert idle_events(design, MOVING) == [Event.CPU_OFFLINE]
    other = replace(CPU_OFFLINE, at_once=(Effect.LOWER_TSS_LIMIT,))
    monkeypatch.setitem(EVENTS, "cpu-offline", replace(Event.CPU_OFFLINE, operation=other))
    with pytest.raises(UnacceptableError, match="does not know what 'cpu-offline' is"):
        idle_events(design, MOVING)
