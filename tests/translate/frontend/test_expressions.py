"""Tests what expressions become: values, short circuits, checks of pointers and bounds."""

from pathlib import Path

import pytest
from tests.support.translate.lowering import lowered

from iopermit.system.machine_state import IoMapBase

VALUES = {
    "True": "1",
    "task.count > 1": "(1 lt task.count)",
    "task.count >= 1": "(1 le task.count)",
    "task.count < 1": "(task.count lt 1)",
    "task.count != 1": "(task.count ne 1)",
    "not task.ready": "(task.ready eq 0)",
    "task.map is NULL": "(task.map eq 0)",
    "task.map is not NULL": "(task.map ne 0)",
    "cpu.current is task": "(cpu.current eq (task add 1))",
    "cpu.tss.io_map_base == IoMapBase.VALID": f"(tss.io_map_base eq {IoMapBase.VALID.value})",
    "ports.is_valid()": "(ports ne 0)",
    "self.careful": "1",
    "task.seen == self.globals.last": "(task.seen eq globals.last)",
}
"""Conditions without a statement of their own."""


@pytest.mark.parametrize("text", VALUES)
def test_value(text: str, tmp_path: Path) -> None:
    """A condition becomes one expression over fields."""
    assert lowered(tmp_path, f"task.ready = {text}") == [f"0: task.ready = {VALUES[text]}; -> end"]


PARTS = {
    "and": (
        "task.ready = task.ready and task.privileged",
        "t1 = task.ready; if t1 {t1 = task.privileged}; task.ready = t1",
    ),
    "or": (
        "task.ready = task.ready or task.privileged",
        "t1 = task.ready; if (t1 eq 0) {t1 = task.privileged}; task.ready = t1",
    ),
    "a choice": (
        "task.count = 1 if task.ready else task.count",
        "if task.ready {t1 = 1} else {t1 = task.count}; task.count = t1",
    ),
    "max": (
        "task.count = max(task.count, 1)",
        "if (1 le task.count) {t1 = task.count} else {t1 = 1}; task.count = t1",
    ),
    "min": (
        "task.count = min(task.count, 1)",
        "if (task.count le 1) {t1 = task.count} else {t1 = 1}; task.count = t1",
    ),
    "a difference that may be negative": (
        "task.count = 2 - task.count",
        "task.count = (2 sub task.count)",
    ),
    "a difference that is negative for some values": (
        "task.count = task.count - 1",
        "check (task.count lt 1) 'task.count - 1 is negative'; task.count = (task.count sub 1)",
    ),
}


@pytest.mark.parametrize("case", PARTS)
def test_parts_are_evaluated_as_python_does(case: str, tmp_path: Path) -> None:
    """What Python would not evaluate is not; what may go wrong is checked first."""
    body, expected = PARTS[case]
    assert lowered(tmp_path, body) == [f"0: {expected}; -> end"]


def test_checks_happen_only_where_the_operand_is_evaluated(tmp_path: Path) -> None:
    """A pointer behind `is not NULL and` is followed only if it is none."""
    (only,) = lowered(
        tmp_path, "task.ready = task.map is not NULL and task.map.sequence == task.seen"
    )
    assert only == (
        "0: t1 = (task.map ne 0); if t1 {"
        "check (task.map eq 0) 'null pointer dereference: task.map is NULL'; "
        "check (Map[*task.map].in_use eq 0) 'use after free: task.map was freed'; "
        "t1 = (Map[*task.map].sequence eq task.seen)}; task.ready = t1; -> end"
    )


def test_a_pointer_to_a_task_must_lead_to_one(tmp_path: Path) -> None:
    """Following a pointer to a task's slot that is free is a use after free."""
    (only,) = lowered(tmp_path, "task.ready = cpu.current.ready")
    assert "check (task[*cpu.current].pc eq 0) 'use after free: the task cpu.current" in only


def test_parameters_need_no_checks(tmp_path: Path) -> None:
    """CPU, TSS and task of a hook are there."""
    assert "check" not in lowered(tmp_path, "task.ready = cpu.tss.io_map_base == IoMapBase.ALL")[0]
