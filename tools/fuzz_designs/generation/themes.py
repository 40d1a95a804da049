"""Statements that belong together: objects that others reach, marks, tags, ends of tasks.

Two statements chosen independently rarely have to do with each other. Each theme chooses a few
fields, and one statement for each role in a protocol about them, in random hooks and orders.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tools.fuzz_designs.generation.skeleton import block, calm
from tools.fuzz_designs.generation.vocabulary import MOST, Field

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tools.fuzz_designs.generation.skeleton import Lines

RANK: Final = Field("Task", "rank", "number", extra=True)
MARK: Final = Field("Task", "mark", "bool", extra=True)
NOTE: Final = Field("Task", "note", "ref", "Note", extra=True)
NOTE_RANK: Final = Field("Note", "rank", "number", extra=True)

_CALLS: Final = ("ioperm", "iopl", "execve")
"""System calls that come from the environment at any time."""

_EVENTS: Final = {
    "ioperm": "ioperm", "iopl": "iopl", "execve": "exec", "fork": "fork", "exit": "exit",
    "read_map": "read-map", "fork_failed_early": "fork-fails-early",
}  # fmt: skip
"""The events that the hooks need."""


@dataclass
class Theme:
    """Fields, and statements by hook."""

    fields: list[Field]
    lines: dict[str, list[Lines]] = field(default_factory=dict)

    def add(self, hook: str, lines: Lines) -> None:
        """Add statements to a hook."""
        self.lines.setdefault(hook, []).append(lines)

    @property
    def events(self) -> frozenset[str]:
        """The names of the events that reach the hooks."""
        return frozenset(_EVENTS[hook] for hook in self.lines if hook in _EVENTS)


def random_theme(rng: random.Random) -> Theme:
    """Return one of the themes."""
    made: Callable[[random.Random], Theme] = rng.choice(
        [objects, objects, marks, marks, tags, ends]
    )
    return made(rng)


def _probe(rng: random.Random) -> Lines:
    return [f"p{rng.randrange(10**6)} = 0"]


def _name(rng: random.Random) -> str:
    return f"v{rng.randrange(10**6)}"


def _shuffled(rng: random.Random, *statements: Lines) -> Lines:
    order = list(statements)
    rng.shuffle(order)
    return [line for lines in order for line in lines]


def _sometimes_calm(rng: random.Random, lines: Lines, chance: float = 0.5) -> Lines:
    return calm(lines) if rng.random() < chance else lines


def _value(rng: random.Random, kind: str) -> str:
    return rng.choice(["True", "False"]) if kind == "bool" else str(rng.randint(0, MOST))


def _follow(rng: random.Random, place: str, then: Callable[[str], Lines]) -> Lines:
    name = _name(rng)
    return [f"{name} = {place}", *block(f"if {name} is not NULL:", then(name))]


# Objects that one task publishes, and that others reach through a pointer to the task or to it.


def objects(rng: random.Random) -> Theme:
    """Publish an object, reach it from elsewhere, look at it; perhaps take it back."""
    theme = Theme([NOTE, NOTE_RANK])
    link = rng.choice(["peer", "last", "boss", "global", "shared", "nested"])
    reach = _link(rng, theme, link)
    hook = rng.choice(_CALLS)
    theme.add(hook, _sometimes_calm(rng, _publish(rng, link)))
    readers = rng.choice([1, 1, 2])
    for _ in range(readers):
        hook = rng.choice([*_CALLS, "switch_to", "return_to_user", "read_map"])
        other = {"switch_to": "following.", "read_map": "target."}.get(hook, "task.")
        way = [step.replace("task.", other) for step in reach]
        look = _reach(rng, way, lambda name: _look(rng, theme, name))
        theme.add(hook, look if hook == "switch_to" else _sometimes_calm(rng, look))
    if rng.random() < 0.6:
        theme.add(rng.choice(_CALLS), _sometimes_calm(rng, _withdraw(rng, link)))
    if rng.random() < 0.15:
        theme.add("fork_failed_early", ["child.note = NULL"])
    return theme


def _link(rng: random.Random, theme: Theme, link: str) -> list[str]:
    """Add what makes the object reachable, and return the fields on the way to it."""
    match link:
        case "peer":
            theme.fields.append(Field("Task", "peer", "ref", "Task", extra=True))
            if rng.random() < 0.6:
                theme.add("fork", ["child.note = NULL", "child.peer = task"])
            else:
                theme.add("switch_to", ["following.peer = previous"])
            return ["task.peer", "note"]
        case "last":
            theme.fields.append(Field("Cpu", "last", "ref", "Task", extra=True))
            theme.add("switch_to", [f"cpu.last = {rng.choice(['previous', 'following'])}"])
            return ["cpu.last", "note"]
        case "boss":
            theme.fields.append(Field("Globals", "boss", "ref", "Task", extra=True))
            theme.add(rng.choice(_CALLS), ["self.globals.boss = task"])
            return ["self.globals.boss", "note"]
        case "global":
            theme.fields.append(Field("Globals", "note", "ref", "Note", extra=True))
            return ["self.globals.note"]
        case "nested":
            theme.fields.append(Field("Note", "next", "ref", "Note", extra=True))
            theme.add("fork", ["pass"])
            return ["task.note", "next"]
    theme.add("fork", ["pass"])  # the child has its parent's pointers
    return ["task.note"]


def _publish(rng: random.Random, link: str) -> Lines:
    name, place = _name(rng), {"global": "self.globals.note"}.get(link, "task.note")
    rank = [f"{name}.rank = {rng.randint(1, MOST)}"]
    stores = _shuffled(rng, [f"{place} = {name}"], rank)
    made = [f"{name} = self.allocate(Note)", *block(f"if {name} is not NULL:", stores)]
    first = block(f"if {place} is NULL:", made)
    if link != "nested":
        return first
    outer = _name(rng)
    inner = [line.replace("task.note", f"{outer}.next") for line in first]
    return [*first, *block("else:", [f"{outer} = task.note", *inner])]


def _withdraw(rng: random.Random, link: str) -> Lines:
    place = {"global": "self.globals.note", "nested": "task.note"}.get(link, "task.note")

    def away(name: str) -> Lines:
        target = f"{name}.next" if link == "nested" else place
        freed = _name(rng) if link == "nested" else name
        steps = [f"{target} = NULL", f"self.free({freed})"]
        if rng.random() < 0.15:
            steps.reverse()
        if link != "nested":
            return steps
        return [f"{freed} = {target}", *block(f"if {freed} is not NULL:", steps)]

    return _follow(rng, place, away)


def _reach(rng: random.Random, way: list[str], then: Callable[[str], Lines]) -> Lines:
    """Follow pointers, each read in a statement of its own."""
    if len(way) == 1:
        return _follow(rng, way[0], then)
    return _follow(rng, way[0], lambda name: _reach(rng, [f"{name}.{way[1]}", *way[2:]], then))


def _look(rng: random.Random, theme: Theme, name: str) -> Lines:
    """Look at an object: test it, copy from it, or write to it."""
    kind = rng.choice(["test", "test", "copy", "write"])
    if kind == "test":
        test = f"{name}.rank {rng.choice(['==', '!='])} {rng.randint(0, MOST)}"
        return block(f"if {test}:", _probe(rng))
    if kind == "copy":
        if RANK not in theme.fields:
            theme.fields.append(RANK)
        return [f"cpu.current.rank = {name}.rank"]
    return [f"{name}.rank = {rng.randint(0, MOST)}"]


# Marks that a switch sets, a system call clears, and something later heeds.


def marks(rng: random.Random) -> Theme:
    """Set a mark at the switch, change it in a system call, and act on it later."""
    mark = rng.choice([MARK, RANK])
    other = rng.choice([
        Field("Cpu", "rank", "number", extra=True),
        Field("Task", "count", "number", extra=True),
        Field("Globals", "rank", "number", extra=True),
        Field("Cpu", "mark", "bool", extra=True),
    ])  # fmt: skip
    theme = Theme([mark, other])
    where = {"Cpu": "cpu", "Task": "task", "Globals": "self.globals"}[other.record]
    here = f"{where}.{other.name}"
    whose = rng.choice(["previous", "following", "following"])
    _switching(rng, theme, mark, other, whose)
    store = [f"task.{mark.name} = {_value(rng, mark.kind)}"]
    effect = [f"{here} = {_value(rng, other.kind)}"]
    if rng.random() < 0.3:
        name = _name(rng)
        store = [f"{name} = task.{mark.name}", *effect, f"task.{mark.name} = {name}"]
    call = _sometimes_calm(rng, effect, 0.3) + _sometimes_calm(rng, store, 0.3)
    theme.add(rng.choice(_CALLS), call)
    for _ in range(rng.choice([1, 2])):
        heed = block(
            f"if {_is(rng, f'task.{mark.name}', mark.kind)}:", _heed(rng, mark, here, other)
        )
        theme.add(rng.choice([*_CALLS, "return_to_user", "return_to_user"]), heed)
    return theme


def _switching(rng: random.Random, theme: Theme, mark: Field, other: Field, whose: str) -> None:
    """Let the switch write the mark, perhaps under a condition, perhaps the other field too."""
    lines = [f"{whose}.{mark.name} = {_value(rng, mark.kind)}"]
    there = {"Cpu": "cpu", "Task": whose, "Globals": "self.globals"}[other.record]
    kind = rng.random()
    if kind < 0.3:
        lines += [f"{there}.{other.name} = {_value(rng, other.kind)}"]
    elif kind < 0.6:
        lines = block(f"if {_is(rng, f'{there}.{other.name}', other.kind)}:", lines)
    theme.add("switch_to", lines)


def _is(rng: random.Random, place: str, kind: str) -> str:
    if kind == "bool":
        return rng.choice([place, f"not {place}"])
    return f"{place} {rng.choice(['==', '!='])} {rng.randint(0, MOST)}"


def _heed(rng: random.Random, mark: Field, here: str, other: Field) -> Lines:
    lines = [f"task.{mark.name} = {_value(rng, mark.kind)}"] if rng.random() < 0.6 else []
    kind = rng.random()
    if kind < 0.4:
        lines += [f"{here} = {_value(rng, other.kind)}"]
    elif kind < 0.8:
        lines += block(f"if {_is(rng, here, other.kind)}:", _probe(rng))
    return lines or _probe(rng)


# Pointers that are only compared: whose map a CPU has. Memory that is used again looks the same.


def tags(rng: random.Random) -> Theme:
    """Remember an object by its address, free it, allocate another, compare."""
    tag = rng.choice([
        Field("Cpu", "note", "ref", "Note", extra=True),
        Field("Tss", "note", "ref", "Note", extra=True),
        Field("Globals", "note", "ref", "Note", extra=True),
    ])  # fmt: skip
    gate = Field("Globals", "mark", "bool", extra=True)
    theme = Theme([NOTE, NOTE_RANK, MARK, tag, gate])
    place = {"Cpu": "cpu.note", "Tss": "cpu.tss.note", "Globals": "self.globals.note"}[tag.record]
    fresh = _shuffled(rng, _publish(rng, "direct"), ["task.mark = False"])
    opened = block(f"if {_is(rng, 'self.globals.mark', 'bool')}:", fresh)
    theme.add(rng.choice(_CALLS), rng.choice([opened, fresh]))
    gone = _withdraw(rng, "direct")
    if rng.random() < 0.7:
        # Before it is freed, or after.
        closed = f"self.globals.mark = {_value(rng, 'bool')}"
        gone.insert(rng.choice([0, 0, len(gone)]), closed)
    theme.add(rng.choice([*_CALLS, "exit"]), _sometimes_calm(rng, gone))
    hook = rng.choice([*_CALLS, "switch_to"])
    mine = "following" if hook == "switch_to" else "task"
    noted = [f"{place} = {mine}.note", f"{mine}.mark = True"]
    theme.add(hook, noted if hook == "switch_to" else _sometimes_calm(rng, noted))

    def compared(name: str) -> Lines:
        inner = block(f"if {_is(rng, 'task.mark', 'bool')}:", _probe(rng))
        return block(f"if {place} {rng.choice(['is', 'is', 'is not'])} {name}:", inner)

    theme.add(rng.choice([*_CALLS, "return_to_user"]), _follow(rng, "task.note", compared))
    if rng.random() < 0.5:
        theme.add(rng.choice(_CALLS), [f"self.globals.mark = {_value(rng, 'bool')}"])
    return theme


# Ends of tasks: what a switch makes of a task that looks like an idle one.


def ends(rng: random.Random) -> Theme:
    """Let the switch look at fields of both tasks, and tasks end after they changed theirs."""
    last = Field("Cpu", "last", "ref", "Task", extra=True)
    other = rng.choice([last, Field("Cpu", "rank", "number", extra=True), MARK])
    theme = Theme([RANK, other] if other != RANK else [RANK, MARK])
    tests = [_is(rng, f"{rng.choice(['previous', 'following'])}.rank", "number")]
    if other == last:
        theme.add(*rng.choice([
            ("exit", ["cpu.last = task"]),
            ("switch_to", [f"cpu.last = {rng.choice(['previous', 'following', 'NULL'])}"]),
        ]))  # fmt: skip
        task = rng.choice(["previous", "following"])
        tests.append(f"cpu.last {rng.choice(['is', 'is not'])} {task}")
    elif other.record == "Cpu":
        tests.append(_is(rng, "cpu.rank", "number"))
        theme.add("exit", [f"cpu.rank = {rng.randint(0, MOST)}"])
    else:
        tests.append(_is(rng, f"{rng.choice(['previous', 'following'])}.mark", "bool"))
        theme.add(rng.choice([*_CALLS, "exit"]), [f"task.mark = {_value(rng, 'bool')}"])
    rng.shuffle(tests)
    inner = _probe(rng)
    if other.record == "Cpu" and other != last:
        inner = [f"cpu.rank = {rng.randint(0, MOST)}"]
    theme.add("switch_to", block(f"if {tests[0]}:", block(f"if {tests[1]}:", inner)))
    theme.add(rng.choice([*_CALLS, "exit"]), [f"task.rank = {rng.randint(0, MOST)}"])
    if rng.random() < 0.5:
        theme.add("exit", _sometimes_calm(rng, ["task.rank = 0"]))
    if "exit" not in theme.lines:
        theme.add("exit", _probe(rng))
    return theme
