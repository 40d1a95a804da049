"""Calls that have to be made, looked for in object code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.kernel.compiling import compiled

from iopermit.kernel.conformance.broken import BrokenRule
from iopermit.kernel.conformance.obligations import OBLIGATIONS, check_obligations

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CALLS = {
    "directly": "void do_exit(void *task) { exit_thread(task); }",
    "by a function that stays": """
        static __attribute__((noinline)) void thread(void *task) { exit_thread(task); }
        void do_exit(void *task) { thread(task); }
    """,
    "by a function that is inlined": """
        static inline __attribute__((always_inline)) void thread(void *t) { exit_thread(t); }
        void do_exit(void *task) { thread(task); }
    """,
    "in a part that is split off": """
        extern void panic(void) __attribute__((noreturn, cold));
        void do_exit(void *task) { if (!task) panic(); exit_thread(task); }
    """,
}


def exit_object(require: Callable[[str], Path], directory: Path, source: str) -> Path:
    """Return kernel/exit.o, compiled of C."""
    (directory / "kernel").mkdir()
    source = f"extern void exit_thread(void *), nothing(void);\n{source}"
    return compiled(directory / "kernel", source, "exit", gcc=require("gcc"))


@pytest.mark.parametrize("how", CALLS)
def test_a_call_is_found_however_it_is_made(
    require: Callable[[str], Path], tmp_path: Path, how: str
) -> None:
    """Directly, by a local function, inlined, or beside a cold part: the obligation is kept."""
    path = exit_object(require, tmp_path, CALLS[how])
    others = {one.what for one in OBLIGATIONS} - {"the end of a task"}
    assert set(check_obligations([path])) == others


def test_a_missing_call_is_a_broken_rule(require: Callable[[str], Path], tmp_path: Path) -> None:
    """A function of the object that makes the call, but is not reached, does not help."""
    source = "void other(void *t) { exit_thread(t); }\nvoid do_exit(void *t) { nothing(); }"
    path = exit_object(require, tmp_path, source)
    with pytest.raises(BrokenRule, match="exit_thread") as broken:
        check_obligations([path])
    assert (broken.value.kind, broken.value.function) == ("rule", "do_exit")


def test_what_is_not_there_is_named(require: Callable[[str], Path], tmp_path: Path) -> None:
    """An object without the caller cannot be checked, and that is said."""
    path = exit_object(require, tmp_path, "void elsewhere(void) { nothing(); }")
    assert "the end of a task" in check_obligations([path])
