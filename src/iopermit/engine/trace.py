"""A schedule executed again: its steps, the state of every TSS after each, the violation."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from iopermit.system.execution import CONTINUE

if TYPE_CHECKING:
    from iopermit.system.events.arguments import Values
    from iopermit.system.site import Site

Ranges = tuple[tuple[int, int], ...]
"""Port ranges as (first, last), both included."""

ViolationKind = Literal["leak", "loss", "crash", "garbage", "rule"]
"""`rule`: kernel code breaks a rule that no state shows: a wrong result, a call that is missing."""


class SelectedMap(enum.StrEnum):
    """What the I/O map base of a TSS selects. The value is its name in JSON."""

    PAST_LIMIT = "past limit"
    """None: every port is refused."""
    VALID = "valid"
    """The bitmap behind the TSS."""
    ALL_PORTS = "all ports"
    """A constant map that allows every port (iopl emulation since v5.5)."""
    LAZY = "lazy"
    """None, and the #GP handler loads the map (2.6.10)."""
    OTHER = "other"
    """Some other memory within the limit."""


@dataclass(frozen=True)
class TssState:
    """The TSS of a CPU after a step, at full size."""

    io_map_base: SelectedMap
    clear: Ranges
    """Ports whose bits are clear in the TSS bitmap."""
    limit_low: bool
    """Whether the cached limit is the 0x67 of a VM exit."""


@dataclass(frozen=True)
class MapBytes:
    """Which bytes of a map one step of a bulk operation handles."""

    first: int
    last: int
    size: int
    """Bytes of the whole map."""
    copied_to_tss: bool
    """Whether it copies them into the TSS."""


@dataclass(frozen=True, kw_only=True)
class TraceStep:
    """One atomic step of a schedule, replayed at full size: what happened, not how to say it."""

    number: int
    cpu: int
    task: str
    """Name of the task that runs on the CPU (A, B, ...), or ``idle``."""
    following: str = ""
    """During a context switch, whom the CPU goes on with."""
    event: str = CONTINUE
    """Name of the event that starts here, or that what the CPU is doing goes on."""
    arguments: dict[str, int] = field(default_factory=dict)
    """Arguments of the event in scenario terms (longs), as the search names them."""
    values: Values = field(default_factory=dict)
    """What they mean at full size: ports, a level, the slot of a child."""
    preempts: bool = False
    """Whether a switch starts here while the task that it leaves executes kernel code."""
    sleeps: bool = False
    """Whether that task is not preempted but sleeps: the kernel is not preemptible."""
    source: Site | None = None
    """The statement that is executed, if any."""
    environment: str = ""
    """What is executed if it is no statement: the name of a step around the kernel's code."""
    handled: MapBytes | None = None
    """The part of a map that a bulk operation handles."""
    error: str = ""
    """With which error a call ended here, such as ``EPERM``."""
    before: TssState
    """The TSS of the CPU before the step."""
    tss: tuple[TssState, ...]
    """The TSS of every CPU after the step."""
    label: int = 0
    """The transition as the search names it; what replay follows."""

    @property
    def is_event(self) -> bool:
        """Whether an event, or a context switch, starts here."""
        return self.event != CONTINUE

    @property
    def who(self) -> str:
        """Who runs; for a switch both tasks."""
        return f"{self.task} to {self.following}" if self.following else self.task

    @property
    def after(self) -> TssState:
        """The TSS of the CPU after the step."""
        return self.tss[self.cpu]


@dataclass(frozen=True)
class Violation:
    """How the specification is violated."""

    kind: ViolationKind
    task: str
    cpu: int
    ports: Ranges
    """The ports concerned; empty for crash and garbage."""
    allowed: Ranges
    """What the CPU allows the task."""
    granted: Ranges
    """What the task was granted."""
    owner: str
    """Another task that was granted the leaked ports, or empty."""
    message: str
    """One sentence, e.g. ``task B may use ports 192-65535, which only task A was granted``."""
    site: Site | None
    """The design statement that let it happen."""
    needs_privilege: bool | None = None
    """Whether the task that gains ports needs CAP_SYS_RAWIO at some time; None if not examined."""
    without_privilege: bool = False
    """Whether it is that a call granted the ports to a task without CAP_SYS_RAWIO."""
    livelock: bool = False
    """Whether it is a loss by a #GP handler that says "again" for ever."""
    repeats_every: int | None = None
    """For a livelock: after how many refusals everything is as it was, if that was found out."""


@dataclass(frozen=True)
class Replay:
    """A schedule executed again."""

    trace: tuple[TraceStep, ...]
    violation: Violation | None
