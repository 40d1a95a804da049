"""By what a statement stores the debugger recognises that it was executed."""

from __future__ import annotations

import pytest

from iopermit.engine.trace import SelectedMap, TraceStep, TssState
from iopermit.reproduce.left_state import LeftState, left_state
from iopermit.system.site import Site

TSS = TssState(SelectedMap.VALID, (), limit_low=False)


def steps(*statements: str) -> list[TraceStep]:
    """Return steps that execute these statements."""
    sites = [Site("design.py", 1, 0, text, "ioperm") for text in statements]
    return [
        TraceStep(number=n, cpu=0, task="A", before=TSS, tss=(TSS,), source=site)
        for n, site in enumerate(sites, 1)
    ]


@pytest.mark.parametrize(
    ("statements", "state"),
    [
        (["cpu.current.tif_io_bitmap = False"], LeftState.FLAG_CLEARED),
        (["tsk.io_bitmap = NULL", "if tsk is cpu.current:"], LeftState.MAP_DROPPED),
        (["tsk.io_bitmap = NULL", "iobm = tsk.io_bitmap"], LeftState.MAP_DROPPED),
        (["clear_tsk_thread_flag(tsk, TIF_IO_BITMAP);", "}"], LeftState.FLAG_CLEARED),
        (["clear_thread_flag(TIF_IO_BITMAP);"], LeftState.FLAG_CLEARED),
        (["t->io_bitmap = NULL;"], LeftState.MAP_DROPPED),
        (["tsk->thread.io_bitmap = NULL;", "if (tsk == current)"], LeftState.MAP_DROPPED),
    ],
)
def test_what_is_stored_last_counts(statements: list[str], state: LeftState) -> None:
    """Statements behind it that only look, or store in local variables, do not matter."""
    found, text = left_state(steps(*statements))
    assert found is state
    assert text == statements[0]


@pytest.mark.parametrize(
    "statement",
    [
        "task.tif_io_bitmap = True",
        "iobm.max = longs",
        "self.free(iobm)",
        "iobm.refcnt -= 1",
        "refcount_set(&iobm->refcnt, 1);",
        "a == b",
    ],
)
def test_what_the_debugger_cannot_see_is_named(statement: str) -> None:
    """A statement that stores something else is no state, and is named, whatever came before."""
    found, text = left_state(steps("cpu.current.tif_io_bitmap = False", statement))
    assert found is None
    assert text == statement


def test_where_nothing_is_stored_there_is_no_state() -> None:
    """Before anything is stored there is neither a state nor a statement."""
    assert left_state(steps("if not ports.is_valid():", "longs = 0")) == (None, "")
