"""Lets bring_up() of a random design reset some of what a CPU keeps while it is down, not all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tools.fuzz_designs.generation.noise import place

from iopermit.system.events import Event

if TYPE_CHECKING:
    import random

    from tools.fuzz_designs.generation.skeleton import Lines
    from tools.fuzz_designs.generation.vocabulary import Field

    from iopermit.system.scenario import Scenario

_OWNERS: Final = {"Cpu": "cpu", "Tss": "cpu.tss"}
_RESET: Final = {
    "bool": "False",
    "number": "0",
    "sequence": "0",
    "longs": "0",
    "level": "0",
    "base": "IoMapBase.INVALID",
    "ref": "NULL",
}
"""The value of each kind of field at first."""

_REMEMBERED: Final = 0.6
"""How likely a field is reset."""


def with_resets(
    rng: random.Random, bodies: dict[str, Lines], fields: list[Field], scenario: Scenario
) -> dict[str, Lines]:
    """Return the bodies with stores in ``bring_up``, if a CPU can come up again."""
    if not scenario.has(Event.CPU_OFFLINE) or scenario.cpus == 1:
        return bodies
    lines = ["cpu.tss.io_map_base = IoMapBase.INVALID"] if rng.random() < _REMEMBERED else []
    lines += [
        f"{_OWNERS[field.record]}.{field.name} = {_RESET[field.kind]}"
        for field in fields
        if field.record in _OWNERS and field.kind in _RESET and rng.random() < _REMEMBERED
    ]
    rng.shuffle(lines)
    made = bodies
    for line in lines:
        made = place(rng, made, "bring_up", [line])
    return made
