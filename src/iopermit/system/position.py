"""Where a context stands between two steps."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, Protocol

from iopermit.system.design import Design
from iopermit.system.records import Record


@dataclass(frozen=True)
class BulkOperation:
    """An operation on a bitmap that steps long by long."""

    name: str
    """The method: `copy_from`, `fill`, `change` or `extent`."""
    bitmap: tuple[str, ...]
    """The names by which the statement finds the bitmap, such as `cpu`, `tss`, `bitmap`."""

    @property
    def copies_to_tss(self) -> bool:
        """Whether it copies into the bitmap of a TSS."""
        return self.name == "copy_from" and self.bitmap[-2:] == ("tss", "bitmap")


@dataclass(frozen=True)
class Position:
    """The place of the next step: a statement of a design, or a step of the environment."""

    function: str
    """The design's method, or what a step of the environment does."""
    file: str = ""
    line: int = 0
    column: int = 0
    part: int | None = None
    """The scenario long of a bulk operation; 0 at the end of an iteration of a `for` loop."""
    preemption_off: bool = field(default=False, compare=False)
    """Whether the statement is inside `with cpu.preemption_disabled()`."""
    may_sleep: bool = field(default=False, compare=False)
    """Whether the kernel may schedule here though it cannot be preempted; see `Thread.sleeps`."""
    live: frozenset[str] = field(default=frozenset(), compare=False)
    """Local variables whose value is still needed."""
    allocates: str = field(default="", compare=False)
    """Name of the heap class of which the step allocates an object, if it does."""
    bulk: BulkOperation | None = field(default=None, compare=False)
    """The bulk operation that the step is a part of, if it is."""


@dataclass(frozen=True)
class CallFrame:
    """One function of the call chain: where it stands, and the records it still refers to."""

    position: Position
    references: tuple[Record, ...] = ()


Stack = tuple[CallFrame, ...]
"""The call chain before a step, outermost function first."""

Steps = Generator[Stack, None, Any]
"""Kernel code that stops before each step, and returns what the function returns."""


class Stepper(Protocol):
    """Runs a method of a design step by step."""

    def __call__(self, design: Design, name: str, arguments: tuple[object, ...]) -> Steps:
        """Return the generator that executes the method `name` of `design`."""
