"""Random statements: stores, tests, pointers followed, objects published and taken back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tools.fuzz_designs.generation.conditions import condition, test, value
from tools.fuzz_designs.generation.places import is_heap
from tools.fuzz_designs.generation.skeleton import block, calm
from tools.fuzz_designs.generation.vocabulary import MOST, ONLY_READ

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tools.fuzz_designs.generation.places import Place, Scope
    from tools.fuzz_designs.generation.skeleton import Lines
    from tools.fuzz_designs.generation.vocabulary import Field

_DEEPEST: Final = 3
_WRITTEN: Final = ("bool", "number", "ref", "sequence", "base", "level")
_LOOSE: Final = 0.04
"""How often a statement may write what the protocol of the ports needs."""


class Statements:
    """Makes random statements for one place in a design."""

    def __init__(self, rng: random.Random) -> None:
        """Draw from ``rng``."""
        self.rng = rng

    def some(self, scope: Scope, depth: int = 0) -> Lines:
        """Return one to three statements."""
        lines: Lines = []
        for _ in range(self.rng.choices([1, 2, 3], [6, 3, 1])[0]):
            lines += self.one(scope, depth)
        return lines

    def one(self, scope: Scope, depth: int) -> Lines:
        """Return one statement, which may take several lines."""
        simple: dict[Callable[[Scope, int], Lines], int] = {self.store: 12, self.number: 1}
        deep: dict[Callable[[Scope, int], Lines], int] = {
            self.test: 7,
            self.follow: 7,
            self.region: 0 if scope.calm else 3,
            self.publish: 0 if "task" not in scope.names or scope.calm else 2,
            self.take_back: 5,
            self.claim: 1,
            self.count: 2,
            self.repeat: 1,
            self.ask: 1 if {"cpu", "task"} <= scope.names.keys() and scope.hook != "settle" else 0,
            self.wait: 0 if scope.hook in {"switch_to", "bring_up"} else 1,
            self.leave: 1 if scope.hook in {"ioperm", "iopl"} else 0,
        }
        if scope.hook == "bring_up":
            simple, deep = {self.store: 1}, {}
        kinds = simple if depth >= _DEEPEST else {**simple, **deep}
        made = self.rng.choices(list(kinds), list(kinds.values()))[0](scope, depth)
        return made or self.probe()

    def probe(self) -> Lines:
        """Return a step without effect: whether it is reached is compared."""
        return [f"p{self.rng.randrange(10**6)} = 0"]

    def store(self, scope: Scope, _depth: int) -> Lines:
        """Return a store to a field."""
        loose = self.rng.random() < _LOOSE
        place = scope.pick(self.rng, *_WRITTEN, extra=not loose)
        if place is None:
            return []
        if place.field.name in ONLY_READ:
            return []
        if is_heap(place.field.target) and self.rng.random() < 0.8:
            return []  # most such stores lose an object at once
        return [f"{place.text} = {value(self.rng, scope, place)}"]

    def number(self, scope: Scope, _depth: int) -> Lines:
        """Return a store of a new sequence number."""
        place = scope.pick(self.rng, "sequence", extra=True)
        return [] if place is None else [f"{place.text} = self.next_sequence()"]

    def test(self, scope: Scope, depth: int) -> Lines:
        """Return an ``if``; what it guards is often only a probe."""
        body = self.probe() if self.rng.random() < 0.2 else self.some(scope, depth + 1)
        lines = block(f"if {condition(self.rng, scope)}:", body)
        if self.rng.random() < 0.2:
            lines += block("else:", self.some(scope, depth + 1))
        return lines

    def follow(self, scope: Scope, depth: int) -> Lines:
        """Return a pointer that is read once and followed if there is anything behind it."""
        place = scope.pick(self.rng, "ref")
        return [] if place is None else self._follow(scope, place, depth)

    def _follow(self, scope: Scope, place: Place, depth: int) -> Lines:
        name = scope.fresh_name(self.rng)
        inner = scope.with_name(name, place.field.target)
        beyond = [p for p in inner.places_of(name) if p.field.kind != "bitmap"]
        onward = [p for p in beyond if p.field.kind == "ref"]
        if onward and depth < _DEEPEST and self.rng.random() < 0.5:
            body = self._follow(inner, self.rng.choice(onward), depth + 1)
        elif beyond and self.rng.random() < 0.7:
            body = self._look(inner, self.rng.choice(beyond))
        else:
            body = self.some(inner, depth + 1)
        return [f"{name} = {place.text}", *block(f"if {name} is not NULL:", body)]

    def _look(self, scope: Scope, place: Place) -> Lines:
        """Return a statement about one field of what was reached."""
        kind = self.rng.choice(["test", "test", "write", "copy"])
        if kind == "test":
            body = self.probe() if self.rng.random() < 0.6 else self.store(scope, _DEEPEST)
            return block(f"if {test(self.rng, scope, place)}:", body or self.probe())
        if kind == "copy":
            target = scope.pick(self.rng, place.field.kind, extra=True, target=place.field.target)
            return self.probe() if target is None else [f"{target.text} = {place.text}"]
        if place.field.extra and not is_heap(place.field.target):
            return [f"{place.text} = {value(self.rng, scope, place)}"]
        return self.probe()

    def connect(self, scope: Scope, field: Field) -> Lines:
        """Return what makes a pointer of that name refer to something."""
        places = [p for p in scope.places() if p.field == field]
        if not places:
            return []
        place = self.rng.choice(places)
        if is_heap(field.target):
            return self._publish(scope, place)
        names = [n for n in scope.pointers(field.target) if n != place.text.split(".")[0]]
        return [f"{place.text} = {self.rng.choice(names)}"] if names else []

    def region(self, scope: Scope, depth: int) -> Lines:
        """Return statements with preemption off."""
        return calm(self.some(replace(scope, calm=True), depth + 1))

    def publish(self, scope: Scope, _depth: int) -> Lines:
        """Return an allocation that something is made to refer to, before or after a store."""
        places = [
            p
            for p in scope.places()
            if p.field.kind == "ref" and is_heap(p.field.target) and p.field.extra
        ]
        if not places:
            return []
        return self._publish(scope, self.rng.choice(places))

    def _publish(self, scope: Scope, place: Place) -> Lines:
        name = scope.fresh_name(self.rng)
        inner = scope.with_name(name, place.field.target)
        own = [p for p in inner.places_of(name) if not is_heap(p.field.target)]
        stores = [[f"{place.text} = {name}"]]
        chosen = self.rng.sample(own, min(len(own), self.rng.choice([1, 1, 2])))
        stores += [[f"{each.text} = {value(self.rng, inner, each)}"] for each in chosen]
        self.rng.shuffle(stores)
        used = block(f"if {name} is not NULL:", [line for lines in stores for line in lines])
        made = [f"{name} = self.allocate({place.field.target})", *used]
        return block(f"if {place.text} is NULL:", made)

    def take_back(self, scope: Scope, _depth: int) -> Lines:
        """Return a pointer that is cleared and its object freed."""
        places = [
            p
            for p in scope.places()
            if p.field.kind == "ref" and is_heap(p.field.target) and p.field.extra
        ]
        if not places:
            return []
        place, name = self.rng.choice(places), scope.fresh_name(self.rng)
        steps = [[f"{place.text} = NULL"], [f"self.free({name})"]]
        if self.rng.random() < 0.2:
            steps.reverse()
        body = [line for lines in steps for line in lines]
        return [f"{name} = {place.text}", *block(f"if {name} is not NULL:", body)]

    def claim(self, scope: Scope, _depth: int) -> Lines:
        """Return an assertion."""
        return [f"assert {condition(self.rng, scope)}"]

    def count(self, scope: Scope, _depth: int) -> Lines:
        """Return a number that goes up or down by one, within its bounds."""
        place = scope.pick(self.rng, "number", extra=True)
        if place is None:
            return []
        if self.rng.random() < 0.6:
            return block(f"if {place.text} < {MOST}:", [f"{place.text} += 1"])
        return block(f"if {place.text} > 0:", [f"{place.text} -= 1"])

    def repeat(self, scope: Scope, depth: int) -> Lines:
        """Return a counted loop, which may end early."""
        body = self.store(scope, depth) or self.probe()
        if self.rng.random() < 0.5:
            ends = self.rng.choice(["break", "continue"])
            body += [*block(f"if {condition(self.rng, scope)}:", [ends]), *self.probe()]
        return block(f"for {scope.fresh_name(self.rng)} in range(2):", body)

    def ask(self, scope: Scope, _depth: int) -> Lines:
        """Return a call of the method ``settle``, and what depends on its result."""
        name = scope.fresh_name(self.rng)
        test = self.rng.choice([f"{name} < 0", f"{name} == -EPERM", f"{name} == 0"])
        return [f"{name} = self.settle(cpu, task)", *block(f"if {test}:", self.probe())]

    def wait(self, scope: Scope, depth: int) -> Lines:
        """Return a loop that something else has to end."""
        return block(
            f"while {condition(self.rng, scope)}:", self.store(scope, depth) or self.probe()
        )

    def leave(self, scope: Scope, _depth: int) -> Lines:
        """Return a refusal, often under a condition only."""
        return block(f"if {condition(self.rng, scope)}:", ["return -EPERM"])
