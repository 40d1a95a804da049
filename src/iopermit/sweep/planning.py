"""Plans a sweep: which jobs its description means, and which of them are rows of revisions."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from iopermit.designs import designs
from iopermit.kernel.build.configuration import CONFIGURATIONS
from iopermit.sweep import identity
from iopermit.sweep.checkouts import Checkouts
from iopermit.sweep.errors import SweepError
from iopermit.sweep.jobs import DesignSubject, Job, RevisionPlace, TreeSubject
from iopermit.sweep.repository import Repository
from iopermit.translate.frontend.load import load_design

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from iopermit.engine.ladder import Bounds
    from iopermit.sweep.definition import Definition, EventSet, PatchSet, Revisions, Tree
    from iopermit.sweep.jobs import Subject
    from iopermit.system.design import Design
    from iopermit.system.scenario import Scenario

    ScenarioOf = Callable[[EventSet, Bounds], Scenario]
    """Returns the scenario that a set of events and bounds mean."""

ALL: Final = "all"
"""Stands for every known design."""
_EACH: Final = "each"
_NONE: Final = "none"


@dataclass(frozen=True)
class SweepPlan:
    """The jobs of a sweep.

    Attributes:
        jobs: every job, in the order of the description.
        checkouts: where revisions are laid out, by their names.
    """

    jobs: tuple[Job, ...]
    checkouts: dict[str, Checkouts]


def plan(definition: Definition, scenario_of: ScenarioOf, scratch: Path, workers: int) -> SweepPlan:
    """Return the jobs that a description means.

    Args:
        definition: the description.
        scenario_of: knows the names of events; what it raises goes on to the caller.
        scratch: an empty directory for what is needed as long as the sweep runs.
        workers: how many jobs run at once.

    Raises:
        SweepError: a design lacks an option that is named, git has no such revision, or a file
            cannot be read.
        DesignError: a file has no design, or one that cannot be accepted.
        UnknownDesignError: there is no design of this name.
        KernelTreeError: a tree is none that can be checked, or the compiler is missing.
    """
    checkouts: dict[str, Checkouts] = {}
    subjects: list[Subject] = [*_designs(definition)]
    for tree in definition.trees:
        subjects += _patched(definition, _tree(tree))
    for number, revisions in enumerate(definition.revisions):
        folder = scratch / f"revisions-{number}"
        folder.mkdir()
        repository = Repository(revisions.repository, folder)
        checkouts[revisions.name] = Checkouts(repository, folder, workers)
        for subject in _revisions(revisions, repository):
            subjects += _patched(definition, subject)
    checker = identity.checker()
    jobs = tuple(
        Job(subject, events.text, _possible(subject, scenario), definition.limits, checker)
        for subject in subjects
        for events, bounds in itertools.product(definition.events, definition.scenarios)
        for scenario in [scenario_of(events, bounds)]
    )
    return SweepPlan(jobs, checkouts)


def _possible(subject: Subject, scenario: Scenario) -> Scenario:
    """Return a scenario without the events that cannot happen in a tree's configuration."""
    if isinstance(subject, DesignSubject):
        return scenario
    return CONFIGURATIONS[subject.configuration].possible(scenario)


def _designs(definition: Definition) -> Iterator[DesignSubject]:
    """Yield every design, and behind it one more for each of its options that is wanted."""
    named = (tuple(designs()) if name == ALL else (name,) for name in definition.designs)
    known: set[str] = set()
    for name in dict.fromkeys(itertools.chain.from_iterable(named)):
        design = load_design(name)
        known.update(design.options)
        digest = identity.design_digest(design)
        files = tuple((file, identity.file_digest(file)) for file in identity.design_files(design))
        yield DesignSubject(name, (), digest, files)
        for option in _options(definition, design):
            yield DesignSubject(name, (option,), digest, files)
    if isinstance(definition.options, tuple):
        unknown = [option for option in definition.options if option not in known]
        if unknown:
            message = f"no design of the sweep has the option {unknown[0]!r}"
            raise SweepError(f"{definition.place('options')}: {message}; `iopermit list` has all")


def _options(definition: Definition, design: type[Design]) -> list[str]:
    wanted = definition.options
    if wanted == _EACH:
        return list(design.options)
    if isinstance(wanted, str):
        if wanted != _NONE:
            message = f'\'options\' is {wanted!r}; write "none", "each", or a list of names'
            raise SweepError(f"{definition.place('options')}: {message}")
        return []
    return [option for option in wanted if option in design.options]


def _tree(tree: Tree) -> TreeSubject:
    return TreeSubject(tree.name, identity.tree_digest(tree.path), tree.path)


def _revisions(revisions: Revisions, repository: Repository) -> Iterator[TreeSubject]:
    commits = repository.commits(revisions.rev, revisions.paths)
    for number, commit in enumerate(commits):
        yield TreeSubject(
            revisions.name, commit.tree, None, RevisionPlace(commit, number, len(commits))
        )


def _patched(definition: Definition, tree: TreeSubject) -> Iterator[TreeSubject]:
    """Yield a tree with each set of patches that is for it, in each configuration."""
    sets = [each for each in definition.patches if not each.trees or tree.name in each.trees]
    for patches, configuration in itertools.product(sets, definition.configurations):
        yield _with(tree, patches, configuration)


def _with(tree: TreeSubject, patches: PatchSet, configuration: str) -> TreeSubject:
    return replace(
        tree,
        patch_set=patches.name,
        patches=patches.files,
        patch_digests=tuple(map(identity.file_digest, patches.files)),
        reverse=patches.reverse,
        configuration=configuration,
        compiler=identity.compiler(),
    )
