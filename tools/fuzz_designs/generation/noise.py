"""Adds to a right design what it does not need: more state, and random statements about it."""

from __future__ import annotations

import ast
import textwrap
from typing import TYPE_CHECKING, Final

from tools.fuzz_designs.generation.conditions import condition, graded_field
from tools.fuzz_designs.generation.places import Scope
from tools.fuzz_designs.generation.statements import Statements
from tools.fuzz_designs.generation.vocabulary import Field

from iopermit.system.events import Event
from iopermit.system.events.hooks import HOOKS, Returns

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from tools.fuzz_designs.generation.skeleton import Lines

_CHANCES: Final = {
    "ioperm": (6, Event.IOPERM),
    "switch_to": (7, None),
    "return_to_user": (3, None),
    "execve": (5, Event.EXEC),
    "fork": (4, Event.FORK),
    "iopl": (4, Event.IOPL),
    "exit": (2, Event.EXIT),
    "vm_exit": (2, Event.VM_EXIT),
    "general_protection": (1, None),
    "bring_up": (1, None),
    "load": (1, None),
    "fork_failed": (1, Event.FORK_FAILS),
    "fork_failed_early": (3, Event.FORK_FAILS_EARLY),
    "read_map": (5, Event.READ_MAP),
}
"""How likely each hook gets a statement, and without which event it would be in vain."""

_RESULTS: Final = {Returns.ERROR: "return 0", Returns.FLAG: "return False"}

_SCALARS: Final = {
    Field("Task", "mark", "bool", extra=True): 4,
    Field("Task", "rank", "number", extra=True): 8,
    Field("Cpu", "mark", "bool", extra=True): 2,
    Field("Cpu", "rank", "number", extra=True): 4,
    Field("Globals", "mark", "bool", extra=True): 2,
    Field("Globals", "rank", "number", extra=True): 3,
    Field("Tss", "mark", "bool", extra=True): 2,
    Field("Task", "ticket", "sequence", extra=True): 1,
    Field("Cpu", "ticket", "sequence", extra=True): 1,
}

_TASK_NOTE: Final = Field("Task", "note", "ref", "Note", extra=True)
_GLOBAL_NOTE: Final = {Field("Globals", "note", "ref", "Note", extra=True): 2}

_POINTERS: Final = {
    Field("Task", "peer", "ref", "Task", extra=True): 3,
    Field("Cpu", "last", "ref", "Task", extra=True): 2,
    Field("Globals", "boss", "ref", "Task", extra=True): 2,
    _TASK_NOTE: 5,
    Field("Cpu", "note", "ref", "Note", extra=True): 1,
    **_GLOBAL_NOTE,
}

_NOTE: Final = [
    Field("Note", "rank", "number", extra=True),
    Field("Note", "next", "ref", "Note", extra=True),
    Field("Note", "owner", "ref", "Task", extra=True),
]


def extra_fields(rng: random.Random, amount: int) -> list[Field]:
    """Return fields that no protocol needs, and those of the objects they refer to.

    Mostly they go together: marks that are set and tested, objects that others reach through a
    task, pointers to tasks.
    """
    theme = rng.choice(["marks", "objects", "objects", "tasks", "any"])
    tasks = {f: n for f, n in _POINTERS.items() if f.target == "Task"}
    match theme:
        case "marks":
            chosen = _draw(rng, _SCALARS, amount)
        case "objects":
            chosen = [_TASK_NOTE, *_draw(rng, {**tasks, **_GLOBAL_NOTE}, 1)]
            chosen += _draw(rng, _SCALARS, max(0, amount - 2))
        case "tasks":
            chosen = _draw(rng, tasks, 1) + _draw(rng, _SCALARS, max(1, amount - 1))
        case _:
            chosen = _draw(rng, {**_SCALARS, **_POINTERS}, amount)
    if any(field.target == "Note" for field in chosen):
        chosen += [_NOTE[0], *rng.sample(_NOTE[1:], rng.choice([0, 0, 1]))]
    return list(dict.fromkeys(chosen))


def _draw(rng: random.Random, fields: dict[Field, int], amount: int) -> list[Field]:
    return rng.choices(list(fields), list(fields.values()), k=amount)


def random_hook(rng: random.Random, bodies: dict[str, Lines], events: frozenset[Event]) -> str:
    """Return a hook that the events reach."""
    chances = _chances(bodies, events)
    return rng.choices(list(chances), list(chances.values()))[0]


def busy_hooks(rng: random.Random, events: frozenset[Event]) -> list[str]:
    """Return two or three different hooks that the events reach, mostly with ``switch_to``."""
    chances = _chances({}, events - {Event.IOPERM} if len(events) > 1 else events)
    hooks = {"switch_to"} if rng.random() < 0.7 else set()
    for _ in range(rng.choice([1, 2, 3])):
        hooks.add(rng.choices(list(chances), list(chances.values()))[0])
    return sorted(hooks)


def _chances(bodies: dict[str, Lines], events: frozenset[Event]) -> dict[str, int]:
    every = {**dict.fromkeys(HOOKS, (1, None)), **_CHANCES}
    return {
        hook: chance
        for hook, (chance, event) in every.items()
        if (event is None or event in events)
        and (hook not in {"load", "general_protection"} or hook in bodies)
    }


def add_noise(
    rng: random.Random, bodies: dict[str, Lines], fields: list[Field], hook: str
) -> dict[str, Lines]:
    """Return the bodies with random statements in one hook."""
    scope = Scope.of_method(tuple(fields), hook)
    return place(rng, bodies, hook, Statements(rng).some(scope))


def place(
    rng: random.Random, bodies: dict[str, Lines], hook: str, lines: Lines
) -> dict[str, Lines]:
    """Return the bodies with lines somewhere in one hook."""
    returned = HOOKS[hook].returns if hook in HOOKS else Returns.NOTHING
    body = bodies.get(hook) or [_RESULTS.get(returned, "pass")]
    return {**bodies, hook: insert(rng, body, lines)}


def connect(
    rng: random.Random, bodies: dict[str, Lines], fields: list[Field], hooks: list[str]
) -> dict[str, Lines]:
    """Return the bodies with a statement for each extra pointer that makes it point somewhere."""
    made = dict(bodies)
    for field in fields:
        if field.kind != "ref" or not field.extra or field.record == "Note":
            continue
        calls = [h for h in hooks if h not in {"switch_to", "return_to_user", "bring_up"}]
        hook = rng.choice((calls if field.target == "Note" else hooks) or ["ioperm"])
        scope = Scope.of_method(tuple(fields), hook)
        lines = Statements(rng).connect(scope, field)
        if lines:
            made = place(rng, made, hook, lines)
    return made


def with_helpers(
    rng: random.Random, bodies: dict[str, Lines], fields: list[Field]
) -> dict[str, Lines]:
    """Return the bodies with the methods that they call and that are not there yet."""
    made = dict(bodies)
    if "self.settle(" in _text(made):
        scope = Scope.of_method(tuple(fields), "settle")
        refused = f"if {condition(rng, scope)}:", "    return -EPERM"
        made["settle"] = [*Statements(rng).some(scope), *refused, "return 0"]
    if "self.grade(" in _text(made):
        field = graded_field(Scope.of_method(tuple(fields), "grade"))
        name = field.name if field is not None else "privileged"
        number = field is not None and field.kind == "number"
        made["grade"] = [
            f"return max(task.{name}, 1)" if number else f"return 1 if task.{name} else 0"
        ]
    return made


def _text(bodies: dict[str, Lines]) -> str:
    return "\n".join(line for body in bodies.values() for line in body)


def insert(rng: random.Random, body: Lines, lines: Lines) -> Lines:
    """Return the body with more lines at a random place that a ``return`` does not precede."""
    tree = ast.parse(textwrap.dedent("\n".join(body)))
    new = ast.parse("\n".join(lines)).body
    block = rng.choice(list(blocks(tree)))
    ends = bool(block) and isinstance(block[-1], ast.Return)
    at = rng.randint(0, len(block) - ends)
    block[at:at] = new
    return ast.unparse(ast.fix_missing_locations(tree)).splitlines()


def blocks(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    """Yield every list of statements."""
    for node in ast.walk(tree):
        for name in ("body", "orelse"):
            found = getattr(node, name, None)
            if isinstance(found, list) and found:
                yield found
