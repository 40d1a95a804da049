"""Tests which steps may be merged, and when, one rule of the argument at a time.

The rules are those of docs/how-it-checks.md. Each test has a model of a step or two, and others
that might come between.
"""

from tests.support.translate.small_models import (
    BASE,
    CHILD,
    COUNT,
    FLAG,
    HEAP,
    IN_USE,
    KERNEL,
    LEVEL,
    MAP,
    POINTER,
    TOTAL,
    VARIABLE,
    at,
    own,
    small_model,
    step,
)

from iopermit.translate.analyses.assumptions import Assumption, Reclaimed
from iopermit.translate.analyses.merging import Merging
from iopermit.translate.model.builder import binary, differ, either, equal, every, slot_of
from iopermit.translate.model.model import Allocation, Model, Step
from iopermit.translate.model.nodes import (
    ALWAYS,
    CHOICE,
    CPU,
    DEAD,
    NEVER,
    TASK,
    USER,
    Clear,
    Const,
    Expr,
    Let,
    Load,
    Mask,
    Stmt,
    Store,
    Temp,
    Unshared,
)

FOLLOWING = slot_of(Load(KERNEL.following, CPU))
PREVIOUS = slot_of(Load(KERNEL.current, CPU))
HELD = slot_of(own(MAP))
"""The slot of the object that the task refers to."""
NOTE = Store(VARIABLE, TASK, own(FLAG))
"""Reads a field of the task, and writes a local variable."""


def condition(model: Model, *assumed: Assumption, pc: int = 0) -> Expr:
    """Return when a step of a model may be merged."""
    return Merging(model, frozenset(assumed)).condition(at(pc))


def one(*body: Stmt, off: bool = True, cpus: int = 2, others: tuple[Step, ...] = ()) -> Model:
    """Return a model of a step with this body, and others; by default preemption is off."""
    return small_model([step(0, *body, to=USER, off=off), *others], cpus=cpus)


def switching(*body: Stmt, pc: int = 1) -> Step:
    """Return a step of a context switch."""
    return step(pc, *body, to=0, context="cpu", off=True)


def unshared(*more: Expr) -> Expr:
    """Return whether nobody but the task, and others, refers to the object that it refers to."""
    return private(HELD, *more)


def private(slot: Expr, *more: Expr) -> Expr:
    """Return whether there is no object in a slot, or nobody but the task and others has it."""
    reference = binary("add", slot, Const(1))
    return either(equal(reference, 0), Unshared(HEAP, reference, (TASK, *more)))


# Rule 1: preemption or interrupts off.


def test_own_fields_may_be_touched_with_preemption_off() -> None:
    """Nobody else touches the records of a task, its CPU and its TSS."""
    assert condition(one(NOTE)) == ALWAYS
    assert condition(one(Store(FLAG, TASK, Const(1)))) == ALWAYS
    assert condition(one(Store(BASE, CPU, Const(1)))) == ALWAYS


def test_what_another_touches_is_not_private() -> None:
    """A field that any step touches in the record of another task is never merged over."""
    foreign = step(1, Store(TOTAL, Const(0), Load(FLAG, FOLLOWING)), to=USER)
    assert condition(one(NOTE, others=(foreign,))) == NEVER
    assert condition(one(Store(VARIABLE, TASK, own(LEVEL)), others=(foreign,))) == ALWAYS


def test_the_record_of_another_is_not_touched_early() -> None:
    """A step that itself touches another task's record is not merged."""
    assert condition(one(Store(FLAG, FOLLOWING, Const(1)))) == NEVER


def test_the_child_of_a_fork_counts_as_own() -> None:
    """A child neither runs nor is switched to before its fork is over."""
    child = slot_of(own(CHILD))
    assert condition(one(Store(FLAG, child, Const(1)))) == ALWAYS


def test_globals_are_read_early_only_if_nobody_writes_them() -> None:
    """Another CPU could write a global in between; one that is only read is a constant."""
    reads = Store(VARIABLE, TASK, Load(TOTAL, Const(0)))
    writer = step(1, Store(TOTAL, Const(0), Const(1)), to=USER)
    assert condition(one(reads)) == ALWAYS
    assert condition(one(reads, others=(writer,))) == NEVER
    assert condition(one(Store(TOTAL, Const(0), Const(1)))) == NEVER


def test_alone_on_one_cpu_nothing_comes_between() -> None:
    """With preemption off and a single CPU every step is merged."""
    assert condition(one(Store(TOTAL, Const(0), Const(1)), cpus=1)) == ALWAYS


# Rule 2: preemptible.


def test_a_field_that_switching_writes_is_not_read_early() -> None:
    """A preempted task would find the value that the switch leaves."""
    writes = switching(Store(FLAG, PREVIOUS, Const(0)))
    assert condition(one(NOTE, off=False, others=(writes,))) == NEVER
    reads = switching(Store(TOTAL, Const(0), Load(FLAG, PREVIOUS)))
    assert condition(one(NOTE, off=False, others=(reads,))) == ALWAYS


def test_fields_of_the_cpu_are_not_touched_early_by_preemptible_steps() -> None:
    """A preempted task may go on elsewhere; only that its CPU runs it is always so."""
    assert condition(one(Store(VARIABLE, TASK, Load(BASE, CPU)), off=False)) == NEVER
    current = Store(VARIABLE, TASK, Load(KERNEL.current, CPU))
    assert condition(one(current, off=False)) == ALWAYS


# Rule 3: stores that change nothing.


def test_a_store_that_switching_reads_is_early_where_it_changes_nothing() -> None:
    """Whether the switch came before or after, it reads the same value."""
    reads = switching(Store(TOTAL, Const(0), Load(FLAG, PREVIOUS)))
    model = one(Store(FLAG, TASK, Const(1)), off=False, others=(reads,))
    assert condition(model) == equal(own(FLAG), 1)


def test_a_store_that_switching_writes_is_never_early() -> None:
    """The switch could undo in between that the field has the value already."""
    writes = switching(Store(FLAG, PREVIOUS, Const(0)))
    model = one(Store(FLAG, TASK, Const(1)), off=False, others=(writes,))
    assert condition(model) == NEVER


def test_a_computed_store_that_switching_reads_is_not_early() -> None:
    """Whether it changes anything is not known before the step."""
    reads = switching(Store(TOTAL, Const(0), Load(FLAG, PREVIOUS)))
    value = Temp("value")
    body = (Let(value, own(LEVEL)), Store(FLAG, TASK, value))
    assert condition(one(*body, off=False, others=(reads,))) == NEVER
    twice = (Store(FLAG, TASK, Const(1)), Store(FLAG, TASK, Const(0)))
    assert condition(one(*twice, off=False, others=(reads,))) == NEVER


# Rule 4: heap objects.


def test_an_object_is_touched_early_where_nobody_else_refers_to_it() -> None:
    """An object that only the task refers to is its own."""
    assert condition(one(Store(COUNT, HELD, Const(1)))) == unshared()


def test_while_forking_the_child_is_nobody_else() -> None:
    """A pointer that the child inherited counts as the task's own as long as the fork lasts."""
    model = one(Store(COUNT, HELD, Const(1)))
    model.live = {at(0): frozenset({CHILD})}
    assert condition(model) == unshared(slot_of(own(CHILD)))


def test_pointers_that_others_can_load_make_objects_shared() -> None:
    """Where any step loads a pointer from another task's record, no object is private."""
    loads = step(1, Store(TOTAL, Const(0), Load(MAP, FOLLOWING)), to=USER)
    assert condition(one(Store(COUNT, HELD, Const(1)), others=(loads,))) == NEVER


def test_pointers_that_switching_keeps_make_objects_shared() -> None:
    """A switch in between may leave the task's object to whatever comes after it."""
    keeps = switching(Store(MAP, FOLLOWING, Load(MAP, PREVIOUS)))
    object_ = slot_of(own(POINTER))
    touches = Store(COUNT, object_, Const(1))
    alone = private(object_)
    assert condition(one(touches, off=False, others=(keeps,))) == NEVER
    assert condition(one(touches, off=True, others=(keeps,))) == alone
    assert condition(one(touches, off=False)) == alone


def test_what_switching_touches_of_objects_is_not_touched_early() -> None:
    """A preempted task's object may be written by the switch, for one that it shares it with."""
    reads = switching(Store(TOTAL, Const(0), Load(COUNT, slot_of(Load(MAP, PREVIOUS)))))
    touches = Store(COUNT, HELD, Const(1))
    assert condition(one(touches, off=False, others=(reads,))) == NEVER
    assert condition(one(touches, off=True, others=(reads,))) == unshared()


def test_an_object_found_by_a_computed_pointer_is_not_touched_early() -> None:
    """The condition is evaluated before the step, when the value is not computed yet."""
    pointer = Temp("p")
    model = one(Let(pointer, own(MAP)), Store(COUNT, slot_of(pointer), Const(1)))
    assert condition(model) == NEVER


# Rule 5: fields assumed never to be written while shared.


def test_an_assumed_field_is_read_early_and_written_only_where_private() -> None:
    """The assumption is about writes: a read commutes with every read."""
    read = Store(VARIABLE, TASK, Load(COUNT, HELD))
    assert condition(one(read)) == unshared()
    assert condition(one(read), COUNT) == ALWAYS
    assert condition(one(Store(COUNT, HELD, Const(1))), COUNT) == unshared()


# Rule 6: allocations.


def allocating() -> Model:
    """Return a model with an allocation."""
    model = one(Store(IN_USE, CHOICE, Const(1)))
    model.steps[at(0)].allocation = Allocation(2, Mask("free", HEAP), can_fail=True)
    return model


def test_an_allocation_is_early_where_nothing_dangles_and_a_slot_is_free() -> None:
    """Then there is one choice, which differs from any other only in name."""
    free, slots = Mask("free", HEAP), Const(3)
    dangling = binary("and", binary("and", Mask("referenced", HEAP), slots), free)
    wanted = every(equal(dangling, 0), differ(free, 0))
    assert condition(allocating(), Reclaimed(HEAP)) == wanted


def test_an_allocation_is_not_early_where_freed_objects_may_be_referred_to() -> None:
    """A pointer to an object that was just freed would tell which slot was taken."""
    assert condition(allocating()) == NEVER


# Rule 7: nothing that was relied on is dropped.


def test_the_pointer_to_what_was_read_early_is_not_dropped() -> None:
    """After a read that rests on an assumption the pointer stays, unless nobody else has one."""
    read = step(0, Store(VARIABLE, TASK, Load(COUNT, HELD)), to=at(1), off=True)
    drop = step(1, Store(MAP, TASK, Const(0)), to=USER, off=True)
    model = small_model([read, drop], cpus=2)
    found = condition(model, COUNT, pc=1)
    pointer = own(MAP)
    assert found == binary("or", equal(pointer, 0), Unshared(HEAP, pointer, (TASK,)))
    assert condition(model, pc=1) == ALWAYS


# Rule 8: boundaries.


def test_the_step_that_turns_preemption_off_is_not_merged() -> None:
    """The task can be preempted before it."""
    inside = step(1, to=USER, off=True)
    assert condition(small_model([step(0, to=at(1)), inside], cpus=2)) == NEVER
    inside.preemption_off = False
    assert condition(small_model([step(0, to=at(1)), inside], cpus=2)) == ALWAYS


def test_the_last_step_of_a_task_is_not_merged() -> None:
    """A task that is preempted before it is switched to once more, a dead one never is."""
    assert condition(small_model([step(0, to=DEAD)], cpus=2)) == NEVER
    assert condition(small_model([step(0, to=DEAD, off=True)], cpus=2)) == ALWAYS


def test_a_step_that_closes_an_unbounded_loop_is_not_merged() -> None:
    """Along every cycle without a counted loop there is an edge that is not merged."""
    model = small_model([step(0, to=at(1)), step(1, to=at(0))], cpus=2)
    assert Merging(model).closes_cycle(at(1), at(0))
    assert not Merging(model).closes_cycle(at(0), at(1))
    model.steps[at(1)].counted = True
    assert not Merging(model).closes_cycle(at(1), at(0))


# Rule 9: the release of a dead task.


def releasing(*others: Step) -> Model:
    """Return a model of the end of a switch away from a dead task."""
    end = step(0, Clear("task", PREVIOUS), to=0, context="cpu", off=True)
    return small_model([end, *others], cpus=2)


def test_a_dead_task_is_released_early() -> None:
    """It only enables more: its slot can be taken."""
    assert condition(releasing()) == ALWAYS


def test_a_dead_task_is_not_released_early_where_others_look_at_tasks() -> None:
    """Who follows a pointer to it would see that it is gone."""
    looks = step(1, Store(TOTAL, Const(0), Load(FLAG, FOLLOWING)), to=USER)
    dead = Load(KERNEL.task_pc, PREVIOUS)
    assert condition(releasing(looks)) == differ(dead, DEAD)


def test_a_task_that_frees_a_task_is_not_early_where_others_look_at_tasks() -> None:
    """So it is at the end of a fork that failed: whether the slot is free can be seen."""
    frees = Clear("task", slot_of(own(CHILD)))
    looks = step(1, Store(TOTAL, Const(0), Load(FLAG, FOLLOWING)), to=USER)
    assert condition(one(frees)) == ALWAYS
    assert condition(one(frees, others=(looks,))) == NEVER


def test_what_is_no_step_is_never_merged() -> None:
    """User mode, a dead task and a free slot are no steps."""
    assert condition(one(NOTE), pc=USER - at(0)) == NEVER
