"""Tests that operations on bitmaps take a step for their arguments and one for each long."""

from pathlib import Path

import pytest
from tests.support.translate.lowering import lower, lowered

NEXT = "if ((long add 1) lt 2) {long = (long add 1); -> 1} else {-> end}"
"""The end of the step for one long of two."""

OPERATIONS = {
    "fill denies long by long": (
        "cpu.tss.bitmap.fill()",
        ["0: long = 0; -> 1", f"1: tss.bitmap = tss.bitmap with [long] = 1; {NEXT}"],
    ),
    "fill may stop earlier": (
        "cpu.tss.bitmap.fill(1)",
        [
            "0: long = 0; -> 1",
            (
                "1: tss.bitmap = tss.bitmap with [long] = 1; "
                "if ((long add 1) lt 1) {long = (long add 1); -> 1} else {-> end}"
            ),
        ],
    ),
    "a copy of no longs is one step": ("cpu.tss.bitmap.copy_from(task.own, 0)", ["0: -> end"]),
    "a copy of all longs": (
        "cpu.tss.bitmap.copy_from(task.own)",
        ["0: long = 0; -> 1", f"1: tss.bitmap = tss.bitmap with [long] = task.own[long]; {NEXT}"],
    ),
    "change touches the longs of the ports": (
        "task.own.change(ports, turn_on)",
        [
            "0: long = 0; -> 1",
            "1: if ports[long] {task.own = task.own with [long] = (turn_on xor 1)}; " + NEXT,
        ],
    ),
    "extent finds the last long with a clear bit": (
        "x = task.own.extent()\ntask.longs = x",
        [
            "0: last = 0; long = 0; -> 1",
            (
                "1: if task.own[long] {} else {if (last le long) {last = (long add 1)}}; "
                "if ((long add 1) lt 2) {long = (long add 1); -> 1} else {x = last; -> 2}"
            ),
            "2: task.longs = x; -> end",
        ],
    ),
}


@pytest.mark.parametrize("case", OPERATIONS)
def test_operation(case: str, tmp_path: Path) -> None:
    """An operation becomes the steps that its name says."""
    body, expected = OPERATIONS[case]
    assert lowered(tmp_path, body) == expected


def test_a_length_is_read_once(tmp_path: Path) -> None:
    """A length that is not constant is kept when the copy begins; none copies nothing."""
    first, second = lowered(tmp_path, "cpu.tss.bitmap.copy_from(task.own, task.longs)")
    assert first == "0: end = task.longs; long = 0; if (task.longs ne 0) {-> 1} else {-> end}"
    assert second.endswith("if ((long add 1) lt end) {long = (long add 1); -> 1} else {-> end}")


def test_the_address_of_a_bitmap_is_kept(tmp_path: Path) -> None:
    """A bitmap on the heap is found once; each step makes sure that it is still there."""
    first, second = lowered(tmp_path, "cpu.tss.bitmap.copy_from(task.map.bitmap)")
    assert first.endswith("from = (*task.map add 1); long = 0; -> 1")
    assert second.startswith("1: check (Map[*from].in_use eq 0) 'use after free: ")
    assert "tss.bitmap with [long] = Map[*from].bitmap[long]" in second


def test_only_the_step_of_a_long_is_counted(tmp_path: Path) -> None:
    """The steps of an operation end after a number of turns that is known at its start."""
    steps, entry, _ = lower(tmp_path, "cpu.tss.bitmap.fill()")
    assert [step.counted for step in steps.values()] == [False, True]
    assert not steps[entry].counted
