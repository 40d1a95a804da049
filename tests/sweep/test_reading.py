"""Tests of iopermit.sweep.reading: what a description means, and how mistakes in it are told."""

from pathlib import Path

import pytest

from iopermit.sweep.definition import EventSet, JobLimits, PatchSet
from iopermit.sweep.errors import SweepError
from iopermit.sweep.reading import DEFAULT_SCENARIO, SUBSYSTEM, read_definition

EVERYTHING = """\
title = "All keys"
designs = ["linux-5.5", "own.py:Mine"]
options = ["no_refcnt_reset"]
events = ["plain", "all without preempt,migrate", "all-without-preempt"]
configurations = ["full", "none"]
unpatched = false

[[scenario]]
cpus = 2

[[tree]]
path = "linux"

[[revisions]]
name = "stable"
repository = "/git/linux"
rev = "v5.4..v7.3"
paths = ["kernel"]

[[patch]]
name = "fix"
files = ["fix.patch"]
reverse = true
trees = ["linux"]

[limits]
max-states = 1_000
max-memory = "2G"
timeout = 1.5
"""


def written(folder: Path, text: str) -> Path:
    """Write a description and the patch that it may name."""
    (folder / "fix.patch").touch()
    file = folder / "sweep.toml"
    file.write_text(text)
    return file


def test_every_key_is_read(tmp_path: Path) -> None:
    """Each key has its meaning; paths are relative to the description's directory."""
    found = read_definition(written(tmp_path, EVERYTHING))
    assert found.title == "All keys"
    assert found.designs == ("linux-5.5", f"{tmp_path}/own.py:Mine")
    assert found.options == ("no_refcnt_reset",)
    assert found.events[1] == EventSet("all without preempt,migrate", "all", "preempt,migrate")
    assert found.events[2] == EventSet("all-without-preempt", "all", "preempt")
    assert found.configurations == ("full", "none")
    assert found.scenarios == ((2, 2, 1),)
    assert (found.trees[0].name, found.trees[0].path) == ("linux", tmp_path / "linux")
    (revisions,) = found.revisions
    assert (revisions.repository, revisions.rev) == (Path("/git/linux"), "v5.4..v7.3")
    assert revisions.paths == ("kernel",)
    assert found.patches == (PatchSet("fix", (tmp_path / "fix.patch",), True, ("linux",)),)
    assert found.limits == JobLimits(1000, "2G", 1.5)
    assert found.place("events").endswith("sweep.toml:4")


def test_what_is_left_out_has_defaults(tmp_path: Path) -> None:
    """Without more, all events are asked in one small scenario, of trees without patches."""
    text = 'designs = ["all"]\n[[revisions]]\nrepository = "g"\nrev = "v6.1"\n'
    found = read_definition(written(tmp_path, text))
    assert found.scenarios == (DEFAULT_SCENARIO,)
    assert [each.text for each in found.events] == ["all"]
    assert (found.options, found.patches, found.limits) == ("none", (PatchSet(),), JobLimits())
    assert (found.revisions[0].name, found.revisions[0].paths) == ("v6.1", SUBSYSTEM)


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ('designs = ["all"]\nevent = ["all"]', 2, "unknown key 'event'; did you mean events?"),
        ('designs = ["all"]\n[limits]\nmemory = 1', 3, "unknown key 'memory' in [limits]"),
        ('[[tree]]\npath = "a"\n[[tree]]\npath = "b"\nfoo = 1', 5, "unknown key 'foo' in [tree]"),
        ('[[tree]]\nname = "a"', 1, "'path' in [tree] is missing"),
        ('[[revisions]]\nrepository = "a"', 1, "'rev' in [revisions] is missing"),
        ("title = 1", 1, "'title' has to be a text; it is 1"),
        ("designs = [1]", 1, "'designs' has to be a list of texts"),
        ('designs = ["all"]\nunpatched = 1', 2, "'unpatched' has to be true or false"),
        ('designs = ["all"]\n[[scenario]]\ncpus = 0', 3, "'cpus' in [scenario] has to be a whole"),
        ('designs = ["all"]\n[limits]\ntimeout = -1', 3, "'timeout' in [limits] has to be seconds"),
        ('designs = ["all"]\nscenario = 1', 2, "'scenario' has to be tables, each headed by"),
        ('designs = ["all"]\nlimits = 1', 2, "'limits' has to be a table, headed by [limits]"),
        ('designs = ["all"]\nevents = []', 2, "'events' is empty"),
        (
            '[[tree]]\npath = "a"\n[[tree]]\nname = "a"\npath = "b"',
            1,
            "2 of [[tree]] have the name",
        ),
        (
            '[[tree]]\npath = "a"\n[[patch]]\nname = "p"\nfiles = []',
            5,
            "'files' in [patch] is empty",
        ),
        ('[[patch]]\nname = "p"\nfiles = ["gone"]', 3, "there is no file "),
        (
            '[[tree]]\npath = "a"\n[[patch]]\nname = "p"\nfiles = ["fix.patch"]\ntrees = ["b"]',
            3,
            "a patch is for the tree 'b'; the trees: a",
        ),
        ('unpatched = false\n[[tree]]\npath = "a"', 1, "no tree is left"),
        ('configurations = ["x"]\n[[tree]]\npath = "a"', 1, "choose from full, rt"),
    ],
)
def test_a_mistake_names_file_line_and_remedy(
    text: str, line: int, part: str, tmp_path: Path
) -> None:
    """A key that does not exist, or a value that makes no sense, is told with its place."""
    with pytest.raises(SweepError) as caught:
        read_definition(written(tmp_path, text))
    assert str(caught.value).startswith(f"{tmp_path}/sweep.toml:{line}: ")
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("content", "part"),
    [(b"a = ", "is no TOML"), (b"\xff", "is no TOML"), (b"", "there is nothing to check")],
)
def test_a_file_that_is_no_description_is_refused(
    content: bytes, part: str, tmp_path: Path
) -> None:
    """What is no TOML, or describes nothing, is told with the name of the file."""
    file = tmp_path / "sweep.toml"
    file.write_bytes(content)
    with pytest.raises(SweepError, match=part):
        read_definition(file)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A file that is not there, a directory, and one of many megabytes are refused."""
    with pytest.raises(SweepError, match="No such file"):
        read_definition(tmp_path / "gone.toml")
    with pytest.raises(SweepError, match="Is a directory"):
        read_definition(tmp_path)
    (tmp_path / "large.toml").write_bytes(b"#" * (2 << 20))
    with pytest.raises(SweepError, match="too large"):
        read_definition(tmp_path / "large.toml")
