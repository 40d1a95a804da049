"""Tests which fields of a task are dead where, on models of a few steps."""

from tests.support.translate.small_models import (
    CHILD,
    FLAG,
    KERNEL,
    LEVEL,
    MAP,
    TOTAL,
    at,
    own,
    rule,
    small_model,
    step,
)

from iopermit.translate.analyses.dead_fields import DeadFields
from iopermit.translate.model.builder import slot_of
from iopermit.translate.model.model import Model
from iopermit.translate.model.nodes import (
    CPU,
    DEAD,
    KERNEL_THREAD,
    STOPPED,
    TASK,
    USER,
    Check,
    Const,
    Field,
    Goto,
    If,
    Load,
    Stmt,
    Store,
)

NUMBER = Field("task", "number", 2, "counter", high=3, declared=True)
READ = Store(TOTAL, Const(0), own(FLAG))
"""Something that reads the flag of the task."""


def dead(model: Model, pc: int, *, thread: bool = False) -> bool:
    """Return whether the flag is dead in a task at a pc."""
    return FLAG in DeadFields(model).dead(pc, kernel_thread=thread)


def test_a_field_is_alive_until_its_last_read() -> None:
    """In a task that is about to die the flag is dead behind the last step that reads it."""
    model = small_model([step(0, to=at(1)), step(1, READ, to=at(2)), step(2, to=DEAD)])
    assert [dead(model, at(pc)) for pc in range(3)] == [False, False, True]


def test_everything_is_alive_in_user_mode() -> None:
    """A task that goes back to user mode may ask for anything."""
    model = small_model([step(0, to=USER)])
    assert not dead(model, at(0))
    assert not dead(model, USER)


def test_a_dead_task_needs_nothing() -> None:
    """All fields that can be dead are dead in a dead task."""
    fields = DeadFields(small_model([step(0, to=DEAD)]))
    assert fields.dead(DEAD, kernel_thread=False) == fields.fields


def test_a_field_is_dead_where_it_will_be_written_first() -> None:
    """A store that comes before every read makes the value before it dead."""
    model = small_model(
        [step(0, to=at(1)), step(1, Store(FLAG, TASK, Const(1)), to=at(2)), step(2, READ, to=DEAD)]
    )
    assert [dead(model, at(pc)) for pc in range(3)] == [True, True, False]


def test_a_store_on_one_branch_only_keeps_the_field_alive() -> None:
    """The value before is read where the store did not happen."""
    branch = If(own(LEVEL), (Store(FLAG, TASK, Const(1)),))
    model = small_model([step(0, branch, to=at(1)), step(1, READ, to=DEAD)])
    assert not dead(model, at(0))


def test_conditions_are_reads() -> None:
    """A field that only decides where to go on is alive before that."""
    branch = If(own(FLAG), (Goto(at(1)),), (Goto(DEAD),))
    model = small_model([step(0, branch), step(1, to=DEAD)])
    assert [dead(model, at(pc)) for pc in range(2)] == [False, True]


def test_loops_are_followed_to_their_end() -> None:
    """A read at the start of a loop keeps the field alive in all of it."""
    leave = If(own(LEVEL), (Goto(at(0)),), (Goto(DEAD),))
    model = small_model([step(0, READ, to=at(1)), step(1, to=at(2)), step(2, leave)])
    assert not any(dead(model, at(pc)) for pc in range(3))


def test_a_step_that_leads_nowhere_reads_all_the_same() -> None:
    """A step that can only crash is followed like any other."""
    model = small_model([step(0, to=at(1)), step(1, Check(own(FLAG), "crash"))])
    assert not dead(model, at(0))


def test_what_a_switch_reads_is_always_alive() -> None:
    """A context switch can come at any time, so what it reads of tasks is never dead."""
    following = slot_of(Load(KERNEL.following, CPU))
    switch = step(0, Store(TOTAL, Const(0), Load(FLAG, following)), context="cpu")
    fields = DeadFields(small_model([switch, step(1, to=DEAD)])).fields
    assert FLAG not in fields
    assert LEVEL in fields


def test_what_a_task_reads_of_another_is_always_alive() -> None:
    """The other task may be anywhere when its field is read."""
    other = Load(FLAG, slot_of(own(CHILD)))
    model = small_model([step(0, Store(TOTAL, Const(0), other), to=USER)])
    assert FLAG not in DeadFields(model).fields


def test_a_task_that_its_own_cpu_runs_is_no_other() -> None:
    """A field read through the CPU's pointer to the running task is the task's own."""
    current = Load(FLAG, slot_of(Load(KERNEL.current, CPU)))
    model = small_model([step(0, Store(TOTAL, Const(0), current), to=DEAD)])
    assert FLAG in DeadFields(model).fields


def test_pointers_and_sequence_numbers_are_never_dead() -> None:
    """They keep objects from being garbage, and other numbers from being fresh."""
    model = small_model([step(0, to=DEAD)])
    model.fields.append(NUMBER)
    fields = DeadFields(model).fields
    assert not fields & {MAP, NUMBER}
    assert not fields & {KERNEL.task_pc, KERNEL.kernel_thread}


def kernel_thread(*body: Stmt) -> Model:
    """Return a model in which a kernel thread can start a step with this body."""
    model = small_model([step(0, *body, to=KERNEL_THREAD), step(1, to=KERNEL_THREAD)])
    model.thread_rules = [rule("exit", starts=0)]
    return model


def test_kernel_threads_keep_only_what_their_events_read() -> None:
    """A kernel thread never comes to user mode: what its events do not read is dead in it."""
    assert dead(kernel_thread(), KERNEL_THREAD, thread=True)
    assert not dead(kernel_thread(READ), KERNEL_THREAD, thread=True)
    assert not dead(kernel_thread(READ), at(1), thread=True)


def test_what_a_later_event_of_a_kernel_thread_reads_is_alive_before_it() -> None:
    """A read that is found last, behind several steps, counts for those that lead there."""
    steps = [step(0, to=KERNEL_THREAD), step(1, to=at(2)), step(2, to=at(3)), step(3, READ)]
    model = small_model([*steps, step(4, to=at(0))])
    model.thread_rules = [rule("exit", starts=1)]
    assert not dead(model, at(4), thread=True)
    assert not dead(model, KERNEL_THREAD, thread=True)


def test_handing_a_field_on_does_not_keep_it_alive() -> None:
    """A thread that only copies a field to the threads that it makes has no use for it."""
    copies = Store(FLAG, Const(1), own(FLAG))
    assert dead(kernel_thread(copies), KERNEL_THREAD, thread=True)
    model = small_model([step(0, copies, to=DEAD)])
    assert not dead(model, at(0), thread=False)


def test_the_way_out_depends_on_what_the_task_is() -> None:
    """A step that leaves to user mode or to a thread's idling is followed only one way."""
    leave = If(own(KERNEL.kernel_thread), (Goto(KERNEL_THREAD),), (Goto(USER),))
    model = small_model([step(0, leave)])
    assert dead(model, at(0), thread=True)
    assert not dead(model, at(0), thread=False)


def test_a_stopped_task_forgets_what_it_forgets_where_it_was_stopped() -> None:
    """It is stopped where it returns to user mode, and goes on there: a store there comes first."""
    model = small_model([step(0, Store(LEVEL, TASK, Const(0)), to=USER)])
    model.return_pc = step(0).pc
    found = DeadFields(model)
    dead = found.dead(model.return_pc, kernel_thread=False)
    assert LEVEL in dead
    assert found.dead(STOPPED, kernel_thread=False) == dead
