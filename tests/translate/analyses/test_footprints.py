"""Tests whose records steps, rules and the specification touch."""

from dataclasses import replace

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
    rule,
    small_model,
    step,
)

from iopermit.translate.analyses.footprints import Footprints
from iopermit.translate.model.accesses import Access
from iopermit.translate.model.builder import slot_of
from iopermit.translate.model.model import Step
from iopermit.translate.model.nodes import (
    CPU,
    TASK,
    VERDICT,
    Clear,
    Const,
    Field,
    Let,
    Load,
    Stmt,
    Store,
)

FOLLOWING = slot_of(Load(KERNEL.following, CPU))
PREVIOUS = slot_of(Load(KERNEL.current, CPU))
CHILD_SLOT = slot_of(own(CHILD))
TO_TSS = Store(BASE, CPU, Const(1))


def of(
    *steps: Step, rules: tuple[Stmt, ...] = (), specification: tuple[Stmt, ...] = ()
) -> Footprints:
    """Return what a model of these steps touches."""
    model = small_model(steps, cpus=2)
    model.user_rules = [rule("fork", *rules, starts=0)]
    model.specification = specification
    return Footprints(model)


def switch(*body: Stmt, ends: bool = False) -> Step:
    """Return a step of a context switch."""
    found = step(0, *body, to=0, context="cpu", off=True)
    found.ends_switch = ends
    return found


def test_a_task_owns_itself_its_cpu_and_its_child() -> None:
    """Another task's record is foreign to it, however it is found."""
    task = step(0)
    found = of(task)
    assert all(found.is_own(task, slot) for slot in (TASK, CPU, PREVIOUS, CHILD_SLOT))
    assert not any(found.is_own(task, slot) for slot in (FOLLOWING, Const(1), slot_of(own(MAP))))


def test_a_switch_owns_the_two_tasks_of_its_cpu() -> None:
    """Both are run by nobody else; a child of one of them is."""
    cpu = switch()
    found = of(cpu)
    assert all(found.is_own(cpu, slot) for slot in (CPU, PREVIOUS, FOLLOWING))
    assert not any(found.is_own(cpu, slot) for slot in (CHILD_SLOT, Const(1)))


def test_a_rule_owns_the_child_that_it_makes() -> None:
    """In a rule a constant slot is that of the new task."""
    assert of(step(0), rules=(Store(FLAG, Const(1), own(FLAG)),)).foreign == frozenset()
    assert of(step(0), rules=(Store(FLAG, FOLLOWING, Const(1)),)).foreign == {FLAG}


def test_foreign_is_what_anybody_touches_elsewhere() -> None:
    """One access from elsewhere makes the field foreign for all; reads count as well."""
    reads = Store(TOTAL, Const(0), Load(LEVEL, FOLLOWING))
    assert of(step(0, reads), step(1, Store(FLAG, TASK, Const(1)))).foreign == {LEVEL}


def test_the_specification_may_look_at_what_a_cpu_runs() -> None:
    """The CPU that is checked and its current task are not foreign; another task's field is."""
    current = Load(FLAG, slot_of(Load(KERNEL.current, Const(1))))
    elsewhere = Load(LEVEL, slot_of(Load(KERNEL.following, Const(1))))
    found = of(step(0), specification=(Let(VERDICT, current), Let(VERDICT, elsewhere)))
    assert found.foreign == {LEVEL}
    assert of(step(0), specification=(Let(VERDICT, Load(TOTAL, Const(0))),)).foreign == frozenset()


def test_pointers_loaded_from_others_expose_their_class() -> None:
    """Whoever reads another's pointer can come by the object; reading a number exposes none."""
    assert of(step(0, Store(POINTER, TASK, Load(MAP, FOLLOWING)))).exposed == {HEAP}
    assert of(step(0, Store(VARIABLE, TASK, Load(LEVEL, FOLLOWING)))).exposed == frozenset()


def test_what_switching_touches() -> None:
    """The steps of a switch count, but for its end, which only makes the next task current."""
    found = of(switch(Store(BASE, CPU, Load(FLAG, FOLLOWING))))
    assert FLAG in found.switch_reads
    assert found.switch_writes == {BASE}
    assert of(switch(TO_TSS, ends=True)).switch_writes == frozenset()
    assert of(step(0, TO_TSS)).switch_writes == frozenset()


def test_what_switching_publishes() -> None:
    """A pointer that a switch stores shares the object, in a variable till the switch's end too."""
    kept = Store(MAP, FOLLOWING, Load(MAP, PREVIOUS))
    assert of(switch(kept)).switch_publishes == {HEAP}
    assert of(switch(Store(POINTER, PREVIOUS, Load(MAP, PREVIOUS)))).switch_publishes == {HEAP}
    assert of(switch(TO_TSS)).switch_publishes == frozenset()


def test_freeing_an_object_writes_all_of_it() -> None:
    """Every field of the class is written, and that it is in use no more."""
    slot = slot_of(own(MAP))
    freeing = step(0, Clear(HEAP, slot))
    writes = {access for access in of(freeing).touched(freeing) if access.write}
    assert writes == {Access(field, slot, write=True) for field in (COUNT, IN_USE)}


def test_what_is_written_anywhere() -> None:
    """Stores of steps and of rules count, reads do not."""
    found = of(step(0, Store(TOTAL, Const(0), own(LEVEL))), rules=(Store(FLAG, TASK, Const(1)),))
    assert found.written == {TOTAL, FLAG}


def test_the_tasks_of_a_step() -> None:
    """A task's own are itself and, while the fork lasts, its child; a switch's are both."""
    task, cpu = step(0), switch()
    found = of(task)
    assert found.own_tasks(task) == [TASK]
    found.model.live = {at(0): frozenset({CHILD})}
    assert found.own_tasks(task) == [TASK, CHILD_SLOT]
    assert found.own_tasks(cpu) == [PREVIOUS, FOLLOWING]


def test_the_pointers_that_a_step_owns() -> None:
    """Declared pointers of its tasks always count, local variables where they are live."""
    task = step(0)
    found = of(task)
    assert found.own_references(task, HEAP) == [own(MAP)]
    found.model.live = {at(0): frozenset({POINTER, CHILD})}
    assert found.own_references(task, HEAP) == [own(MAP), Load(MAP, CHILD_SLOT), own(POINTER)]
    assert found.own_references(task, "task") == [own(CHILD)]


def test_a_switch_owns_the_pointers_of_its_cpu() -> None:
    """What the CPU and its TSS refer to counts for a switch, not for a task."""
    cpu = switch()
    found = of(cpu)
    assert found.own_references(cpu, "task") == [
        Load(KERNEL.current, CPU),
        Load(KERNEL.following, CPU),
    ]
    assert found.own_references(step(1), "task") == []


def test_the_beginning_of_a_switch_writes_the_row_of_refusals() -> None:
    """Where refusals are counted, switching counts as writing them: it ends the row."""
    row = Field("task", "refusals", 2, high=3)
    model = small_model([switch(TO_TSS)], cpus=2)
    assert Footprints(model).switch_writes == {BASE}
    model.kernel = replace(model.kernel, refusals=row)
    assert Footprints(model).switch_writes == {BASE, row}
