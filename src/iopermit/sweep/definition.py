"""What a sweep consists of, as its description says it: typed values, and nothing looked up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from iopermit.engine.ladder import Bounds


@dataclass(frozen=True)
class EventSet:
    """A set of events, as `check` takes it.

    Attributes:
        text: how the description calls it, such as ``all without preempt``.
        events: what is given to `--events`.
        without: what is given to `--without`; may be empty.
    """

    text: str
    events: str
    without: str


@dataclass(frozen=True)
class Tree:
    """A kernel source tree in a directory."""

    name: str
    path: Path


@dataclass(frozen=True)
class Revisions:
    """Kernel trees that are commits of a git repository.

    Attributes:
        name: how the description calls them.
        repository: the directory of the repository.
        rev: one revision, or a range ``FROM..TO``.
        paths: only commits that touch one of these; every commit if there is none.
    """

    name: str
    repository: Path
    rev: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class PatchSet:
    """Patches that are applied together.

    Attributes:
        name: how the description calls them; empty for a tree without patches.
        files: the patches, in order.
        reverse: whether they are taken back instead.
        trees: names of the trees and revisions that get them; all if empty.
    """

    name: str = ""
    files: tuple[Path, ...] = ()
    reverse: bool = False
    trees: tuple[str, ...] = ()


@dataclass(frozen=True)
class JobLimits:
    """Where a job gives up, as `check` takes it; None is no limit.

    Attributes:
        max_states: states.
        max_memory: memory, such as ``2G``.
        timeout: seconds of the search.
    """

    max_states: int | None = None
    max_memory: str | None = None
    timeout: float | None = None


@dataclass(frozen=True)
class Definition:
    """A sweep: every subject under every set of events in every scenario.

    Attributes:
        file: the description.
        title: what it is about; empty if it does not say.
        designs: what `check` takes as DESIGN; ``all`` stands for every known design.
        options: which options of the designs have a row of their own: ``none``, ``each``, or names.
        events: the sets of events.
        scenarios: CPUs, tasks and longs.
        trees: kernel trees.
        revisions: kernel trees that are commits.
        patches: what is applied to trees and revisions, one after the other.
        configurations: for which kind of preemption trees are built.
        limits: where a job gives up.
        lines: where each part stands in the file, for messages.
    """

    file: Path
    title: str
    designs: tuple[str, ...]
    options: str | tuple[str, ...]
    events: tuple[EventSet, ...]
    scenarios: tuple[Bounds, ...]
    trees: tuple[Tree, ...]
    revisions: tuple[Revisions, ...]
    patches: tuple[PatchSet, ...]
    configurations: tuple[str, ...]
    limits: JobLimits
    lines: Mapping[str, int]

    def place(self, key: str) -> str:
        """Return where a key of the top level stands, such as ``sweep.toml:3``."""
        line = self.lines.get(key, 0)
        return f"{self.file}:{line}" if line else str(self.file)
