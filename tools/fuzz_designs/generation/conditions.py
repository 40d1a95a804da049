"""Random conditions and values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tools.fuzz_designs.generation.vocabulary import MOST

if TYPE_CHECKING:
    import random

    from tools.fuzz_designs.generation.places import Place, Scope

BASES: Final = ("IoMapBase.VALID", "IoMapBase.INVALID")
_TESTED: Final = ("bool", "number", "ref", "sequence", "base", "level", "longs", "refcount")


def condition(rng: random.Random, scope: Scope, *, joined: bool = True) -> str:
    """Return a random condition; only one of two joined parts touches shared state."""
    place = scope.pick(rng, *_TESTED)
    if scope.hook == "ioperm" and rng.random() < 0.1:
        return rng.choice(["turn_on", "not turn_on"])
    if place is None:
        return "cpu.tr_limit_low"
    text = test(rng, scope, place)
    if joined and not place.shared and rng.random() < 0.3:
        return f"{text} {rng.choice(['and', 'or'])} {condition(rng, scope, joined=False)}"
    return text


def test(rng: random.Random, scope: Scope, place: Place) -> str:
    """Return a random test of one place."""
    field, text = place.field, place.text
    match field.kind:
        case "bool":
            return rng.choice([text, f"not {text}"])
        case "number" | "level" | "longs" | "refcount":
            number = rng.randrange(MOST + 1)
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
    constants = {
        "bool": ("True", "False"),
        "number": tuple(map(str, range(MOST + 1))),
        "level": ("0", "3"),
        "base": BASES,
    }
    return rng.choice(constants.get(field.kind, ("0",)))


def _pointer(rng: random.Random, scope: Scope, place: Place) -> str:
    names = scope.pointers(place.field.target)
    other = scope.pick(rng, "ref", target=place.field.target)
    if other is not None and other.text != place.text and rng.random() < 0.3:
        return other.text
    return rng.choice([*names, *names, "NULL"])
