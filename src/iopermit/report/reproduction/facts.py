"""What was seen on a booted kernel: the facts of which reports make sentences."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from iopermit.engine.trace import Ranges, SelectedMap
    from iopermit.engine.verdict import Verdict

Outcome = Literal["reproduced", "not reproduced", "undetermined"]


class PreemptionPoint(enum.Enum):
    """Where a run preempts the task. The value is its name in JSON."""

    WINDOW = "window"
    """Where the counterexample has it preempted."""
    BEFORE = "before"
    """One instruction before: what the counterexample needs is not stored yet."""
    AFTER = "after"
    """At the first instruction behind it at which the task can be preempted again."""
    NOWHERE = "nowhere"
    """Nowhere: the debugger is not even asked."""


@dataclass(frozen=True)
class SeenTss:
    """A TSS in the memory of a virtual machine."""

    base: int
    """The I/O map base."""
    limit: int
    """The limit cached in TR."""
    selected: SelectedMap
    """What the base selects."""
    allowed: Ranges
    """The ports that a task in user mode may use, by the permission check."""

    def allows(self, port: int, width: int) -> bool:
        """Return whether an access of so many bytes passes."""
        return any(first <= port and port + width - 1 <= last for first, last in self.allowed)


@dataclass(frozen=True)
class Observation:
    """What was seen behind a step of the counterexample."""

    step: int
    """Its number in the table."""
    place: str
    """The instruction that the CPU executes next, as symbol and offset."""
    cpu: int
    task: str
    """Whom the CPU executed."""
    tss: SeenTss
    holds: int = 0
    """How often the task was held there before it was preempted."""


@dataclass(frozen=True)
class PortRead:
    """An IN that the guest's program executed."""

    port: int
    width: int
    passed: bool
    """Whether it read something; otherwise it ended in SIGSEGV."""
    value: int


@dataclass(frozen=True)
class BootedRun:
    """One boot of the kernel, with one execution of the schedule that was forced."""

    position: PreemptionPoint
    seconds: float
    observations: tuple[Observation, ...] = ()
    tss_shows: bool = False
    """Whether the TSS allows or refuses the wrong ports, in the user mode of the task concerned."""
    reads: tuple[PortRead, ...] = ()
    """What the task itself could read, of the harmless ports among the wrong ones."""
    guest_shows: bool | None = None
    """Whether all of these went wrong; None if there are none."""
    forbidden: str = ""
    """Where the counterexample has the task preempted, if the kernel's code forbids it there; then
    it was preempted at the first place behind it."""
    unforced: str = ""
    """Why the schedule could not be forced; empty if it was."""
    unforced_step: int | None = None
    crash: str = ""
    """What the kernel's console told of a crash, if it is one that is looked for."""

    @property
    def forced(self) -> bool:
        """Whether every step was forced."""
        return not self.unforced

    @property
    def shown(self) -> bool:
        """Whether it showed the fault: in the TSS, and to the task wherever that can try.

        A crash shows on the console.
        """
        if self.crash:
            return self.forced
        return self.forced and self.tss_shows and self.guest_shows is not False

    @property
    def clean(self) -> bool:
        """Whether it showed nothing of the fault, as a control has to."""
        return self.forced and not (self.tss_shows or self.guest_shows or self.crash)


@dataclass(frozen=True)
class BootedKernel:
    """The kernel that was booted, as it described itself."""

    image: str
    built_from: str
    """The tree and patches that it was built from; empty if it was given as it is."""
    version: str
    """/proc/version."""
    command_line: str
    preemption: str
    """The modes of preemption, the one in force in parentheses; empty if there is only one."""
    emulator: str
    """The version of QEMU."""


@dataclass(frozen=True)
class RepairedKernel:
    """The same schedule on a kernel with a repair: a control, which must not show the fault."""

    kernel: BootedKernel
    run: BootedRun


@dataclass(frozen=True)
class FreeRun:
    """A boot in which nothing was forced: the guest's tasks alone, again and again."""

    attempts: int
    hits: int
    """In how many of them a task noticed the fault."""
    seconds: float

    @property
    def per_million(self) -> float:
        """Hits in a million attempts."""
        return 1_000_000 * self.hits / self.attempts


@dataclass(frozen=True)
class Reproduction:
    """Whether a counterexample shows on a booted kernel."""

    verdict: Verdict
    """The counterexample, replayed at full size."""
    outcome: Outcome
    reason: str
    """Why it is undetermined; else empty."""
    kernel: BootedKernel | None
    """None if no kernel was booted."""
    runs: tuple[BootedRun, ...]
    controls: tuple[BootedRun, ...]
    forced_by: tuple[str, ...] = ()
    """For each step how it is forced, in words; empty if one of them cannot be."""
    credentials: str = ""
    """User id and capabilities of the task concerned."""
    repaired: RepairedKernel | None = None
    """The control on a kernel with a repair, if one was given and a run showed the fault."""
    free: FreeRun | None = None
    """What was seen where nothing was forced; then there are neither runs nor controls."""

    @property
    def successes(self) -> int:
        """How many runs showed the fault."""
        return sum(run.shown for run in self.runs)
