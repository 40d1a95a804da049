"""A schedule executed again: its steps, the state of every TSS after each, the violation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from iopermit.system.site import Site

Ranges = tuple[tuple[int, int], ...]
"""Port ranges as (first, last), both included."""


@dataclass(frozen=True)
class TssState:
    """The TSS of a CPU after a step, at full size."""

    io_map_base: str
    """``valid``, ``past limit``, ``all ports`` or ``lazy``."""
    clear: Ranges
    """Ports whose bits are clear in the TSS bitmap."""
    limit_low: bool
    """Whether the cached limit is the 0x67 of a VM exit."""


@dataclass(frozen=True)
class TraceStep:
    """One atomic step of a schedule, replayed at full size."""

    number: int
    cpu: int
    task: str
    """Name of the task that runs on the CPU (A, B, ...), or ``idle``."""
    event: str
    """Name of the event that starts here, ``step``, or ``switch``."""
    arguments: dict[str, int]
    """Arguments of the event in scenario terms (longs), as the search names them."""
    text: str
    """What happens, e.g. ``ioperm(128, 1, 1)`` or the statement that is executed."""
    source: Site | None
    """The design statement that is executed, if any."""
    tss: tuple[TssState, ...]
    """The TSS of every CPU after the step."""
    label: int = 0
    """The transition as the search names it; what replay follows."""
    error: str = ""
    """With which error a call ended here, such as ``EPERM``, if its source does not tell."""


@dataclass(frozen=True)
class Violation:
    """How the specification is violated."""

    kind: Literal["leak", "loss", "crash", "garbage"]
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


@dataclass(frozen=True)
class Replay:
    """A schedule executed again."""

    trace: tuple[TraceStep, ...]
    violation: Violation | None
