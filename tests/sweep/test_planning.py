"""Tests of iopermit.sweep.planning: which jobs a description means."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.kernel.made_trees import make_tree
from tests.support.requirements import require_tool
from tests.support.sweep.histories import COMMITS, history

from iopermit.designs import UnknownDesignError, designs
from iopermit.engine.ladder import Bounds
from iopermit.sweep.definition import Definition, EventSet
from iopermit.sweep.errors import SweepError
from iopermit.sweep.jobs import DesignSubject, Job, TreeSubject
from iopermit.sweep.planning import plan
from iopermit.sweep.reading import read_definition
from iopermit.system.events import Event, all_events
from iopermit.system.scenario import Scenario


def scenario_of(_: EventSet, bounds: Bounds) -> Scenario:
    """Return a scenario with all events, whatever is asked for."""
    return Scenario(*bounds, all_events())


def jobs(folder: Path, text: str) -> tuple[Job, ...]:
    """Return the jobs of a description with that text."""
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    return plan(described(folder, text), scenario_of, scratch, 1).jobs


def described(folder: Path, text: str) -> Definition:
    """Return a description with that text."""
    file = folder / "sweep.toml"
    file.write_text(text)
    return read_definition(file)


def subjects(found: tuple[Job, ...]) -> list[tuple[str, ...]]:
    """Return the designs of jobs, with their options."""
    return [
        (job.subject.name, *job.subject.options)
        for job in found
        if isinstance(job.subject, DesignSubject)
    ]


def trees(found: tuple[Job, ...]) -> list[TreeSubject]:
    """Return the trees of jobs."""
    return [job.subject for job in found if isinstance(job.subject, TreeSubject)]


def test_every_subject_has_every_set_of_events_in_every_scenario(tmp_path: Path) -> None:
    """Two designs, two sets of events and two scenarios are eight jobs, all of them different."""
    text = 'designs = ["linux-5.5", "linux-6.16"]\nevents = ["plain", "all"]\n'
    found = jobs(tmp_path, text + "[[scenario]]\nlongs = 1\n[[scenario]]\nlongs = 2\n")
    assert len({(job.subject, job.events, job.bounds) for job in found}) == len(found) == 8


def test_all_designs_with_each_option(tmp_path: Path) -> None:
    """`all` is every known design; with `each` every option has a row of its own, as in compare."""
    found = subjects(jobs(tmp_path, 'designs = ["all"]\noptions = "each"'))
    wanted = [(d.id, *o) for d in designs().values() for o in ((), *((n,) for n in d.options))]
    assert found == wanted


def test_options_by_name(tmp_path: Path) -> None:
    """A named option is set in the designs that have it."""
    text = 'designs = ["linux-5.5", "linux-2.4.20"]\noptions = ["no_iopl_branch"]'
    found = subjects(jobs(tmp_path, text))
    assert found == [("linux-5.5",), ("linux-5.5", "no_iopl_branch"), ("linux-2.4.20",)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('designs = ["linux-5.5"]\noptions = ["gone"]', "sweep.toml:2: no design of the sweep has"),
        ('designs = ["linux-5.5"]\noptions = "some"', "sweep.toml:2: 'options' is 'some'; write"),
    ],
)
def test_options_that_make_no_sense(text: str, message: str, tmp_path: Path) -> None:
    """An option that no design has, and a word that means nothing, are told with their line."""
    with pytest.raises(SweepError, match=message):
        jobs(tmp_path, text)


def test_a_design_that_is_not_known_is_told(tmp_path: Path) -> None:
    """An id of no design ends the sweep before it begins."""
    with pytest.raises(UnknownDesignError):
        jobs(tmp_path, 'designs = ["gone"]')


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Give what looks like a kernel tree; the compiler is asked for its version only."""
    for tool in ("gcc", "make", "flex", "bison", "bc"):
        require_tool(tool)
    found = make_tree(tmp_path / "linux")
    (found / "Kconfig").write_text("")
    return found


@pytest.mark.usefixtures("tree")
def test_trees_have_every_patch_and_configuration(tmp_path: Path) -> None:
    """A tree without and with patches, for two kinds of preemption, is four jobs."""
    (tmp_path / "fix.patch").write_text("x")
    text = 'configurations = ["full", "none"]\n[[tree]]\npath = "linux"\n'
    found = jobs(tmp_path, text + '[[patch]]\nname = "fix"\nfiles = ["fix.patch"]\n')
    assert [(each.patch_set, each.configuration) for each in trees(found)] == [
        ("", "full"), ("", "none"), ("fix", "full"), ("fix", "none"),
    ]  # fmt: skip
    preempted = [Event.PREEMPT in job.scenario.events for job in found]
    assert preempted == [True, False, True, False]
    assert len({job.key for job in found}) == 4


@pytest.mark.usefixtures("tree")
def test_a_xen_guest_has_no_vm_exits(tmp_path: Path) -> None:
    """The event is left out of the scenarios of a Xen PV guest, and of no other one."""
    text = 'configurations = ["full", "xen"]\nevents = ["all"]\n[[tree]]\npath = "linux"\n'
    found = jobs(tmp_path, text)
    assert [Event.VM_EXIT in job.scenario.events for job in found] == [True, False]


@pytest.mark.usefixtures("tree")
def test_patches_can_be_for_some_trees(tmp_path: Path) -> None:
    """A patch that names trees is applied to these only."""
    (tmp_path / "fix.patch").write_text("x")
    text = '[[tree]]\npath = "linux"\n[[tree]]\nname = "other"\npath = "linux"\n'
    patch = '[[patch]]\nname = "fix"\nfiles = ["fix.patch"]\ntrees = ["other"]\n'
    found = trees(jobs(tmp_path, text + patch))
    assert [(each.name, each.patch_set) for each in found] == [
        ("linux", ""), ("other", ""), ("other", "fix"),
    ]  # fmt: skip


def test_revisions_are_rows_of_trees(tree: Path, tmp_path: Path) -> None:
    """Each commit of a range is a job, with its place; equal trees have equal keys."""
    commits = history(tmp_path / "git", tree, "sound", "faulty")
    text = f'[[revisions]]\nname = "h"\nrepository = "git"\nrev = "{commits[0]}..{commits[-1]}"\n'
    found = jobs(tmp_path, text)
    places = [subject.place for subject in trees(found)]
    assert [place.number for place in places if place is not None] == list(range(COMMITS + 1))
    assert [place.commit.hash for place in places if place is not None] == commits
    assert len({job.key for job in found}) == COMMITS + 1
    first = found[0].subject
    assert isinstance(first, TreeSubject)
    assert replace(found[0], subject=replace(first, name="other")).key == found[0].key
