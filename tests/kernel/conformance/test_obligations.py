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


def objects(
    require: Callable[[str], Path], directory: Path, sources: dict[str, str]
) -> tuple[Path, ...]:
    """Return objects, compiled of C, by their paths below a tree."""
    made = []
    for path, source in sources.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        made.append(compiled(target.parent, source, target.stem, gcc=require("gcc")))
    return tuple(made)


UPDATE = "void native_tss_update_io_bitmap(void) { }"
SYSTEM_CALL = "extern void native_tss_update_io_bitmap(void), nothing(void);\n"


def test_a_call_is_looked_for_where_this_generation_makes_it(
    require: Callable[[str], Path], tmp_path: Path
) -> None:
    """Without the generic function do_syscall_64() has to update the map itself, inlined or not."""
    sources = {
        "arch/x86/kernel/process.o": UPDATE,
        "kernel/entry/common.o": "void other(void) { }",
        "arch/x86/entry/syscall_64.o": SYSTEM_CALL
        + "void do_syscall_64(void) { native_tss_update_io_bitmap(); }",
    }
    assert "the exit to user mode" not in check_obligations(objects(require, tmp_path, sources))
    sources["arch/x86/entry/syscall_64.o"] = SYSTEM_CALL + "void do_syscall_64(void) { nothing(); }"
    with pytest.raises(BrokenRule, match=r"do_syscall_64\(\) does not call") as broken:
        check_obligations(objects(require, tmp_path, sources))
    assert broken.value.function == "do_syscall_64"


def test_a_call_is_looked_for_by_each_name_that_the_function_had(
    require: Callable[[str], Path], tmp_path: Path
) -> None:
    """Before Linux 5.6 it was tss_update_io_bitmap(), and interrupts had to call it as well."""
    call = "extern void tss_update_io_bitmap(void), nothing(void);\n"
    sources = {
        "arch/x86/kernel/process.o": "void tss_update_io_bitmap(void) { }",
        "arch/x86/entry/iopermit_entry.o": call
        + "void prepare_exit_to_usermode(void) { tss_update_io_bitmap(); }",
    }
    what = "the exit of an interrupt to user mode"
    assert what not in check_obligations(objects(require, tmp_path, sources))
    sources["arch/x86/entry/iopermit_entry.o"] = (
        call + "void prepare_exit_to_usermode(void) { nothing(); }"
    )
    with pytest.raises(BrokenRule, match=r"prepare_exit_to_usermode\(\) does not call"):
        check_obligations(objects(require, tmp_path, sources))


def test_nothing_is_owed_where_there_is_nothing_to_call(
    require: Callable[[str], Path], tmp_path: Path
) -> None:
    """Where the switch does all the work, the exit to user mode need not do any."""
    sources = {
        "arch/x86/kernel/process.o": "void exit_thread(void) { }",
        "arch/x86/entry/iopermit_entry.o": SYSTEM_CALL + "void do_syscall_64(void) { nothing(); }",
    }
    unchecked = check_obligations(objects(require, tmp_path, sources))
    assert not any("exit" in what and "user mode" in what for what in unchecked)


def test_what_the_shim_executes_is_not_looked_at(
    require: Callable[[str], Path], tmp_path: Path
) -> None:
    """A cpu_init() that is executed as a whole may set the map up in whatever way it likes."""
    name, head = "arch/x86/kernel/cpu/iopermit_cpu.o", "extern void set_up(void);\n"
    body = "void cpu_init(void) { set_up(); }\n"
    executed = head + body + "void iopermit_bring_up(int cpu) { cpu_init(); }"
    made = objects(require, tmp_path, {name: executed})
    assert "the set-up of a CPU" not in check_obligations(made)
    made = objects(require, tmp_path, {name: head + body + "void iopermit_bring_up(int c) { }"})
    with pytest.raises(BrokenRule, match=r"cpu_init\(\) does not call tss_setup_io_bitmap"):
        check_obligations(made)


OPERATIONS = """
struct operations { void *others[3]; void (*update)(void); void (*another)(void); };
extern struct operations pv_ops;
extern void native_tss_update_io_bitmap(void), nothing(void);
"""
ADDRESSED = {
    "relative to the instruction": 'asm volatile("call *pv_ops+%c0(%%rip)" :: "i"(24));',
    "absolute": 'asm volatile("call *pv_ops+%c0" :: "i"(24));',
}
ELSEWHERE = {
    "natively": "native_tss_update_io_bitmap();",
    "another operation": 'asm volatile("call *pv_ops+32(%rip)");',
    "only looked at": 'asm volatile("cmpq $0, pv_ops+24(%rip)");',
}


def guest(require: Callable[[str], Path], directory: Path, body: str) -> tuple[Path, ...]:
    """Return the objects of a guest in which a system call returns to user mode in some way."""
    sources = {
        "arch/x86/kernel/process.o": UPDATE,
        "arch/x86/entry/syscall_64.o": f"{OPERATIONS}void do_syscall_64(void) {{ {body} }}",
    }
    return objects(require, directory, sources)


@pytest.mark.parametrize("how", ADDRESSED)
def test_a_guest_calls_the_operation(
    require: Callable[[str], Path], tmp_path: Path, how: str
) -> None:
    """The call through its place in pv_ops is found in the object code, however it is written."""
    made = guest(require, tmp_path, ADDRESSED[how])
    assert "the exit to user mode" not in check_obligations(made, 24)
    with pytest.raises(BrokenRule, match=r"does not call native_tss_update_io_bitmap\(\), which"):
        check_obligations(made)


@pytest.mark.parametrize("how", ELSEWHERE)
def test_a_guest_that_does_not_call_it_breaks_the_rule(
    require: Callable[[str], Path], tmp_path: Path, how: str
) -> None:
    """Code that updates the TSS alone, or uses another place of the table, tells Xen nothing."""
    made = guest(require, tmp_path, ELSEWHERE[how])
    with pytest.raises(BrokenRule, match=r"the operation pv_ops\.cpu\.update_io_bitmap") as broken:
        check_obligations(made, 24)
    assert broken.value.function == "do_syscall_64"
