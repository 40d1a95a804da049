"""Seeded random scripts for `programs/scripts.c`, and the shortest script with a property."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

TASKS = "ABCD"
"""Tasks of a script; A is there from the start."""

PORTS = (
    # Writing zero to these has no effect in QEMU's machine "pc" and in iopermit: DMA page
    # registers of channels in no use, and ports of no device. In pairs around a border of the
    # bitmap: of a byte (8 ports), of a long (32 or 64 ports), of the map.
    *(0x80, 0x81, 0xED, 0x107, 0x11F, 0x120, 0x13F, 0x140, 0x141, 0x2BC, 0x2BF, 0x2C0, 0x33E),
    *(0x340, 0x1FFF, 0x2000, 0x8000, 0x8001, 0xF03F, 0xF040, 0xFFBF, 0xFFC0, 0xFFF8, 0xFFFC),
    *(0xFFFD, 0xFFFE, 0xFFFF),
)
"""Ports that scripts use."""

KINDS = "ioperm:8 iopl:2 fork:3 exit:1 drop:1 yield:1 cpu:2 in:5 out:7 ins:2 outs:2 cli:1 sti:1"
"""Kinds of steps, and how often each occurs beside the others."""

EXEC = "exec"
"""The step that costs most by far: a new program is loaded."""


@dataclass(frozen=True)
class Script:
    """Steps such as "A:ioperm,128,1,1"."""

    number: int
    steps: tuple[str, ...]

    def line(self) -> str:
        """Return the line for the program."""
        return f"{self.number} {' '.join(self.steps)}\n"


def write_scripts(scripts: Sequence[Script], path: Path) -> None:
    """Write the file that the program executes."""
    path.write_text("".join(script.line() for script in scripts), encoding="ascii")


def random_script(seed: int, *, cpus: int = 2) -> Script:
    """Return the script with that seed."""
    return _Author(seed, cpus).script()


class _Author:
    """Writes one script."""

    def __init__(self, seed: int, cpus: int) -> None:
        self.random = random.Random(seed)
        self.seed, self.cpus = seed, cpus
        self.alive = ["A"]
        # Few ports, neighbours among them, so that steps meet; exec, which is slow, is rare.
        start = self.random.randrange(len(PORTS) - 1)
        self.ports = [*PORTS[start : start + 2], self.random.choice(PORTS)]
        self.kinds = {
            kind: int(often) for kind, _, often in (part.partition(":") for part in KINDS.split())
        } | {EXEC: 1 if seed % 16 == 0 else 0}

    def script(self) -> Script:
        # Most scripts start with permissions: without any there is nothing to see.
        steps = [] if self.random.random() < 0.1 else [self._opening()]
        for _ in range(self.random.randint(4, 14)):
            kind = self.random.choices([*self.kinds], [*self.kinds.values()])[0]
            task = self.random.choice(self.alive)
            arguments = self._arguments(task, kind)
            if arguments is not None:
                steps.append(f"{task}:{','.join(map(str, (kind, *arguments)))}")
        # What everybody may do in the end.
        steps += [f"{task}:out,1,{port}" for task in self.alive for port in self.ports[:2]]
        return Script(self.seed, tuple(steps))

    def _opening(self) -> str:
        """Return a step that opens at least the first port."""
        if self.random.random() < 0.15:
            return "A:iopl,3"
        count = self.random.choice((1, 1, 2, 4, 64, 4096))
        return f"A:ioperm,{self.ports[0]},{min(count, 65536 - self.ports[0])},1"

    def _arguments(self, task: str, kind: str) -> tuple[int | str, ...] | None:
        """Return the step's arguments; None if it cannot be done now."""
        choice = self.random.choice
        arguments: tuple[int, ...] = ()
        match kind:
            case "ioperm":
                arguments = (*self._range(), int(self.random.random() < 0.7))
            case "iopl":
                arguments = (choice((0, 0, 1, 2, 3, 3, 3, 4, 2**32 - 1)),)
            case "cpu":
                arguments = (self.random.randrange(self.cpus),)
            case "fork" | "exit":
                return self._life(task, kind)
            case "in" | "out" | "ins" | "outs":
                count = (self.random.randint(1, 3),) if kind.endswith("s") else ()
                arguments = (choice((1, 1, 2, 4)), choice(self.ports), *count)
            case _:
                pass
        return arguments

    def _life(self, task: str, kind: str) -> tuple[str, ...] | None:
        """Return the arguments of a fork or an exit; None if there would be too many or none."""
        if kind == "fork":
            free = [name for name in TASKS if name not in self.alive and name != "A"]
            self.alive += free[:1]
            return (free[0],) if free else None
        if len(self.alive) == 1:
            return None
        self.alive.remove(task)
        return ()

    def _range(self) -> tuple[int, int]:
        """Return the first port and the number of ports of an ioperm call."""
        first = max(0, self.random.choice(self.ports) + self.random.choice((0, 0, 0, -1, 1, -64)))
        kind = self.random.randrange(10)
        if kind == 0:
            return 0, 65536
        if kind == 1:
            return self.random.choice(((0, 0), (65536, 1), (1, 65536), (2**32 - 1, 2), (5, 2**31)))
        if kind == 2:
            return first, 65536 - first
        return first, self.random.choice((1, 1, 1, 2, 3, 4, 8, 64, 65, 1000))


def shrink(
    script: Script, fails: Callable[[Sequence[Script]], Sequence[bool]]
) -> tuple[Script, int]:
    """Return a script that still fails, but no longer when any of its steps is left out.

    Delta debugging (Zeller and Hildebrandt, 2002) in rounds, because asking about many scripts
    at once costs little more than asking about one: boot once, run all. Then it tries simpler
    steps: a port access of one byte, a call for all ports or for one.

    Args:
        script: a script that fails.
        fails: tells of each script whether it fails.

    Returns:
        The script, and the number of rounds.
    """
    rounds = 0
    while True:
        candidates = [*_shorter(script), *_simpler(script)]
        verdicts = fails(candidates)
        rounds += 1
        failing = [each for each, bad in zip(candidates, verdicts, strict=True) if bad]
        if not failing:
            return script, rounds
        script = failing[0]


def _shorter(script: Script) -> list[Script]:
    """Return the script without each run of steps, longest runs first."""
    steps, length = script.steps, len(script.steps)
    sizes = sorted({max(1, length >> shift) for shift in range(1, length.bit_length() + 1)})
    return [
        Script(script.number, steps[:start] + steps[start + size :])
        for size in reversed(sizes)
        for start in range(length - size + 1)
    ]


def _simpler(script: Script) -> list[Script]:
    """Return the script with each step made simpler, in each way there is."""
    simpler = []
    for index, step in enumerate(script.steps):
        for other in _simpler_steps(step):
            steps = (*script.steps[:index], other, *script.steps[index + 1 :])
            simpler.append(Script(script.number, steps))
    return simpler


def _simpler_steps(step: str) -> list[str]:
    task, _, call = step.partition(":")
    kind, *arguments = call.split(",")
    match kind:
        case "in" | "ins" | "outs":
            return [f"{task}:out,1,{arguments[1]}"]
        case "out" if arguments[0] != "1":
            return [f"{task}:out,1,{arguments[1]}"]
        case "ioperm" if arguments[1] not in ("1", "65536"):
            on = arguments[2]
            return [f"{task}:ioperm,0,65536,{on}", f"{task}:ioperm,{arguments[0]},1,{on}"]
        case _:
            return []
