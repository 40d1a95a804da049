"""Tests of iopermit.report.timeline: many atomic steps in the few lines that tell the story."""

from tests.support.report.schedules import Recorder

from iopermit.report.timeline import TimelineRow, timeline
from iopermit.system.events import Event
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.scenario import Scenario


def recorder(design: str, *, cpus: int = 1, tasks: int = 3) -> Recorder:
    """Return a recorder for a scenario of two longs and all events."""
    return Recorder(design, Scenario(cpus, tasks, 2, ALL_EVENTS))


def rows(recorded: Recorder) -> list[TimelineRow]:
    """Return the lines about what was recorded."""
    return timeline(recorded.trace)


def told(recorded: Recorder) -> list[tuple[str, str, str, str]]:
    """Return who, what, base and clear bits of every line."""
    return [(row.who, row.what, row.base, row.clear) for row in rows(recorded)]


def test_refused_call_names_the_error() -> None:
    """A system call that fails is one line with the name of the error, and grants nothing."""
    system = recorder("linux-v2-06")
    system.run(0, "drop-privilege")
    system.run(0, "ioperm", first=0, end=2, turn_on=1)
    assert told(system)[1:] == [
        ("A", "ioperm(0, 65536, 1): fails with EPERM", "past limit", "none")
    ]


def test_invalid_range_fails() -> None:
    """The invalid range of the scenario is refused with EINVAL."""
    system = recorder("linux-v2-06")
    system.run(0, "ioperm", first=0, end=0, turn_on=1)
    assert told(system)[0][1] == "ioperm(0, 0, 1): fails with EINVAL"


def test_revoked_ports_are_taken_away() -> None:
    """A call of ioperm with 0 takes ports from the task."""
    system = recorder("linux-5.4")
    system.run(0, "ioperm", first=0, end=2, turn_on=1)
    system.run(0, "ioperm", first=0, end=1, turn_on=0)
    assert told(system)[1][1:] == (
        "ioperm(128, 1, 0): takes port 128 from A",
        "valid",
        "0-127, 129-65535",
    )


def test_own_ports_are_not_called_stale() -> None:
    """After a switch back the ports of the running task are its own again."""
    system = recorder("linux-5.4")
    system.run(0, "ioperm", first=0, end=2, turn_on=1)
    system.run(0, "switch", following=1)
    system.run(0, "switch", following=0)
    assert [row.clear for row in rows(system)] == ["0-65535", "none", "0-65535"]


def test_child_inherits_what_its_parent_was_granted() -> None:
    """The ports of a parent are the child's own after fork, not stale."""
    system = recorder("linux-5.4", tasks=3)
    system.run(0, "switch", following=1)
    system.run(0, "exit")
    system.run(0, "switch", following=0)
    system.run(0, "ioperm", first=0, end=2, turn_on=1)
    system.run(0, "fork", child=1)
    assert told(system)[-1][1] == "fork(): the child is B"
    system.run(0, "switch", following=1)
    assert told(system)[-1] == ("A to B", "switch_to(): copies all 8192 bytes", "valid", "0-65535")


def test_preempted_call_is_told_in_two_parts() -> None:
    """A preempted system call ends its line, and goes on in another one after the switch back."""
    system = recorder("linux-v2-06", tasks=2)
    system.start(0, "ioperm", first=0, end=2, turn_on=1)
    for _ in range(14):
        system.step(0)
    system.run(0, "switch", following=1)
    system.run(0, "switch", following=0)
    first, _, _, last = rows(system)
    assert first.what == "ioperm(0, 65536, 1): base becomes valid, preempted after v2_06.py:84"
    assert last.what == "ioperm(): copies all 8192 bytes, returns"


def test_leftovers_of_a_dead_task_have_no_owner() -> None:
    """Ports that an exited task left in the map are stale, but nobody's."""
    system = recorder("linux-v2-06", tasks=2)
    system.run(0, "ioperm", first=0, end=2, turn_on=1)
    system.run(0, "exit")
    system.run(0, "switch", following=1)
    assert rows(system)[-1].clear == "0-65535 (stale)"


def test_every_cpu_has_its_own_tss() -> None:
    """Each line shows the TSS of the CPU that acts."""
    system = recorder("linux-v2-06", cpus=2)
    system.run(0, "ioperm", first=0, end=2, turn_on=1)
    system.run(1, "iopl", level=3)
    assert [(row.cpu, row.who, row.base, row.clear) for row in rows(system)] == [
        (0, "A", "valid", "0-65535"),
        (1, "B", "past limit", "none"),
    ]


def test_return_to_user_mode_is_told_where_it_changes_the_tss() -> None:
    """In v5.5 the base becomes valid again on the way to user mode, not in the switch."""
    system = recorder("linux-5.5", tasks=2)
    system.run(0, "ioperm", first=0, end=2, turn_on=1)
    system.run(0, "switch", following=1)
    system.run(0, "switch", following=0)
    assert rows(system)[-1].what == "return to user mode: base is valid again"


def test_lazy_base_is_told() -> None:
    """The bases of 2.6.10 that are past the limit both are told apart."""
    system = recorder("linux-2.6.10", tasks=2)
    system.run(0, "ioperm", first=0, end=2, turn_on=1)
    system.run(0, "switch", following=1)
    system.run(0, "switch", following=0)
    system.run(0, "fault", granted=1)
    assert [(row.what.partition(": ")[2], row.base) for row in rows(system)[1:]] == [
        ("base stays past the TSS limit", "past limit"),
        ("base marks a lazy load", "lazy"),
        ("copies all 8192 bytes, base becomes valid", "valid"),
    ]


def test_vm_exit_shows_the_low_limit_until_it_is_repaired() -> None:
    """A VM exit lowers the cached limit; TR is reloaded at the switch to a task with a map."""
    system = recorder("linux-5.4", tasks=2)
    system.run(0, "ioperm", first=0, end=2, turn_on=1)
    system.run(0, "switch", following=1)
    system.run(0, "vm-exit")
    system.run(0, "switch", following=0)
    _, _, lowered, repaired = rows(system)
    assert (lowered.base, repaired.base) == ("valid, limit 0x67", "valid")
    assert "reloads TR" in repaired.what


def offline() -> Recorder:
    """Return the story of a CPU that comes up, with a call of a task on another in between."""
    events = frozenset({Event.IOPERM, Event.MIGRATE, Event.CPU_OFFLINE})
    system = Recorder("linux-5.8", Scenario(2, 2, 2, events))
    system.run(1, "switch", following=2)
    system.start(1, "cpu-offline")
    system.step(1)
    system.run(0, "ioperm", first=0, end=2, turn_on=1)
    system.finish(1)
    return system


def test_a_cpu_that_comes_up_again_is_named() -> None:
    """The event names the CPU; what comes later of it is told as the hook that runs."""
    idle = [(r.cpu, r.what) for r in rows(offline()) if r.who == "idle"]
    assert idle == [(1, "CPU 1 goes down and comes up again"), (1, "bring_up(): returns")]
