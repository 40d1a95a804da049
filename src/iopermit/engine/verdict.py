"""What a search ends with: the verdict, the violation, the schedule, and what was not covered."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from iopermit.engine.ending import TooFewLongs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iopermit.engine.ending import Ending
    from iopermit.engine.trace import TraceStep, Violation, ViolationKind
    from iopermit.system.scenario import Scenario
    from iopermit.system.site import Site

VerdictValue = Literal["holds", "violated", "undetermined"]


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
class Obligations:
    """What a solver says of what the reductions rest on."""

    of: tuple[str, ...]
    """What they are about: the premises, and each reduction that is on and applies."""
    asked: int
    """How many the solver was asked."""
    apart: int
    """Pairs of a merged step and a rival that touch nothing in common."""
    failures: tuple[str, ...]
    """Those that are not discharged."""
    seconds: float


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

    @classmethod
    def of_saved(cls, figures: Mapping[str, Any]) -> SearchStatistics:
        """Return the figures of a verdict that was saved as JSON, and replayed now."""
        return cls(
            figures["states"],
            figures["transitions"],
            figures["depth"],
            figures["seconds"],
            figures["exhausted"],
            confirmed_full_size=True,
        )

    assumed: tuple[str, ...] = ()
    """What the merging of steps assumed of objects on the heap, and no step broke."""
    obligations: Obligations | None = None
    """What a solver says of what the reductions rest on, if that was asked."""


@dataclass(frozen=True)
class Uncovered:
    """What the search never did."""

    statements: tuple[Site, ...] = ()
    events: tuple[str, ...] = ()
    """Events of the scenario that never were possible."""
    not_asked: tuple[str, ...] = ()
    """Events that the scenario leaves out."""
    vacuous: tuple[str, ...] = ()
    """Kinds of violations that could not be, because no task was ever granted a port."""
    longs: int = 0
    """Longs from which on the number of longs that the design names is less than a whole map; 0
    if the scenario has so many."""
    longs_site: Site | None = None
    """Where the design names it."""


class FaultOrigin(enum.StrEnum):
    """Whether patches brought the fault of a tree. The value is its name in JSON."""

    NO_FAULT = "no fault"
    """The tree holds with the patches and without them."""
    INTRODUCED = "introduced"
    """Without the patches it holds, or every fault that it has is another one."""
    ALREADY_THERE = "already there"
    """The same fault is there without the patches."""
    DIFFERENT = "different"
    """The nearest fault without the patches is another one."""
    REPAIRED = "repaired"
    """Only without the patches there is a fault."""
    OPEN = "undetermined"
    """A limit was reached with the patches or without them."""


@dataclass(frozen=True)
class WithoutPatches:
    """What a tree is like without its patches; with them, if they are taken back."""

    origin: FaultOrigin
    verdict: VerdictValue
    kind: ViolationKind | None = None
    message: str = ""
    """What its shortest violation is, or why there is no verdict."""
    every: bool = False
    """Whether all faults of both were compared, not only the nearest."""
    only_new: bool = False
    """Whether the exit status tells what the patches brought, and not what the tree is like."""

    @property
    def excuses(self) -> bool:
        """Whether the fault that is reported does not count, as it is there without them."""
        return self.only_new and self.every and self.origin is FaultOrigin.ALREADY_THERE


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
    sandboxed: bool = False
    """Whether the build, which executes what is in the tree, was kept from everything else."""
    reverse: bool = False
    """Whether the patches were taken back instead of applied."""
    configuration: str = "full"
    """How far the kernel can be preempted, by the name of the configuration it was built in."""
    without: WithoutPatches | None = None
    """What the tree is like without the patches, if there are any."""


@dataclass(frozen=True)
class Verdict:
    """The answer for one design, or for a kernel tree."""

    subject: str
    scenario: Scenario
    verdict: VerdictValue
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
    ending: Ending | None = None
    """What ended the search early, and so leaves the verdict, or further violations, open."""

    @property
    def longs_needed(self) -> int:
        """Longs with which to search again, if a violation was found that is none; else 0."""
        return self.ending.longs if isinstance(self.ending, TooFewLongs) else 0
