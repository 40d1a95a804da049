"""Tests of iopermit.sweep.jobs: what a key depends on, and the command lines."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.sweep.made_jobs import SCENARIO, design_job, row, tree_job

from iopermit.sweep.definition import JobLimits
from iopermit.sweep.jobs import Commit, DesignSubject, Job, RevisionPlace, TreeSubject
from iopermit.system.events import all_events
from iopermit.system.scenario import Scenario

TREE = TreeSubject("linux", "digest", Path("/linux"), compiler="gcc 12")
JOB = Job(TREE, "plain", SCENARIO, JobLimits(), "checker")


@pytest.mark.parametrize(
    "other",
    [
        replace(JOB, scenario=Scenario(2, 2, 1, SCENARIO.events)),
        replace(JOB, scenario=Scenario(1, 2, 1, all_events())),
        replace(JOB, limits=JobLimits(max_states=5)),
        replace(JOB, limits=JobLimits(max_memory="1G")),
        replace(JOB, limits=JobLimits(timeout=5)),
        replace(JOB, checker="another version"),
        replace(JOB, subject=replace(TREE, digest="other files")),
        replace(JOB, subject=replace(TREE, patch_digests=("patch",))),
        replace(JOB, subject=replace(TREE, reverse=True)),
        replace(JOB, subject=replace(TREE, configuration="rt")),
        replace(JOB, subject=replace(TREE, compiler="gcc 13")),
        replace(JOB, subject=DesignSubject("linux", (), "digest")),
    ],
)
def test_what_decides_the_verdict_makes_another_job(other: Job) -> None:
    """Scenario, events, limits, the checker's version, files, patches, compiler: all count."""
    assert other.key != JOB.key


@pytest.mark.parametrize(
    "other",
    [
        replace(JOB, events="another name"),
        replace(JOB, subject=replace(TREE, name="another name", path=Path("/elsewhere"))),
        replace(JOB, subject=replace(TREE, patch_set="another name")),
        replace(JOB, subject=replace(TREE, place=RevisionPlace(Commit("1", "digest", ""), 3, 9))),
    ],
)
def test_names_and_places_make_no_other_job(other: Job) -> None:
    """How something is called, and where it lies, decides about nothing."""
    assert other.key == JOB.key


def test_designs_with_other_options_are_other_jobs() -> None:
    """A switch that is set is part of the key."""
    assert design_job("a", "switch").key != design_job("a").key


def test_the_command_line_of_a_design() -> None:
    """A job about a design is `check` with its options, its scenario and its limits."""
    job = replace(design_job("mine", "switch"), limits=JobLimits(9, "2G", 1.5))
    words = job.arguments()
    assert words[:4] == ["check", "mine", "--option", "switch"]
    assert words[4:10] == ["--cpus", "1", "--tasks", "2", "--longs", "1"]
    assert words[-6:] == ["--max-states", "9", "--max-memory", "2G", "--timeout", "1.5"]
    assert job.command.startswith("iopermit check mine --option switch --cpus 1")


def test_the_command_line_of_a_tree() -> None:
    """A job about a tree names its directory and patches; what is shown has names only."""
    patched = replace(TREE, patches=(Path("/p/fix.patch"),), reverse=True, configuration="rt")
    job = replace(JOB, subject=patched, limits=JobLimits(max_memory="2G"))
    wanted = ["check", "--kernel", "/linux", "--patch", "/p/fix.patch", "--reverse"]
    assert job.arguments()[:8] == [*wanted, "--config", "rt"]
    assert job.arguments()[-2:] == ["--max-memory", "2G"]
    assert "--kernel TREE --patch fix.patch --reverse" in job.command


def test_a_revision_is_checked_where_it_is_laid_out() -> None:
    """The directory of a revision is known only when its job runs."""
    assert row(1)[0].arguments(Path("/tmp/tree-0"))[:3] == ["check", "--kernel", "/tmp/tree-0"]
    assert tree_job("linux", Path("/linux")).arguments()[:3] == ["check", "--kernel", "/linux"]
