"""Tests what the language's own operations do: allocation, freeing, counts, sequence numbers."""

from pathlib import Path

from tests.support.translate.lowering import SCENARIO, lower, lowered

from iopermit.system.events import Event
from iopermit.system.scenario import Scenario
from iopermit.translate.model.model import Allocation
from iopermit.translate.model.nodes import Mask

SLOTS = 2 * SCENARIO.tasks
ALLOCATE = "m = self.allocate(Map)\ntask.map = m"


def test_an_allocation_has_an_outcome_for_each_slot_and_failure(tmp_path: Path) -> None:
    """The slot is the outcome; a new object has the defaults of its class; failure gives NULL."""
    first, second = lowered(tmp_path, ALLOCATE)
    assert first == (
        f"0: room (free(Map) eq 0) 'a Map more than the {SLOTS} that the model has room for'; "
        f"if (choice eq {SLOTS}) {{m = 0}} else "
        "{Map[choice].in_use = 1; Map[choice].refcnt = 1; m = (choice add 1)}; -> 1"
    )
    assert second == "1: task.map = m; -> end"


def test_what_an_allocation_takes_is_said_by_its_step(tmp_path: Path) -> None:
    """The step names the slots it may take, and whether it can fail in the scenario."""
    steps, entry, _ = lower(tmp_path, ALLOCATE)
    assert steps[entry].allocation == Allocation(SLOTS, Mask("free", "Map"), can_fail=True)
    assert steps[entry].choices == SLOTS + 1
    sure = SCENARIO.events - {Event.ALLOCATION_FAILS}
    steps, entry, _ = lower(tmp_path, ALLOCATE, Scenario(1, 2, 2, sure))
    assert steps[entry].allocation == Allocation(SLOTS, Mask("free", "Map"), can_fail=False)


def test_beyond_garbage_a_lost_object_makes_room(tmp_path: Path) -> None:
    """Where garbage is no violation, what nothing refers to is cleared and taken again."""
    scenario = Scenario(1, 2, 2, SCENARIO.events, garbage=False)
    steps, entry, _ = lower(tmp_path, ALLOCATE, scenario)
    assert steps[entry].allocation == Allocation(SLOTS, Mask("available", "Map"), can_fail=True)
    first, _ = lowered(tmp_path, ALLOCATE, scenario)
    assert "else {clear Map[choice]; Map[choice].in_use = 1;" in first


def test_freeing_checks_and_clears(tmp_path: Path) -> None:
    """NULL and an object that is free already are crashes; else the slot is zero and free."""
    assert lowered(tmp_path, "self.free(task.map)") == [
        (
            "0: check (task.map eq 0) 'free of NULL: task.map'; "
            "check (Map[*task.map].in_use eq 0) 'double free: task.map'; "
            "clear Map[*task.map]; -> end"
        )
    ]


def test_dropping_a_reference_counts_and_tests_in_one_step(tmp_path: Path) -> None:
    """The count goes down by one, and the step goes on by whether it is zero now."""
    first, second = lowered(
        tmp_path, "if self.refcount_dec_and_test(task.map):\n    task.ready = True"
    )
    assert first.endswith(
        "check (Map[*task.map].refcnt eq 0) 'reference count underflow'; "
        "t1 = (Map[*task.map].refcnt sub 1); Map[*task.map].refcnt = t1; "
        "if (t1 eq 0) {-> 1} else {-> end}"
    )
    assert second == "1: task.ready = 1; -> end"


def test_a_count_that_is_full_is_a_crash(tmp_path: Path) -> None:
    """Counts saturate: what they count is never freed."""
    (only,) = lowered(tmp_path, "task.map.refcnt += 1")
    assert "check (15 lt (Map[*task.map].refcnt add 1)) 'reference count saturated" in only


def test_the_next_number_is_one_that_nothing_holds(tmp_path: Path) -> None:
    """The lowest sequence number that is held nowhere is taken; one too many has no room."""
    (only,) = lowered(tmp_path, "task.seen = self.next_sequence()")
    tried = [part for part in only.split("; ") if part.startswith("if (t2[")]
    numbers = range(len(tried), 0, -1)
    assert tried == [f"if (t2[{n}] eq 0) {{t1 = {n}}}" for n in numbers]
    assert only.startswith("0: t2 = counters(); t1 = 0; ")
    assert f"room (t1 eq 0) 'a number more than the {len(tried)}" in only
    assert only.endswith("task.seen = t1; -> end")


def test_a_number_can_be_forgotten(tmp_path: Path) -> None:
    """A sequence number is 0 again, which is never handed out."""
    (only,) = lowered(tmp_path, "task.seen = 0")
    assert only == "0: task.seen = 0; -> end"
