"""The comparison with another revision takes turns, and its ratios are those of the pairs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from benchmarks.__main__ import main
from benchmarks.against import (
    FULL,
    QUICK,
    TINY,
    Cost,
    Work,
    compare,
    comparison_table,
    of_tree,
    ratios,
)
from benchmarks.revisions import Revision, UnknownRevisionError, commit_of
from benchmarks.timing import Run
from tests.support.requirements import skip_or_fail

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Pretended(Revision):
    """A revision whose commands take the time that they are told."""

    name: str
    order: list[str]
    """Which revision ran, in order; both sides share it."""
    seconds: Iterator[float]
    states: int = 7
    caches: list[Path | None] = field(default_factory=list)

    def run(self, *arguments: str, cache: Path | None = None) -> Run:
        """Say what a check says, after the next of the seconds."""
        self.order.append(self.name)
        self.caches.append(cache)
        took = next(self.seconds)
        search = {"states": self.states, "seconds": took / 8}
        output = json.dumps({"verdict": "holds", "search": search, "command": arguments})
        return Run(took, took / 2, 0, output)


def pretended(
    here: list[float], there: list[float], states: int = 7
) -> tuple[Pretended, Pretended]:
    """Return two revisions that record the order of their runs in one list."""
    order: list[str] = []
    nowhere = Path("nowhere")
    return (
        Pretended(nowhere, nowhere, "here", order, iter(here)),
        Pretended(nowhere, nowhere, "there", order, iter(there), states),
    )


SEARCH = Work("search", "a search", ("check",))


def test_ratios_are_those_of_the_pairs() -> None:
    """The ratio is the median of the pairs' ratios, not the ratio of the medians."""
    pairs = [(1.0, 1.0), (3.0, 1.0), (8.0, 4.0)]
    row = ratios([(Cost(a, 2 * a, None), Cost(b, b, None)) for a, b in pairs])
    assert (row["ratio"], row["least_ratio"], row["greatest_ratio"]) == (2.0, 1.0, 3.0)
    assert (row["cpu_ratio"], row["least_cpu_ratio"], row["greatest_cpu_ratio"]) == (4.0, 2.0, 6.0)
    assert (row["here_seconds"], row["there_seconds"], row["pairs"]) == (3.0, 1.0, 3)


def test_the_two_take_turns() -> None:
    """Each runs once uncounted, then pair by pair, and the one that begins changes."""
    here, there = pretended([9, 1, 2, 3], [9, 1, 1, 1])
    (row,) = compare([SEARCH], here, there, 3)
    turns = ["here", "there", "here", "there", "there", "here", "here", "there"]
    assert here.order == turns
    assert row["greatest_ratio"] == 3.0


def test_what_is_measured() -> None:
    """Of a search its own seconds count; of the rest, those of the process."""
    here, _ = pretended([4, 4, 4], [])
    assert SEARCH.cost(here) == Cost(0.5, 2, ("holds", 7))
    assert Work("compile", "", ()).cost(here) == Cost(4, 2, ("holds", 7))
    assert Work("start-up", "", ()).cost(here) == Cost(4, 2, None)


def test_a_tree_is_measured_as_a_search_is(tmp_path: Path) -> None:
    """What is compared is the search of the default scenarios; the build does not count."""
    here, _ = pretended([4, 4], [])
    works = of_tree(tmp_path, small=False)
    assert [work.cost(here) for work in works] == [Cost(0.5, 2, ("holds", 7))] * 2
    assert [work.name for work in works] == [f"{tmp_path.name} {b}" for b in ("1/2/2", "2/2/1")]
    assert [len(of_tree(tmp_path, small=True)), {work.part for work in works}] == [1, {"trees"}]


def test_only_a_compilation_finds_no_machine_code() -> None:
    """A compilation gets an empty directory of its own; everything else the usual one."""
    here, _ = pretended([1, 1, 1, 1], [])
    for part in ("compile", "compile", "search", "start-up"):
        Work(part, "", ()).cost(here)
    first, second, *others = here.caches
    assert first is not None
    assert first != second
    assert others == [None, None]


def test_different_results_are_shown() -> None:
    """Where the two find different numbers of states, the table says so."""
    here, there = pretended([1, 1], [1, 1], states=8)
    shown = comparison_table(list(compare([SEARCH], here, there, 1)))
    assert "differ: holds, 7 here; holds, 8 there" in shown
    same = comparison_table(list(compare([SEARCH], *pretended([1, 1], [2, 2]), 1)))
    assert "| search: a search | 7 | 0.125 | 0.250 | **0.50** |" in same


def test_every_plan_has_every_part() -> None:
    """Even the smallest plan measures start-up, compilation and search."""
    for plan in (TINY, QUICK, FULL):
        assert {work.part for work in plan} == {"start-up", "compile", "search"}


def test_compares_with_a_revision(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command measures this tree and its last commit, and writes the figures as JSON."""
    try:
        commit = commit_of("HEAD")
    except UnknownRevisionError as error:
        skip_or_fail(f"needs the repository of iopermit: {error}")
    data = tmp_path / "against.json"
    assert main(["--against", "HEAD", "--tiny", "--json", str(data)]) == 0
    document = json.loads(data.read_text(encoding="utf-8"))
    assert document["against"] == commit
    assert [row["part"] for row in document["pairs"]] == ["start-up", "compile", "search"]
    assert all(row["ratio"] > 0 for row in document["pairs"])
    assert capsys.readouterr().out.count("\n| ") == 5


def test_says_that_there_is_no_such_revision(capsys: pytest.CaptureFixture[str]) -> None:
    """A revision that git does not know ends with one message and exit status 2."""
    assert main(["--against", "no-such-revision"]) == 2
    assert "no revision 'no-such-revision'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--part", "compile"], "needs --against"),
        (["--against", "HEAD", "--part", "programs"], "not programs"),
        (["--against", "HEAD", "--part", "trees"], "needs --tree"),
        (["--tree", "tree"], "needs --against"),
        (["--against", "HEAD", "--tree", "unused"], "it has no Makefile"),
        (["--against", "HEAD", "--plot", "unused.svg"], "leave --plot out"),
    ],
)
def test_refuses_options_that_mean_nothing(
    options: list[str],
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Options that would be ignored are refused, with the reason."""
    monkeypatch.chdir(tmp_path)
    Path("tree").mkdir()
    Path("tree/Makefile").touch()
    with pytest.raises(SystemExit, match="2"):
        main(options)
    assert complaint in capsys.readouterr().err
