"""Random conditions and values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tools.fuzz_designs.generation.vocabulary import MOST

if TYPE_CHECKING:
    import random

    from tools.fuzz_designs.generation.places import Place, Scope
    from tools.fuzz_designs.generation.vocabulary import Field

BASES: Final = ("IoMapBase.VALID", "IoMapBase.INVALID")
_TESTED: Final = ("bool", "number", "ref", "sequence", "base", "level", "longs", "refcount")


def condition(rng: random.Random, scope: Scope, *, joined: bool = True) -> str:
    """Return a random condition; only one of two joined parts touches shared state."""
    if scope.hook == "ioperm" and rng.random() < 0.1:
        return rng.choice(["turn_on", "not turn_on"])
    special = _graded(rng, scope) if rng.random() < 0.06 else ""
    special = special or (_guarded(rng, scope) if joined and rng.random() < 0.2 else "")
    if special:
        return special
    place = scope.pick(rng, *_TESTED)
    if place is None:
        return "cpu.tr_limit_low"
    text = test(rng, scope, place)
    if joined and not place.shared and rng.random() < 0.3:
        return f"{text} {rng.choice(['and', 'or'])} {condition(rng, scope, joined=False)}"
    return text


def _guarded(rng: random.Random, scope: Scope) -> str:
    """Return a test of what is behind a pointer, if anything is; empty if there is no pointer."""
    pointers = [p for p in scope.places() if p.field.kind == "ref" and not p.shared]
    if not pointers:
        return ""
    place = rng.choice(pointers)
    inner_scope = scope.with_name(place.text, place.field.target)
    beyond = [p for p in inner_scope.places_of(place.text) if p.field.kind in {"bool", "number"}]
    if not beyond:
        return ""
    inner = test(rng, scope, rng.choice(beyond))
    if rng.random() < 0.7:
        return f"{place.text} is not NULL and {inner}"
    return f"{place.text} is NULL or {inner}"


def graded_field(scope: Scope) -> Field | None:
    """Return the field that the method ``grade`` is about, if there is any."""
    fields = [f for f in scope.fields if f.record == "Task" and f.kind in {"bool", "number"}]
    return next((f for f in fields if f.extra), None)


def _graded(rng: random.Random, scope: Scope) -> str:
    tasks = scope.pointers("Task")
    if graded_field(scope) is None or not tasks or scope.hook == "grade":
        return ""
    return f"self.grade({rng.choice(tasks)}) {rng.choice(['==', '!='])} {rng.randint(0, 2)}"


def test(rng: random.Random, scope: Scope, place: Place) -> str:
    """Return a random test of one place."""
    field, text = place.field, place.text
    match field.kind:
        case "bool":
            return rng.choice([text, f"not {text}"])
        case "number" | "level" | "longs" | "refcount":
            # Of longs the scenarios have too few for a larger one.
            number = rng.randrange(2 if field.kind == "longs" else MOST + 1)
            return f"{text} {rng.choice(['==', '!=', '<', '>='])} {number}"
        case "base":
            return f"{text} {rng.choice(['==', '!='])} {rng.choice(BASES)}"
        case "ref":
            others = [*scope.pointers(field.target), "NULL", "NULL"]
            return f"{text} {rng.choice(['is', 'is not'])} {rng.choice(others)}"
    other = scope.pick(rng, "sequence")
    same = other is None or other.text == text or (other.shared and place.shared)
    against = "0" if same or other is None else other.text
    return f"{text} {rng.choice(['==', '!='])} {against}"


def value(rng: random.Random, scope: Scope, place: Place) -> str:
    """Return a random value for a place."""
    field = place.field
    if field.kind == "ref":
        return _pointer(rng, scope, place)
    other = scope.pick(rng, field.kind)
    if other is not None and (field.kind == "sequence" or rng.random() < 0.25):
        return other.text
    if field.kind == "bool" and rng.random() < 0.15:
        return condition(rng, scope, joined=False)
    if field.kind == "number" and rng.random() < 0.25:
        return _computed(rng, scope, place)
    constants = {
        "bool": ("True", "False"),
        "number": tuple(map(str, range(MOST + 1))),
        "level": ("0", "3"),
        "base": BASES,
    }
    return rng.choice(constants.get(field.kind, ("0",)))


def _computed(rng: random.Random, scope: Scope, place: Place) -> str:
    """Return a number that is worked out."""
    number = rng.randrange(MOST + 1)
    if rng.random() < 0.5:
        which = condition(rng, scope, joined=False)
        return f"{number} if {which} else {rng.randrange(MOST + 1)}"
    if rng.random() < 0.5:
        return f"min({place.text} + 1, {MOST})"
    return f"max({place.text}, {number})"


def _pointer(rng: random.Random, scope: Scope, place: Place) -> str:
    names = scope.pointers(place.field.target)
    other = scope.pick(rng, "ref", target=place.field.target)
    if other is not None and other.text != place.text and rng.random() < 0.3:
        return other.text
    return rng.choice([*names, *names, "NULL"])
