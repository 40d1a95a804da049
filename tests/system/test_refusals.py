"""Tests of the count of refusals in a row that a handler of #GP says "again" about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.system.driving import ALL_ON, finish, make

from iopermit.designs import find
from iopermit.system.execution import Action, Mode, action
from iopermit.system.specification import finding
from iopermit.translate.frontend.load import load_design

if TYPE_CHECKING:
    from iopermit.system.simulation import System

DESIGNS: Final = Path(__file__).parents[1] / "support" / "designs" / "livelocks.py"
GRANT: Final = action(0, "ioperm", first=0, end=1, turn_on=1)
AGAIN: Final = action(0, "fault", granted=1)


def refused(name: str, times: int, **bounds: int) -> System:
    """Return a system in which the first task was granted the first long and refused it."""
    system = make(load_design(f"{DESIGNS}:{name}"), **bounds)  # type: ignore[arg-type]  # bounds only
    for event in [GRANT, *[AGAIN] * times]:
        finish(system, event)
    return system


def test_a_row_counts_up_to_the_most_that_matter() -> None:
    """With two longs the fourth "again" in a row is a possible livelock, and the fifth no more."""
    counts = [refused("NeverRepairs", times).threads[0].refusals for times in range(6)]
    assert counts == [0, 1, 2, 3, 4, 4]
    assert finding(refused("NeverRepairs", 3)) is None
    found = finding(refused("NeverRepairs", 4))
    assert found is not None
    assert (found.kind, found.livelock, found.ports) == ("loss", True, ((0, 63),))


@pytest.mark.parametrize(
    "event",
    [
        action(0, "fault", granted=0),
        action(0, "ioperm", first=1, end=2, turn_on=1),
        action(0, "exec"),
        action(0, "drop-privilege"),
        action(0, "switch", following=1),
    ],
    ids=lambda event: event.event,
)
def test_everything_else_ends_a_row(event: Action) -> None:
    """Another event of the task, or a switch away from it, makes the count 0."""
    system = refused("NeverRepairs", 2)
    assert system.threads[0].refusals == 2
    finish(system, event)
    assert system.threads[0].refusals == 0


def test_a_switch_in_the_handler_ends_a_row() -> None:
    """A task that is preempted in the handler has no refusal behind it when it comes back."""
    system = refused("NeverRepairs", 2)
    system.apply(AGAIN)
    assert system.threads[0].refusals == 3
    finish(system, action(0, "switch", following=1))
    finish(system, action(0, "switch", following=0))
    assert system.threads[0].mode is Mode.USER
    assert system.threads[0].refusals == 0


def test_a_repaired_refusal_is_none() -> None:
    """In user mode the count is 0 if nothing that was granted is refused, before any event."""
    assert refused("Repairs", 1).threads[0].refusals == 0
    tried = refused("SecondTry", 1)
    assert tried.threads[0].refusals == 1
    finish(tried, AGAIN)
    assert tried.threads[0].refusals == 0


def test_what_the_way_back_does_is_counted_behind_it() -> None:
    """What the hook of the way back repairs counts as repaired, and what it spoils does not."""
    assert refused("LoadsOnTheWay", 1).threads[0].refusals == 0
    assert refused("Spoils", 3).threads[0].refusals == 3


def test_a_child_begins_with_none() -> None:
    """A row belongs to the task that is refused: a child has none of it."""
    system = refused("NeverRepairs", 2, tasks=3)
    finish(system, action(0, "switch", following=2))
    finish(system, action(0, "exit"))
    finish(system, action(0, "switch", following=0))
    for event in (AGAIN, AGAIN, action(0, "fork", child=2)):
        finish(system, event)
    assert system.threads[2].mode is Mode.USER
    assert [thread.refusals for thread in system.threads] == [0] * len(system.threads)


def test_the_entry_of_user_mode_cannot_be_preempted() -> None:
    """Interrupts are off in the step in which a row may end behind a hook of the way back."""
    system = refused("Spoils", 1)
    system.apply(AGAIN)
    thread = system.threads[0]
    while thread.positions[-1].function != "the task enters user mode":
        system.apply(Action(0, "step"))
    assert not thread.preemptible


def test_designs_without_a_handler_have_no_such_step() -> None:
    """The way back of a design without a handler ends with its hook."""
    system = make(find("linux-5.5"))
    system.apply(ALL_ON)
    seen = []
    while system.threads[0].mode is Mode.KERNEL:
        seen.append(system.threads[0].positions[-1].function)
        system.apply(Action(0, "step"))
    assert "return to user mode: interrupts off" in seen
    assert "the task enters user mode" not in seen
