"""Tests that every part of a step is seen, and only what is to change changes."""

from tests.support.translate.small_models import COUNT, FLAG, HEAP, LEVEL, MAP, at, own

from iopermit.translate.model.builder import slot_of
from iopermit.translate.model.nodes import (
    TASK,
    USER,
    Binary,
    Check,
    Clear,
    Const,
    Expr,
    Goto,
    If,
    Let,
    Load,
    Select,
    Stmt,
    Store,
    Temp,
    Unshared,
)
from iopermit.translate.model.walk import (
    expressions,
    map_expressions,
    map_gotos,
    statements,
    subexpressions,
    targets,
)

VALUE = Select(own(FLAG), Binary("add", own(LEVEL), Const(7)), Load(COUNT, slot_of(own(MAP))))
BODY: tuple[Stmt, ...] = (
    Let(Temp("t"), Const(7)),
    Check(Binary("lt", own(LEVEL), Const(7)), "message"),
    If(
        Binary("eq", own(LEVEL), Const(7)),
        (Store(FLAG, TASK, VALUE), Goto(at(1))),
        (Clear(HEAP, Const(7)), Goto(USER)),
    ),
)
"""One of each kind of statement; the number 7 in each place where there can be an expression."""


def test_statements_inside_conditionals_are_seen() -> None:
    """Both branches are walked through."""
    kinds = [type(statement) for statement in statements(BODY)]
    assert kinds == [Let, Check, If, Store, Goto, Clear, Goto]


def test_every_expression_is_seen() -> None:
    """The values, conditions and slots of all statements are walked through."""
    found = list(expressions(BODY))
    assert found.count(Const(7)) == 5
    assert {own(FLAG), own(LEVEL), own(MAP), TASK} <= set(found)


def test_parts_of_an_expression_are_seen() -> None:
    """Operands, alternatives and the slots of fields are parts; the whole comes first."""
    parts = list(subexpressions(VALUE))
    assert parts[0] == VALUE
    assert {own(FLAG), Const(7), own(MAP), Const(1)} <= set(parts)


def test_targets_are_those_of_both_branches() -> None:
    """A step can go on to whatever a goto in it names."""
    assert targets(BODY) == {at(1), USER}


def test_gotos_are_renumbered_and_nothing_else() -> None:
    """Steps that have no new number keep theirs."""
    changed = map_gotos(BODY, {at(1): at(5)})
    assert targets(changed) == {at(5), USER}
    assert map_gotos(changed, {at(5): at(1)}) == BODY


def seven_to_eight(part: Expr) -> Expr:
    """Replace the number 7."""
    return Const(8) if part == Const(7) else part


def test_expressions_are_replaced_everywhere() -> None:
    """Every place that is walked through is a place that is changed."""
    changed = list(expressions(map_expressions(BODY, seven_to_eight)))
    assert (changed.count(Const(7)), changed.count(Const(8))) == (0, 5)
    assert map_expressions(BODY, lambda part: part) == BODY


def test_owners_of_an_object_are_replaced() -> None:
    """The tasks that an object is private to are expressions too."""
    body: tuple[Stmt, ...] = (Let(Temp("t"), Unshared(HEAP, Const(7), (TASK, Const(7)))),)
    assert map_expressions(body, seven_to_eight) == (
        Let(Temp("t"), Unshared(HEAP, Const(8), (TASK, Const(8)))),
    )
