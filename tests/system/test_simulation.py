"""Tests of the system around a design (src/iopermit/system/simulation.py, entries, options)."""

# ruff: noqa: ARG002 - a design fills in fixed entry points and may not need every argument

import pytest
from tests.support.system.driving import (
    ALL_ON,
    STEP,
    advance_to,
    finish,
    finish_switch,
    free_slot,
    make,
)
from tests.support.system.tiny_design import LAYOUT, Block, Tiny

from iopermit.designs import designs
from iopermit.system.concretion import exact
from iopermit.system.crash import (
    HeapExhaustedError,
    KernelAssertion,
    NullDereference,
    UseAfterFree,
)
from iopermit.system.events import Event
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.execution import Action, Mode, action
from iopermit.system.scenario import Scenario
from iopermit.system.simulation import System


class Faulty(Tiny):
    """Hooks that crash."""

    def iopl(self, cpu: Tiny.Cpu, task: Tiny.Task, level: int) -> int:
        """Fail an assertion, or follow NULL."""
        assert level != 3, "level is not 3"
        task.block.refcnt = 1
        return 0


class UsesFreed(Tiny):
    """Uses an object that it has freed."""

    def iopl(self, cpu: Tiny.Cpu, task: Tiny.Task, level: int) -> int:
        """Write to freed memory."""
        block = self.allocate(Block)
        self.free(block)
        block.refcnt = 1
        return 0


class Careless(Tiny):
    """Contains a mistake of its author."""

    def iopl(self, cpu: Tiny.Cpu, task: Tiny.Task, level: int) -> int:
        """Read a field that no task has."""
        return int(task.colour)  # type: ignore[attr-defined]  # the mistake


class Greedy(Tiny):
    """Never frees anything."""

    def exit(self, cpu: Tiny.Cpu, task: Tiny.Task) -> None:
        """Keep the map."""

    def iopl(self, cpu: Tiny.Cpu, task: Tiny.Task, level: int) -> int:
        """Replace the map and forget the old one."""
        return self.make_block(cpu, task)


def test_tasks_start_on_the_cpus() -> None:
    """Tasks run on CPUs as far as they go; further CPUs are idle; bring-up denies every port."""
    system = make(cpus=3, tasks=2)
    current = [system.current(p) for p in system.processors]
    assert [t.index for t in current] == [0, 1, 4]
    assert [t.mode for t in system.threads] == [Mode.USER, Mode.USER, *[Mode.IDLE] * 3]
    assert not any(p.tss.bitmap.allowed().any() for p in system.processors)


def test_waiting_tasks_are_before_the_return_to_user_mode() -> None:
    """With a hook on the return path, a task that has no CPU yet still has to go through it."""
    design = designs()["linux-5.5"]
    system = make(design)
    assert system.threads[0].mode is Mode.USER
    assert system.threads[1].mode is Mode.KERNEL
    assert system.threads[1].positions[0].function == "return to user mode: interrupts off"
    assert system.threads[1].preemptible


def test_only_the_first_task_is_unprivileged() -> None:
    """The scenario's unprivileged task is task 0."""
    system = make(unprivileged=True)
    assert [t.record.privileged for t in system.threads[:2]] == [False, True]


def test_grants_follow_the_result_at_the_end_of_the_call() -> None:
    """Ports are granted in the last step of ioperm, and not before."""
    system = make()
    thread = system.threads[0]
    system.apply(ALL_ON)
    advance_to(system, "ioperm() returns")
    assert not thread.grants.ports.any()
    assert thread.preemptible
    system.apply(STEP)
    assert thread.grants.ports.all()
    assert thread.mode is Mode.USER


def test_a_refused_call_grants_nothing() -> None:
    """The empty range ends with EINVAL and no grant."""
    system = make()
    finish(system, action(0, "ioperm", first=0, end=0, turn_on=1))
    assert system.threads[0].result == -22
    assert not system.threads[0].grants.ports.any()


def test_revoking_takes_the_grant_away() -> None:
    """Turning one long off leaves the grant of the other."""
    system = make()
    finish(system, ALL_ON)
    finish(system, action(0, "ioperm", first=0, end=1, turn_on=0))
    granted = system.threads[0].grants.ports
    assert not granted[:64].any()
    assert granted[64:].all()


def test_a_failing_allocation_is_the_last_choice() -> None:
    """The number of heap slots as choice lets the allocation fail."""
    system = make()
    system.apply(ALL_ON)
    advance_to(system, "make_block")
    assert system.choices("Block") == [0, system.heap_slots]
    system.apply(Action(0, "step", choice=system.heap_slots))
    while system.threads[0].mode is Mode.KERNEL:
        system.apply(STEP)
    assert system.threads[0].result == -12


def test_allocations_cannot_fail_unless_the_scenario_says_so() -> None:
    """Without the event only slots are possible outcomes."""
    assert make(events=ALL_EVENTS - {Event.ALLOCATION_FAILS}).choices("Block") == [0]


def test_a_chosen_slot_is_the_one_that_is_taken() -> None:
    """The choice of a step is the address of the new object."""
    system = make()
    system.apply(ALL_ON)
    advance_to(system, "make_block")
    system.apply(Action(0, "step", choice=3))
    assert [i for i, used in enumerate(system.pools["Block"].used) if used] == [3]


def test_a_freed_object_that_nothing_refers_to_is_not_special() -> None:
    """After the owner of a map exits, its slot is only the lowest free one again."""
    system = make()
    finish(system, ALL_ON)
    finish(system, action(0, "exit"))
    assert not any(system.pools["Block"].used)
    assert system.choices("Block")[0] == 0
    assert len(system.choices("Block")) == 2


def test_the_heap_bound_is_not_a_crash_of_the_kernel() -> None:
    """A kernel that loses objects for ever ends in an error that blames the bound."""
    system = make(Greedy, events=ALL_EVENTS - {Event.ALLOCATION_FAILS})
    for _ in range(system.heap_slots):
        finish(system, action(0, "iopl", level=3))
    with pytest.raises(HeapExhaustedError, match="more than 4 objects of Block"):
        finish(system, action(0, "iopl", level=3))


def test_crashes_tell_where() -> None:
    """A failed assertion and a NULL pointer are crashes, at the position of their step."""
    system = make(Faulty)
    with pytest.raises(KernelAssertion, match="level is not 3") as failed:
        finish(system, action(0, "iopl", level=3))
    assert failed.value.where[-1].function == "iopl"
    with pytest.raises(NullDereference, match="refcnt") as null:
        finish(make(Faulty), action(0, "iopl", level=0))
    assert null.value.where[-1].line == failed.value.where[-1].line + 1


def test_use_after_free_is_a_crash() -> None:
    """A local pointer to a freed object crashes when it is followed."""
    with pytest.raises(UseAfterFree, match="refcnt"):
        finish(make(UsesFreed), action(0, "iopl", level=3))


def test_a_mistake_of_the_author_is_no_crash() -> None:
    """Reading a field that does not exist stays a Python error."""
    with pytest.raises(AttributeError, match="colour"):
        finish(make(Careless), action(0, "iopl", level=3))


def test_an_unknown_event_is_refused() -> None:
    """An event that does not exist is the caller's mistake."""
    with pytest.raises(ValueError, match="no event 'sleep'"):
        make().apply(Action(0, "sleep"))


def test_this_cpu_is_the_cpu_at_the_moment_of_the_step() -> None:
    """A task that migrates in the middle of a system call goes on with the other CPU's TSS."""
    system = make(cpus=2, tasks=1)
    finish(system, ALL_ON)
    system.apply(action(0, "ioperm", first=0, end=2, turn_on=1))
    system.apply(STEP)
    system.apply(action(0, "switch", following=1))
    finish_switch(system)
    system.apply(action(1, "switch", following=0))
    finish_switch(system, cpu=1)
    second = system.processors[1].tss
    second.bitmap.fill()
    while system.threads[0].mode is Mode.KERNEL:
        system.apply(Action(1, "step"))
    assert second.bitmap.allowed().all()


@pytest.mark.parametrize(("worker", "mode"), [(0, Mode.USER), (1, Mode.KERNEL_THREAD)])
def test_a_child_inherits_fields_and_grants(worker: int, mode: Mode) -> None:
    """Fork copies every declared field, then the hook runs; the grants come with its success."""
    system = make(tasks=3)
    finish(system, ALL_ON)
    child = system.threads[2]
    system.threads[2].mode = Mode.DEAD
    system.release_task(child)
    system.apply(action(0, "io-thread" if worker else "fork", child=2))
    assert child.mode is Mode.EMBRYO
    assert child.record.max == 1024
    assert child.record.kernel_thread is bool(worker)
    while system.threads[0].mode is Mode.KERNEL:
        system.apply(STEP)
    assert child.mode is mode
    assert child.record.block is None
    assert child.grants.ports.all()


def test_a_dead_task_is_gone_once_switched_out() -> None:
    """The slot of an exited task is free after the switch, and its memory is poisoned."""
    system = make()
    record = system.threads[1].record
    free_slot(system)
    assert system.threads[1].mode is Mode.FREE
    with pytest.raises(UseAfterFree):
        _ = record.privileged


def test_a_fork_that_fails_late_leaves_no_child() -> None:
    """The unwinding hook runs before the slot is given back."""
    system = make(designs()["linux-v2-06"])
    finish(system, ALL_ON)
    free_slot(system)
    system.apply(action(0, "fork-fails", child=1))
    modes = []
    for function in ("exit_thread", "fork: unwound"):
        advance_to(system, function)
        modes.append(system.threads[1].mode)
    system.apply(STEP)
    modes.append(system.threads[1].mode)
    assert modes == [Mode.EMBRYO, Mode.EMBRYO, Mode.FREE]


def test_a_fork_that_the_hook_refuses_leaves_no_child() -> None:
    """An error of the fork hook gives the slot back in the step that ends the call."""
    system = make(designs()["linux-v2-06"])
    finish(system, ALL_ON)
    free_slot(system)
    system.apply(action(0, "fork", child=1))
    while not system.threads[0].positions[-1].allocates:
        system.apply(STEP)
    system.apply(Action(0, "step", choice=system.heap_slots))
    advance_to(system, "fork returns")
    system.apply(STEP)
    assert system.threads[1].mode is Mode.FREE
    assert system.threads[0].result == -12


@pytest.mark.parametrize(("name", "level"), [("linux-5.4", 0), ("linux-5.5", 3)])
def test_exec_keeps_iopl_only_where_the_kernel_does(name: str, level: int) -> None:
    """The IOPL in EFLAGS is lost by exec, the emulated one stays; so does the grant."""
    system = make(designs()[name])
    finish(system, action(0, "iopl", level=3))
    finish(system, action(0, "exec"))
    assert system.threads[0].grants.iopl == level


def test_a_vm_exit_lowers_the_limit_and_cannot_be_preempted() -> None:
    """The cached limit is low at once, and the hook runs with preemption off."""
    system = make(designs()["linux-5.4"])
    system.apply(action(0, "vm-exit"))
    assert system.processors[0].record.tr_limit_low
    assert not system.threads[0].preemptible
    advance_to(system, "return from the system call")
    assert system.threads[0].preemptible


def test_the_way_to_user_mode_has_interrupts_off() -> None:
    """The entry of the return path can be preempted, the hook cannot."""
    system = make(designs()["linux-5.5"])
    system.apply(action(0, "iopl", level=3))
    advance_to(system, "return to user mode: interrupts off")
    assert system.threads[0].preemptible
    advance_to(system, "return_to_user")
    assert not system.threads[0].preemptible


def test_dropping_privilege_is_one_step() -> None:
    """The task loses CAP_SYS_RAWIO at once and goes on."""
    system = make()
    system.apply(action(0, "drop-privilege"))
    assert not system.threads[0].record.privileged
    assert system.threads[0].mode is Mode.USER


def test_a_switch_goes_through_the_return_path_later() -> None:
    """A task switched out in user mode has to go through the return path when it runs again."""
    system = make(designs()["linux-5.5"])
    system.apply(action(0, "switch", following=1))
    assert system.threads[0].mode is Mode.KERNEL
    assert system.processors[0].switching
    assert system.current(system.processors[0]) is system.threads[0]
    finish_switch(system)
    assert system.current(system.processors[0]) is system.threads[1]


def test_without_a_stepper_a_hook_is_one_step() -> None:
    """Hooks run as they stand, straight to the end of the system call."""
    system = System(Tiny, Scenario(cpus=1, tasks=1), exact(LAYOUT, 2))
    system.apply(ALL_ON)
    assert [p.function for p in system.threads[0].positions] == ["ioperm() returns"]
    assert system.processors[0].tss.bitmap.allowed().all()


def test_sequence_numbers_are_never_used_again() -> None:
    """The counter starts above 0 and only grows."""
    system = make()
    assert [system.next_sequence() for _ in range(3)] == [1, 2, 3]
