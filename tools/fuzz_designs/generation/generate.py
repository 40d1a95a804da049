"""Generates a random design as source text, with a scenario small enough to search to its end."""

from __future__ import annotations

import random
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tools.fuzz_designs.generation.case import Case
from tools.fuzz_designs.generation.crossed import crossed
from tools.fuzz_designs.generation.hotplug import with_resets
from tools.fuzz_designs.generation.mutants import mutant
from tools.fuzz_designs.generation.noise import (
    add_noise,
    busy_hooks,
    connect,
    extra_fields,
    place,
    random_hook,
    with_helpers,
)
from tools.fuzz_designs.generation.perturb import perturb
from tools.fuzz_designs.generation.shapes import random_shape
from tools.fuzz_designs.generation.skeleton import BARE, Skeleton, method
from tools.fuzz_designs.generation.themes import random_theme
from tools.fuzz_designs.generation.vocabulary import RECORDS, Field, class_text

from iopermit.system.events import Event, askable_events, event_named
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from tools.fuzz_designs.generation.skeleton import Lines

_SHARES: Final = (5, 2, 4, 2)
"""Designs of a theme, of random statements, protocols, mutants of what comes with iopermit."""

_CROSSED: Final = 0.1
"""How many have expressions of theirs exchanged."""

_WITH_NOISE: Final = 0.7
"""How many of the others have state that they do not need."""

_HEAD: Final = '''\
"""A random design: {about}."""

from __future__ import annotations

from typing import Annotated, ClassVar

from iopermit.system import machine_state, records
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EINVAL, ENOMEM, EPERM, Design
from iopermit.system.machine_state import IoMapBase, TssLayout
from iopermit.system.records import (
    NULL, HeapObject, IoplLevel, Longs, Range, Ref, Refcount, Sequence
)
'''

_LAYOUT: Final = """\
    layout: ClassVar[TssLayout] = TssLayout(
        long_bits=64,
        bases={IoMapBase.VALID: 0x78, IoMapBase.ALL: 0x2080, IoMapBase.INVALID: 0x4088},
        limit=0x4087,
        size=5 * 4096,
    )
    Task = Task
    Tss = Tss
    Cpu = Cpu
    Globals = Globals
"""


def generate(seed: int, index: int) -> Case:
    """Return design number ``index`` of a seed; the same ones give the same design."""
    rng = random.Random(f"{seed}/{index}")
    kind = rng.choices([themed, bare, protocol, mutant], _SHARES)[0]
    case = kind(rng)
    if rng.random() < _CROSSED:
        about = f"crossed {case.about}"
        return replace(case, source=crossed(rng, case.source), about=about)
    return case


def themed(rng: random.Random) -> Case:
    """Return a design that never grants a port, in which a few statements belong together."""
    theme = random_theme(rng)
    scenario = theme_scenario(rng, theme.events)
    bodies: dict[str, Lines] = dict(BARE)
    if rng.random() < 0.5:
        bodies["switch_to"] = ["pass"]  # the base is never valid
    for hook, statements in theme.lines.items():
        for lines in statements:
            bodies = place(rng, bodies, hook, lines)
    for _ in range(rng.choice([0, 0, 1])):
        hook = random_hook(rng, bodies, scenario.events)
        bodies = add_noise(rng, bodies, theme.fields, hook)
    about = ", ".join(["themed", *(f"{f.record}.{f.name}" for f in theme.fields)])
    bodies = with_resets(rng, with_helpers(rng, bodies, theme.fields), theme.fields, scenario)
    return Case(_text(theme.fields, bodies, about), scenario, about)


def bare(rng: random.Random) -> Case:
    """Return a design that never grants a port: random statements about state of its own.

    Few fields and hooks, so that the statements have to do with one another.
    """
    fields = extra_fields(rng, rng.choice([1, 2, 2, 3]))
    scenario = random_scenario(rng, BARE, fields)
    hooks = busy_hooks(rng, scenario.events)
    bodies = dict(BARE)
    for _ in range(rng.choice([2, 3, 4])):
        for hook in hooks:
            bodies = add_noise(rng, bodies, fields, hook)
    bodies = connect(rng, bodies, fields, hooks)
    about = ", ".join(["bare", *(f"{f.record}.{f.name}" for f in fields)])
    bodies = with_resets(rng, with_helpers(rng, bodies, fields), fields, scenario)
    return Case(_text(fields, bodies, about), scenario, about)


def protocol(rng: random.Random) -> Case:
    """Return a right design with mistakes, or with state that it does not need, or both."""
    shape = random_shape(rng)
    fields = shape.fields()
    bodies = Skeleton(shape).methods()
    for _ in range(rng.choices([0, 1, 2], [6, 3, 1])[0]):
        bodies = perturb(rng, bodies)
    extra = extra_fields(rng, rng.choice([1, 1, 2, 3])) if rng.random() < _WITH_NOISE else []
    fields += extra
    scenario = random_scenario(rng, bodies, fields)
    for _ in range(rng.choice([2, 3, 4, 6]) if extra else 0):
        bodies = add_noise(rng, bodies, fields, random_hook(rng, bodies, scenario.events))
    bodies = connect(rng, bodies, fields, busy_hooks(rng, scenario.events))
    about = ", ".join([*shape.words, *(f"{f.record}.{f.name}" for f in extra)])
    bodies = with_resets(rng, with_helpers(rng, bodies, fields), fields, scenario)
    return Case(_text(fields, bodies, about, emulated=shape.iopl == "map"), scenario, about)


def _text(
    fields: list[Field], bodies: dict[str, Lines], about: str, *, emulated: bool = False
) -> str:
    used = {f.record for f in fields} | {"Task", "Tss", "Cpu", "Globals"}
    classes = [class_text(r, fields) for r in RECORDS if r in used]
    methods = [textwrap.indent(method(name, body), "    ") for name, body in bodies.items()]
    head = ['class Random(Design):\n    id = "random"\n' + _LAYOUT]
    if emulated:
        head = [head[0] + "    iopl_survives_exec: ClassVar[bool] = True\n"]
    return "\n\n".join(
        [_HEAD.format(about=about), *classes, "\n".join([*head, "\n\n".join(methods)])]
    )


_EVENTS: Final = {
    Event.IOPERM: 0.95,
    Event.MIGRATE: 0.6,
    Event.EXIT: 0.4,
    Event.FORK: 0.45,
    Event.EXEC: 0.4,
    Event.IOPL: 0.2,
    Event.FORK_FAILS: 0.15,
    Event.FORK_FAILS_EARLY: 0.12,
    Event.READ_MAP: 0.15,
    Event.DROP_PRIVILEGE: 0.05,
    Event.ALLOCATION_FAILS: 0.15,
    Event.IO_THREAD: 0.1,
    Event.VM_EXIT: 0.1,
    Event.CPU_OFFLINE: 0.4,
}
_NEW: Final = 0.1
"""How likely any other event is."""

_SIZES: Final = {
    (1, 1, 1): 1,
    (1, 2, 1): 6,
    (2, 2, 1): 6,
    (2, 1, 1): 1,
    (1, 3, 1): 1,
    (2, 3, 1): 1,
    (1, 2, 2): 1,
}
_MOST_EVENTS: Final = {
    (1, 1, 1): (4, 6, 12),
    (1, 2, 1): (2, 3, 4, 5),
    (2, 2, 1): (1, 2, 3),
    (2, 1, 1): (3, 5),
    (1, 3, 1): (1, 2),
    (2, 3, 1): (0, 1),
    (1, 2, 2): (1, 2, 3),
    (1, 3, 2): (0, 1),
}
"""How many events besides ioperm leave a search short."""


_THEME_SIZES: Final = {(1, 2, 1): 4, (2, 2, 1): 5, (1, 3, 1): 1, (2, 3, 1): 1}


def theme_scenario(rng: random.Random, needed: frozenset[str]) -> Scenario:
    """Return a scenario with the events that a theme needs, and what lets steps interleave."""
    size = rng.choices(list(_THEME_SIZES), list(_THEME_SIZES.values()))[0]
    events = {event_named(name) for name in needed}
    events |= {Event.PREEMPT} if rng.random() < _PREEMPTED[size[0]] else set()
    seldom = [(e, 0.02) for e in askable_events() if e not in _EVENTS]
    seldom += [(Event.CPU_OFFLINE, 0.2)] if size[0] > 1 else []
    for event, chance in ((Event.MIGRATE, 0.5), (Event.FORK, 0.2), (Event.EXIT, 0.1), *seldom):
        events |= {event} if rng.random() < chance else set()
    return Scenario(*size, frozenset(events), garbage=Event.EXIT not in events)


_PREEMPTED: Final = {1: 0.85, 2: 0.4}
"""How often tasks are preempted in the kernel, by the number of CPUs."""


def random_scenario(rng: random.Random, bodies: dict[str, Lines], fields: list[Field]) -> Scenario:
    """Return a small scenario whose events reach the hooks that there are."""
    chances = {e: _EVENTS.get(e, _NEW) for e in askable_events() if e != Event.PREEMPT}
    needed = (
        ("iopl_in_force", Event.IOPL),
        ("vm_exit", Event.VM_EXIT),
        ("read_map", Event.READ_MAP),
    )
    chances |= {
        event: 0.4 if hook == "read_map" else 0.7 for hook, event in needed if hook in bodies
    }
    if "execve" in bodies:
        chances[Event.EXEC] = 0.85
    notes = any(f.target == "Note" for f in fields)
    if notes or any(f.target == "Task" and f.extra for f in fields):
        # Without ends nothing dangles, and what the design keeps is no garbage.
        chances[Event.EXIT], chances[Event.FORK_FAILS] = 0.2, 0.05
    sizes = dict(_SIZES)
    if any(f.name == "dirty" for f in fields):
        sizes[1, 2, 2], sizes[1, 3, 2] = 4, 2
    size = rng.choices(list(sizes), list(sizes.values()))[0]
    chances |= {Event.CPU_OFFLINE: 0} if size[0] == 1 else {}
    wanted = [e for e, chance in chances.items() if rng.random() < chance]
    events = frozenset(rng.sample(wanted, min(len(wanted), rng.choice(_MOST_EVENTS[size]))))
    if rng.random() < _PREEMPTED[size[0]]:
        events |= {Event.PREEMPT}
    return Scenario(*size, events | {Event.IOPERM}, garbage=not (notes and rng.random() < 0.2))
