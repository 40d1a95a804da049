"""A model: the atomic steps and guarded rules of a design in its environment.

A step is a short straight program over fields of records: it reads, checks, stores and then
goes on to another step. Native code and Promela are both printed from this form.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from iopermit.translate.model.builder import candidate, const, either, equal, every, negate
from iopermit.translate.model.nodes import (
    ALWAYS,
    CHOICE,
    EMBRYO,
    FIRST_STEP,
    STOPPED,
    USER,
    Expr,
    Field,
    Mask,
    RecordName,
    Select,
    Stmt,
)

if TYPE_CHECKING:
    from iopermit.system.site import Site
    from iopermit.translate.model.evaluation import Values


@dataclass(frozen=True)
class Allocation:
    """The taking of a heap slot, an outcome for each slot of its class and one for failure."""

    slots: int
    """Number of slots of the class; as outcome it is failure."""
    free: Mask
    """The slots that may be taken."""
    can_fail: bool
    """Whether it may fail though a slot is free."""

    @property
    def guard(self) -> Expr:
        """Whether the outcome ``choice`` is possible; with no slot free that of slot 0 is."""
        exhausted = every(equal(CHOICE, 0), negate(self.free))
        succeeds = either(candidate(self.free, self.slots, CHOICE), exhausted)
        return Select(equal(CHOICE, self.slots), const(self.can_fail), succeeds)


@dataclass
class Step:
    """One atomic action of a context, and what may happen before it."""

    pc: int
    context: Literal["task", "cpu"]
    site: Site | None
    """The design statement, or None for a step of the environment."""
    body: tuple[Stmt, ...] = ()
    label: str = ""
    """What it does, in words: for a reader, no decision rests on it."""
    preemption_off: bool = False
    """Whether no task can be switched out before it."""
    calls: tuple[Site, ...] = ()
    """The call statements that led here, outermost first."""
    allocation: Allocation | None = None
    counted: bool = False
    """Whether it ends one turn of a loop whose turns were counted when it began: such a loop
    goes on for a bounded time, whatever else happens."""
    may_sleep: bool = False
    """Whether more of the kernel is executed before it, which may sleep; so may an allocation."""
    ends_switch: bool = False
    """Whether it is the last step of a context switch, after which the next task runs."""

    @property
    def place(self) -> str:
        """Where the design has it, or what it is if it is the environment's, for messages."""
        return self.label if self.site is None else self.site.short

    @property
    def choices(self) -> int:
        """How many outcomes it may have: 1, or one per heap slot plus failure."""
        return 1 if self.allocation is None else self.allocation.slots + 1

    @property
    def guard(self) -> Expr:
        """Whether the outcome ``choice`` is possible."""
        return ALWAYS if self.allocation is None else self.allocation.guard


@dataclass(frozen=True)
class Rule:
    """An event that can happen on a CPU: a guard and an effect, executed atomically."""

    event: str
    """Name of the event on the command line, or ``switch``."""
    guard: Expr
    body: tuple[Stmt, ...]
    arguments: tuple[tuple[str, int], ...] = ()
    """Arguments for reports and for replay, e.g. first and end long."""
    starts: int = 0
    """The pc of the first step that it starts, if any."""


@dataclass(frozen=True)
class KernelFields:
    """The fields that every model has, by what they mean; the others are the design's own."""

    task_pc: Field
    """What a task does: a step, or FREE, USER, ..."""
    cpu_pc: Field
    """The step of a context switch, or of coming up again, that a CPU is at, or 0."""
    current: Field
    """The task that runs on a CPU."""
    following: Field
    """The task that a CPU is switching to, or NULL; its idle task itself while it comes up."""
    kernel_thread: Field
    """Whether a task never runs in user mode."""
    granted: Field
    """The longs that a task was granted, one bit each."""
    granted_iopl: Field
    """Whether a task was granted IOPL 3."""
    bad: Field
    """The verdict of a step that failed, up to LEAK."""
    home: Field | None = None
    """The CPU that a task stays on, in scenarios without migration."""
    refusals: Field | None = None
    """How often in a row a task was refused a granted port though the #GP handler said "again";
    only in designs that have one."""
    ports: Field | None = None
    """A local variable: the argument of an ioperm() call, one bit per long."""
    children: tuple[Field, ...] = ()
    """Local variables: the task that is being forked, one for each operation that makes tasks."""
    targets: tuple[Field, ...] = ()
    """Local variables: a stopped task, one for each operation that stops one."""

    @property
    def held(self) -> dict[Field, int]:
        """The variables whose task nobody touches but who holds it, with its pc meanwhile."""
        return dict.fromkeys(self.children, EMBRYO) | dict.fromkeys(self.targets, STOPPED)


@dataclass
class Model:
    """A design with its environment, in a scenario."""

    counts: dict[RecordName, int]
    """Number of slots of each record."""
    kernel: KernelFields
    tasks: int
    """Task slots 0..tasks-1 are tasks; one idle task per CPU follows."""
    fields: list[Field] = field(default_factory=list)
    steps: dict[int, Step] = field(default_factory=dict)
    user_rules: list[Rule] = field(default_factory=list)
    thread_rules: list[Rule] = field(default_factory=list)
    """Rules for user mode, and for kernel threads between two events."""
    switch_rules: list[Rule] = field(default_factory=list)
    """Rules by which the scheduler takes the CPU away from the current task, and those of what a
    CPU does that idles."""
    specification: tuple[Stmt, ...] = ()
    """Checks a state: sets VERDICT, CONCERNED_CPU and CONCERNED_LONGS."""
    heap: tuple[RecordName, ...] = ()
    blame: Field | None = None
    """Where a CPU remembers the statement that last wrote what it consults, if it does."""
    sites: tuple[Site, ...] = ()
    """Design statements by number (from 1) where CPUs remember them (see blame.py)."""
    live: dict[int, frozenset[Field]] = field(default_factory=dict)
    """For each step the local variables that may still be read."""
    live_together: list[frozenset[Field]] = field(default_factory=list)
    """Sets of local variables that need room at the same time."""
    idle: dict[str, int] = field(default_factory=dict)
    """Default values of the fields of an idle task that are not 0."""
    map_is_valid: Expr = ALWAYS
    """Whether the processor consults the map of the context's CPU."""
    consulted: frozenset[Field] = frozenset()
    """Fields of CPU and TSS that decide about ports."""
    brought_up: Values = field(default_factory=dict)
    """The values of the declared fields after every CPU was brought up."""
    return_pc: int = USER
    """The pc of a task that was interrupted in user mode, and of a child before its first step."""
    preemptible_end: int = FIRST_STEP
    """Before steps below this one a task can be switched out; at the others preemption or
    interrupts are off, or the kernel is not preemptible and does not sleep."""
    exact_longs: int = 1
    """Longs from which on the model is exact: more than any number of real ones in the design."""
    longs_site: Site | None = None
    """Where the design names the largest number of real longs."""

    @property
    def allocations_can_fail(self) -> bool:
        """Whether any allocation may fail though a slot is free."""
        found = [step.allocation for step in self.steps.values()]
        return any(each is not None and each.can_fail for each in found)

    @property
    def cpus_alike(self) -> bool:
        """Whether CPUs can be renamed: a task's home is a number, which renaming leaves alone."""
        return self.kernel.home is None

    def fields_of(self, record: RecordName) -> list[Field]:
        """Return the fields of a record in declaration order."""
        return [f for f in self.fields if f.record == record]

    def field(self, record: RecordName, name: str) -> Field:
        """Return one field by name."""
        return next(f for f in self.fields if f.record == record and f.name == name)
