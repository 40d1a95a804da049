"""Tests of iopermit.cli.scenario: what the options of a scenario mean."""

import pytest

from iopermit.cli.errors import BadInputError
from iopermit.cli.scenario import memory_size, scenario
from iopermit.system.events import Event, all_events, plain_events
from iopermit.system.scenario import Scenario


def test_without_options_nothing_is_fixed() -> None:
    """Without options the ladder of scenarios is searched."""
    assert scenario(None, None, None, None, None) is None


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ((["plain"], None, None, None, None), Scenario(2, 3, 2, plain_events())),
        ((["all"], None, None, None, None), Scenario(2, 3, 2, all_events())),
        ((None, None, 1, None, None), Scenario(1, 3, 2, all_events())),
        ((None, None, None, 2, 1), Scenario(2, 2, 1, all_events())),
        ((None, ["vm-exit"], None, None, None), Scenario(events=all_events() - {Event.VM_EXIT})),
        ((["plain, vm-exit"], ["fork"], None, None, None),
         Scenario(events=plain_events() - {Event.FORK} | {Event.VM_EXIT})),
        ((["plain", "vm-exit"], ["fork", "exit,exec"], None, None, None),
         Scenario(events=plain_events() - {Event.FORK, Event.EXIT, Event.EXEC} | {Event.VM_EXIT})),
        (([], [], 1, None, None), Scenario(1, 3, 2, all_events())),
        ((["ioperm,exit"], None, None, None, None),
         Scenario(events=frozenset({Event.IOPERM, Event.EXIT}))),
    ],
)  # fmt: skip
def test_options_fix_a_scenario(
    options: tuple[list[str] | None, list[str] | None, int | None, int | None, int | None],
    wanted: Scenario,
) -> None:
    """One option fixes the scenario; what is not given is the default: 2, 3, 2 and all events."""
    assert scenario(*options) == wanted


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((["frok"], None, None, None, None), "did you mean fork?"),
        ((["zzz"], None, None, None, None), "the events: all, plain, ioperm, "),
        ((None, ["all"], None, None, None), "no event is left"),
        ((None, None, 0, None, None), "1 to 4 CPUs, not 0"),
        ((None, None, None, 7, None), "1 to 6 tasks, not 7"),
        ((None, None, None, None, 33), "1 to 32 longs, not 33"),
    ],
)
def test_senseless_options_are_refused(
    options: tuple[list[str] | None, list[str] | None, int | None, int | None, int | None],
    message: str,
) -> None:
    """Options that make no sense are refused with what would."""
    with pytest.raises(BadInputError, match=message):
        scenario(*options)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1000000", 1000000),
        ("2G", 2 << 30),
        ("512m", 512 << 20),
        ("1.5 GiB", 3 << 29),
        (None, None),
    ],
)
def test_memory_sizes(text: str | None, size: int | None) -> None:
    """Amounts of memory are bytes, or have a binary unit."""
    assert memory_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1G", "0", "two", "1X"])
def test_senseless_sizes_are_refused(text: str) -> None:
    """What is no positive amount of memory is refused with an example."""
    with pytest.raises(BadInputError, match="write for example 2G or 512M"):
        memory_size(text)
