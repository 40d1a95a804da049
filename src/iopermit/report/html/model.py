"""What a page about a verdict shows: filled for designs and trees alike, laid out by templates."""

from __future__ import annotations

import enum
from dataclasses import dataclass

NOBODY = "nobody"
"""The owner of a clear bit that no task was granted."""


class Wrong(enum.StrEnum):
    """Whether what a CPU allows differs from what its task was granted."""

    NO = "no"
    SOON = "soon"
    """It does, while the kernel still executes: wrong if the task went on in user mode now."""
    NOW = "now"
    """It does in user mode: the violation."""


@dataclass(frozen=True)
class Fact:
    """A name and what is to be said under it."""

    name: str
    text: str


@dataclass(frozen=True)
class PortColumn:
    """Neighbouring ports that are alike in every state that is drawn: one column."""

    first: int
    last: int

    @property
    def label(self) -> str:
        """The ports, such as ``192-65535``."""
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True)
class MapBits:
    """The bits of one column in the map of a TSS."""

    clear: bool
    owner: str = ""
    """Whose they are, if they are clear: a task, or NOBODY."""
    stale: bool = False
    """Whether they are clear, and the task that the CPU executes was not granted the ports."""


@dataclass(frozen=True)
class CpuState:
    """The TSS of one CPU, and the task that it is about."""

    cpu: int
    task: str
    mode: str
    """What the CPU executes: ``user mode``, ``kernel``, or a switch."""
    base: str
    """What the I/O map base selects; a value of `SelectedMap`."""
    limit_low: bool
    bits: tuple[MapBits, ...]
    allows: tuple[bool | None, ...]
    """What the CPU would allow in user mode, by column; None if the TSS does not tell."""
    granted: tuple[bool, ...]
    """What the task was granted, by column."""
    wrong: tuple[Wrong, ...]
    summary: str
    """All of it in a sentence."""


@dataclass(frozen=True)
class Frame:
    """A state to be drawn: every CPU of the schedule."""

    cpus: tuple[CpuState, ...]


@dataclass(frozen=True)
class SourceLine:
    """A line of source code."""

    number: int
    text: str
    executed: bool
    blamed: bool
    """Whether it is the line that let the violation happen."""


@dataclass(frozen=True)
class SourceBlock:
    """A function of a design, or of a kernel's C code, of which the schedule executes lines."""

    title: str
    lines: tuple[SourceLine, ...]


@dataclass(frozen=True)
class LineOf:
    """A line in one of the blocks of a page."""

    block: int
    line: int


@dataclass(frozen=True)
class AtomicStep:
    """One atomic step."""

    number: int
    cpu: int
    who: str
    source: str
    text: str
    change: str
    """What it changed in the TSS, or empty."""
    row: int
    """The step of the schedule that it belongs to."""
    frame: int
    line: LineOf | None


@dataclass(frozen=True)
class LaneCell:
    """What a lane shows of a CPU during one step."""

    task: str
    """Who is on the CPU at its end."""
    leaving: str = ""
    """During a switch, the task that the CPU leaves."""
    text: str = ""
    acts: bool = False
    """Whether the step is this CPU's."""


@dataclass(frozen=True)
class ToldStep:
    """One step as people tell it: consecutive atomic steps of one operation on one CPU."""

    number: int
    cpu: int
    who: str
    what: str
    base: str
    clear: str
    lanes: tuple[LaneCell, ...]
    wrong_from_here: str
    """If ports become wrong here and stay so to the end: a sentence about it; else empty."""
    frame: int
    first: int
    last: int
    """The first and the last atomic step of it."""
    line: LineOf | None
    """The line to look at."""
    source: str
    statement: str
    seen: str = ""
    """What was seen behind it on a booted kernel, if it was forced there."""


@dataclass(frozen=True)
class Cause:
    """A step that led to the violation."""

    step: int
    atomic: int
    cpu: int
    who: str
    effect: str
    source: str
    statement: str


@dataclass(frozen=True)
class Why:
    """Which condition failed, for whom, and what led to it."""

    condition: str
    """What the specification demands."""
    broken: tuple[str, ...]
    """How it is not so."""
    facts: tuple[Fact, ...]
    causes: tuple[Cause, ...]


@dataclass(frozen=True)
class DrawnSchedule:
    """A violation with the schedule that shows it."""

    number: int
    headline: str
    cpus: tuple[int, ...]
    tasks: tuple[str, ...]
    columns: tuple[PortColumn, ...]
    steps: tuple[ToldStep, ...]
    atomic: tuple[AtomicStep, ...]
    frames: tuple[Frame, ...]
    sources: tuple[SourceBlock, ...]
    why: Why | None
    """Why it ends in a violation, if it does."""
    seen: str = ""
    """The head of the column with what was seen on a booted kernel; empty if there is none."""

    @property
    def further_frames(self) -> tuple[int, ...]:
        """Numbers of the frames that only atomic steps show."""
        told = {step.frame for step in self.steps}
        return tuple(n for n in range(len(self.frames)) if n not in told)


@dataclass(frozen=True)
class BootedFacts:
    """What a booted kernel showed of a violation."""

    outcome: str
    """A sentence."""
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class VerdictPage:
    """A page about a verdict."""

    subject: str
    outcome: str
    headline: str
    meaning: str
    """What a verdict without a violation says, and what it does not; else empty."""
    warnings: tuple[str, ...]
    facts: tuple[Fact, ...]
    not_executed: tuple[str, ...]
    """Places that the search never executed."""
    schedules: tuple[DrawnSchedule, ...]
    booted: BootedFacts | None = None
