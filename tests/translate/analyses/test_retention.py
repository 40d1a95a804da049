"""Tests that what early steps relied on stays visible until the end of a merged run."""

from tests.support.translate.small_models import (
    COUNT,
    FLAG,
    HEAP,
    MAP,
    POINTER,
    TOTAL,
    at,
    own,
    small_model,
    step,
)

from iopermit.translate.analyses.footprints import Footprints
from iopermit.translate.analyses.retention import Retention
from iopermit.translate.model.builder import differ, either, equal, every, negate
from iopermit.translate.model.model import Model
from iopermit.translate.model.nodes import (
    ALWAYS,
    CHOICE,
    NEVER,
    TASK,
    USER,
    Clear,
    Const,
    Expr,
    If,
    Let,
    Load,
    Stmt,
    Store,
    Temp,
    Unshared,
)

DROP = Store(MAP, TASK, Const(0))
ALONE = Unshared(HEAP, own(MAP), (TASK,))


def run(*bodies: tuple[Stmt, ...]) -> Model:
    """Return a model of steps that follow one another."""
    last = len(bodies) - 1
    return small_model(
        [
            step(pc, *body, to=USER if pc == last else at(pc + 1), off=True)
            for pc, body in enumerate(bodies)
        ]
    )


def retention(model: Model, *, merged: bool = True) -> Retention:
    """Return it where the first step relied on objects; later ones are merged or not."""
    condition = ALWAYS if merged else NEVER
    conditions = dict.fromkeys(model.steps, condition)
    return Retention(Footprints(model), conditions, {at(0): frozenset({HEAP})})


def dropping(*body: Stmt) -> Expr:
    """Return when a step with this body may follow one that relied on objects."""
    model = run((), body)
    return retention(model).condition(model.steps[at(1)])


def test_a_run_relies_on_what_its_first_step_did() -> None:
    """All later steps of a merged run count; behind one that is not merged nothing does."""
    model = run((), (), ())
    assert [retention(model).relied_upon(pc) for pc in model.steps] == [frozenset({HEAP})] * 3
    apart = retention(model, merged=False)
    assert [bool(apart.relied_upon(pc)) for pc in model.steps] == [True, False, False]


def test_steps_that_drop_nothing_may_follow() -> None:
    """Other stores do not matter, nor do pointers to other records."""
    assert dropping(Store(FLAG, TASK, Const(1)), Store(TOTAL, Const(0), Const(1))) == ALWAYS
    assert dropping(Store(COUNT, Const(0), Const(1))) == ALWAYS


def test_a_pointer_is_dropped_only_where_nobody_is_misled() -> None:
    """It is NULL, or nobody else refers to the object."""
    assert dropping(DROP) == either(equal(own(MAP), 0), ALONE)


def test_another_pointer_of_the_task_keeps_the_object() -> None:
    """Where a live variable refers to the same object, the field may be overwritten."""
    model = run((), (DROP,))
    model.live = {at(1): frozenset({POINTER})}
    condition = retention(model).condition(model.steps[at(1)])
    assert condition == either(equal(own(MAP), 0), equal(own(POINTER), own(MAP)), ALONE)


def test_a_variable_that_is_not_live_holds_nothing() -> None:
    """Its place may be that of another variable; where it is live it counts."""
    end = Store(POINTER, TASK, Const(0))
    assert dropping(end) == ALWAYS
    model = run((), (end,))
    model.live = {at(1): frozenset({POINTER})}
    held, other = own(POINTER), equal(own(MAP), own(POINTER))
    expected = either(equal(held, 0), other, Unshared(HEAP, held, (TASK,)))
    assert retention(model).condition(model.steps[at(1)]) == expected


def test_a_drop_on_one_branch_matters_only_there() -> None:
    """Where the condition says that the pointer stays, nothing is asked."""
    for branch, taken in (
        (If(own(FLAG), (DROP,)), differ(own(FLAG), 0)),
        (If(own(FLAG), (), (DROP,)), negate(own(FLAG))),
    ):
        assert dropping(branch) == either(negate(taken), equal(own(MAP), 0), ALONE)


def test_a_condition_that_the_step_computes_is_not_used() -> None:
    """Neither a computed value nor a field that was just written can be looked at before."""
    always = either(equal(own(MAP), 0), ALONE)
    computed = Temp("t")
    assert dropping(Let(computed, own(FLAG)), If(computed, (DROP,))) == always
    assert dropping(Store(FLAG, TASK, Const(1)), If(own(FLAG), (DROP,))) == always


def test_the_outcome_of_an_allocation_is_not_known_before_it() -> None:
    """Each outcome may drop another pointer: what any of them drops must be kept."""
    pointers = MAP, POINTER
    fails, succeeds = (Store(pointer, TASK, Const(0)) for pointer in pointers)
    model = run((), (If(equal(CHOICE, 2), (fails,), (succeeds,)),))
    model.live = {at(1): frozenset({POINTER})}
    condition = retention(model).condition(model.steps[at(1)])
    kept = (
        either(equal(own(pointer), 0), Unshared(HEAP, own(pointer), (TASK,)))
        for pointer in pointers
    )
    assert condition == every(*kept)


def test_a_pointer_found_by_a_computed_slot_is_never_dropped() -> None:
    """Before the step it is not known whose it is."""
    assert dropping(Let(Temp("t"), own(FLAG)), Store(MAP, Temp("t"), Const(0))) == NEVER


def test_clearing_a_record_drops_its_pointers() -> None:
    """The slot of a task that is freed held a pointer."""
    gone = Load(MAP, Const(1))
    condition = dropping(Clear("task", Const(1)))
    kept = (equal(own(MAP), gone), Unshared(HEAP, gone, (TASK,)))
    assert condition == every(either(equal(gone, 0), *kept))
