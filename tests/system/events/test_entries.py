"""Tests of operations as the simulation executes them (src/iopermit/system/events/entries.py)."""

from tests.support.system.driving import ALL_ON, STEP, finish, free_slot, make

from iopermit.designs import designs
from iopermit.system.events import Event, Precondition, entries, rules
from iopermit.system.events.operations import Effect
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.execution import Mode, action


def test_every_effect_and_guard_is_known() -> None:
    """The simulation can do whatever an operation may say, and check whatever a row may want."""
    assert entries._EFFECTS.keys() == set(Effect)
    assert rules._GUARDS.keys() == set(Precondition)


def test_interrupts_are_off_while_a_hook_wants_it() -> None:
    """The hook vm_exit cannot be preempted, and the step in which it returns can."""
    system = make(designs()["linux-5.4"])
    thread = system.threads[0]
    system.apply(action(0, "vm-exit"))
    seen = []
    while thread.mode is Mode.KERNEL:
        function = thread.positions[-1].function
        seen.append((function == "return from the system call", thread.preemptible))
        system.apply(STEP)
    assert set(seen) == {(False, False), (True, True)}


def test_a_hook_that_is_missing_has_only_the_step_in_which_it_would_return() -> None:
    """In a design without the hook execve, exec is one step."""
    system = make(designs()["linux-5.5"])
    system.apply(action(0, "exec"))
    assert [position.function for position in system.threads[0].positions] == ["execve() returns"]


def test_iopl_ends_at_exec_where_the_design_says_so() -> None:
    """The level is revoked with EFLAGS, and kept where the kernel emulates it."""
    for name, kept in (("linux-5.4", 0), ("linux-5.5", 3)):
        system = make(designs()[name])
        finish(system, action(0, "iopl", level=3))
        finish(system, action(0, "exec"))
        assert system.threads[0].grants.iopl == kept


def test_a_worker_is_made_by_kernel_threads_too() -> None:
    """The child of a kernel thread is one, whoever asked."""
    system = make(tasks=3)
    free_slot(system)
    finish(system, action(0, "io-thread", child=1))
    assert system.task(1).record.kernel_thread
    assert system.task(1).mode is Mode.KERNEL_THREAD


def test_a_fork_that_fails_early_takes_nothing_along() -> None:
    """The child has its parent's pointers and is gone in one step, by no code of the design."""
    system = make(designs()["linux-v2-06"], events=ALL_EVENTS | {Event.FORK_FAILS_EARLY})
    finish(system, ALL_ON)
    free_slot(system)
    parent, child = system.threads[:2]
    system.apply(action(0, "fork-fails-early", child=1))
    modes = [child.mode]
    assert child.record.io_bitmap_ptr is parent.record.io_bitmap_ptr
    assert [p.function for p in parent.positions] == ["fork: the copy is gone"]
    system.apply(STEP)
    modes.append(child.mode)
    assert modes == [Mode.EMBRYO, Mode.FREE]
    assert parent.record.io_bitmap_ptr is not None
