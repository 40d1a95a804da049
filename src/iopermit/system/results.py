"""What a search ends with: the verdict, the violation, the schedule, and what was not covered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from iopermit.system.scenario import Scenario
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
class Saving:
    """How many states a scenario has with all reductions, and how many without one of them."""

    reduction: str
    """Its name, such as ``symmetry``."""
    states: int
    """Visited with all reductions, going on after violations."""
    states_without: int
    """Visited without this one, or up to the limit."""
    exhausted: bool
    """Whether the search without it ended before any limit."""


@dataclass(frozen=True)
class SearchStatistics:
    """Figures of a search."""

    states: int
    transitions: int
    depth: int
    seconds: float
    exhausted: bool
    confirmed_full_size: bool
    memory: int = 0
    """Bytes that the stored states took."""
    compile_seconds: float = 0.0
    savings: tuple[Saving, ...] = ()
    """What each reduction saved, if that was asked."""


@dataclass(frozen=True)
class Uncovered:
    """What the search never did."""

    statements: tuple[Site, ...] = ()
    events: tuple[str, ...] = ()
    """Events of the scenario that never were possible."""
    not_asked: tuple[str, ...] = ()
    """Events that the scenario leaves out."""


@dataclass(frozen=True)
class KernelSubject:
    """Which kernel code a verdict is about, where it is about a tree and no design."""

    tree: str
    """The tree, as an absolute path."""
    patches: tuple[str, ...]
    """The patches, as absolute paths, in the order in which they were applied."""
    version: str
    compiler: str
    key: str
    """Digest of the source of what was executed; another one means that the tree changed."""
    bounds: tuple[str, ...] = ()
    """Within which bounds the search was exhaustive, besides those of the scenario."""
    covered: int = 0
    """Lines of the subsystem's C code that were executed."""
    lines: int = 0
    """Lines of the subsystem's C code."""
    schedule: tuple[dict[str, Any], ...] = ()
    """What replay follows: each action with its CPU, arguments and results of allocations."""
    points: dict[str, Any] = field(default_factory=dict)
    """Where replay lets other code come in between."""


@dataclass(frozen=True)
class Verdict:
    """The answer for one design, or for a kernel tree."""

    subject: str
    scenario: Scenario
    verdict: Literal["holds", "violated", "undetermined"]
    reason: str
    """Why it, or whether there is any further violation, is undetermined; else empty."""
    violation: Violation | None
    trace: tuple[TraceStep, ...] | None
    search: SearchStatistics
    uncovered: Uncovered = field(default_factory=Uncovered)
    also: tuple[Verdict, ...] = ()
    """Further, different violations (``check --all``)."""
    design_file: str = ""
    options: tuple[str, ...] = ()
    kernel: KernelSubject | None = None
    """The kernel tree, if it is about one."""
    longs_needed: int = 0
    """Longs with which to search again: with fewer, a violation was found that is none."""
