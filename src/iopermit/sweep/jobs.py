"""The jobs of a sweep: one check each, and the key under which its result is kept."""

from __future__ import annotations

import hashlib
import json
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iopermit.engine.ladder import Bounds
    from iopermit.sweep.definition import JobLimits
    from iopermit.system.scenario import Scenario

KEY_FORMAT: Final = 1
"""Number of what a key is made of; another one makes other keys of all jobs."""


@dataclass(frozen=True)
class DesignSubject:
    """A design with the switches that are set.

    Attributes:
        name: what `check` takes as DESIGN.
        options: the switches.
        digest: a hash of the files that define it.
        files: those of them that are no part of iopermit, each with a hash of its content.
    """

    name: str
    options: tuple[str, ...]
    digest: str
    files: tuple[tuple[Path, str], ...] = ()


@dataclass(frozen=True)
class Commit:
    """A commit of a repository.

    Attributes:
        hash: its full name.
        tree: the full name of its tree, which stands for all its files.
        summary: the first line of its message.
    """

    hash: str
    tree: str
    summary: str


@dataclass(frozen=True)
class RevisionPlace:
    """Where a tree stands in a row of revisions.

    Attributes:
        commit: which commit it is.
        number: its place, from 0, oldest first.
        count: how many there are in the row.
    """

    commit: Commit
    number: int
    count: int


@dataclass(frozen=True)
class TreeSubject:
    """A kernel tree with patches, built for a kind of preemption.

    Attributes:
        name: how the description calls the tree, or the row of revisions.
        digest: a hash of its files that decide about what is built, or of all of them.
        path: its directory; None for a revision, which is nowhere until a job needs it.
        place: which revision it is, or None.
        patch_set: how the description calls the patches; empty without any.
        patches: the files.
        patch_digests: a hash of each.
        reverse: whether they are taken back.
        configuration: the kind of preemption.
        compiler: what identifies the compiler.
    """

    name: str
    digest: str
    path: Path | None
    place: RevisionPlace | None = None
    patch_set: str = ""
    patches: tuple[Path, ...] = ()
    patch_digests: tuple[str, ...] = ()
    reverse: bool = False
    configuration: str = "full"
    compiler: str = ""


Subject = DesignSubject | TreeSubject


@dataclass(frozen=True)
class Job:
    """One check, in a process of its own.

    Attributes:
        subject: what is checked.
        events: how the description calls the set of events.
        scenario: its bounds and events.
        limits: where it gives up.
        checker: what identifies the checker, see `identity.checker()`.
    """

    subject: Subject
    events: str
    scenario: Scenario
    limits: JobLimits
    checker: str

    @property
    def bounds(self) -> Bounds:
        """CPUs, tasks and longs."""
        return (self.scenario.cpus, self.scenario.tasks, self.scenario.longs)

    @property
    def key(self) -> str:
        """A hash of everything that decides about the verdict: jobs with equal keys are one."""
        what = {
            "format": KEY_FORMAT,
            "checker": self.checker,
            "subject": _identity(self.subject),
            "bounds": self.bounds,
            "events": self._event_names(),
            "limits": [self.limits.max_states, self.limits.max_memory, self.limits.timeout],
        }
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()

    def arguments(self, tree: Path | None = None) -> list[str]:
        """Return the arguments of `iopermit check`; `tree` is where a revision was laid out."""
        if isinstance(self.subject, DesignSubject):
            return self._with_arguments(_design_arguments(self.subject))
        path = self.subject.path or tree
        return self._with_arguments(_tree_arguments(self.subject, str(path)))

    @property
    def command(self) -> str:
        """The command line that does the same, with TREE for the tree and names of patches."""
        subject = self.subject
        if isinstance(subject, TreeSubject):
            patches = tuple(Path(patch.name) for patch in subject.patches)
            words = _tree_arguments(replace(subject, patches=patches), "TREE")
        else:
            words = _design_arguments(subject)
        return shlex.join(["iopermit", *self._with_arguments(words)])

    def _with_arguments(self, subject: Iterable[str]) -> list[str]:
        words = ["check", *subject]
        for name, number in zip(("cpus", "tasks", "longs"), self.bounds, strict=True):
            words += [f"--{name}", str(number)]
        words += ["--events", ",".join(self._event_names())]
        if self.limits.max_states is not None:
            words += ["--max-states", str(self.limits.max_states)]
        if self.limits.max_memory is not None:
            words += ["--max-memory", self.limits.max_memory]
        if self.limits.timeout is not None:
            words += ["--timeout", f"{self.limits.timeout:g}"]
        return words

    def _event_names(self) -> list[str]:
        return sorted(event.name for event in self.scenario.events)


def _identity(subject: Subject) -> list[Any]:
    """Return what of a subject decides: not its name nor where it is, but what is in it."""
    if isinstance(subject, DesignSubject):
        _, _, of_class = subject.name.rpartition(":")
        return ["design", of_class, subject.options, subject.digest]
    patched = [*subject.patch_digests, subject.reverse]
    return ["tree", subject.digest, patched, subject.configuration, subject.compiler]


def _design_arguments(subject: DesignSubject) -> Iterator[str]:
    yield subject.name
    for option in subject.options:
        yield from ("--option", option)


def _tree_arguments(subject: TreeSubject, tree: str) -> Iterator[str]:
    yield from ("--kernel", tree)
    for patch in subject.patches:
        yield from ("--patch", str(patch))
    if subject.reverse:
        yield "--reverse"
    if subject.configuration != "full":
        yield from ("--config", subject.configuration)
