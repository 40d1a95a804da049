"""The ledger: portions add up, and only what the present code judged counts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tools.fuzz_designs.judging.outcome import Finding, Outcome
from tools.fuzz_designs.ledger import JUDGED, ROOT, Ledger, summary, totals, version

OUTCOME = Outcome(1, "somewhere", "holds", checks=["all"])
FOUND = Outcome(2, "elsewhere", "violated", findings=[Finding("verdict", "all", "no")])


def test_a_second_portion_goes_on(tmp_path: Path) -> None:
    """What is in the file is read back as it was, and is not missing any more."""
    file = tmp_path / "new" / "ledger.jsonl"
    first = Ledger.read(file, 7, "code")
    first.add(OUTCOME)
    first.add(FOUND)
    second = Ledger.read(file, 7, "code")
    assert second.outcomes == {1: OUTCOME, 2: FOUND}
    assert second.missing(4) == [0, 3]


def test_other_seeds_and_other_code_do_not_count(tmp_path: Path) -> None:
    """A design is judged again for another seed, and when the code has changed."""
    file = tmp_path / "ledger.jsonl"
    Ledger.read(file, 7, "code").add(OUTCOME)
    assert Ledger.read(file, 8, "code").missing(2) == [0, 1]
    assert Ledger.read(file, 7, "other").missing(2) == [0, 1]
    assert totals(file) == "seed 7, code code: 1 designs"


def test_a_line_that_was_cut_short_does_not_count(tmp_path: Path) -> None:
    """A portion that was killed while it wrote leaves a ledger that can be read."""
    file = tmp_path / "ledger.jsonl"
    Ledger.read(file, 7, "code").add(OUTCOME)
    file.write_text(file.read_text(encoding="utf-8") + '{"seed": 7, "co', encoding="utf-8")
    assert Ledger.read(file, 7, "code").missing(2) == [0]


def test_the_summary_counts_verdicts_checks_and_disagreements() -> None:
    """The summary has shares of verdicts, and says DISAGREES exactly if something does."""
    text = summary([OUTCOME, FOUND])
    assert "2 designs" in text
    assert "holds 1 (50%)" in text
    assert "DISAGREES: verdict (all): 1" in text
    assert "no disagreement" in summary([OUTCOME])


def test_the_version_is_that_of_the_code() -> None:
    """The same code has the same digest each time."""
    assert version() == version()
    assert len(version()) == 12


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ('"""Else."""\ndef f(a):\n    # Why.\n    return (\n        a\n    )\n', True),
        ("def f(a):\n    return -a\n", False),
        ("def f(a):\n    return 'a'\n", False),
    ],
)
def test_the_version_is_of_what_is_executed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, same: bool
) -> None:
    """Comments, docstrings and line breaks do not change the version, and all else does."""
    monkeypatch.setattr("tools.fuzz_designs.ledger.ROOT", tmp_path)
    file = tmp_path / "file.py"
    file.write_text('"""Text."""\n\ndef f(a):\n    """Say it."""\n    return a\n')
    before = version(["."])
    file.write_text(text)
    assert (version(["."]) == before) is same


def test_judging_rests_on_the_code_that_the_version_is_of() -> None:
    """Every package of iopermit that judging a design imports counts for the version."""
    code = (
        "import sys\n"
        "from tools.fuzz_designs.command import generate\n"
        "from tools.fuzz_designs.judging.judge import Judge\n"
        "for index in (1, 3):\n"
        "    Judge(generate(7, index), index).judge()\n"
        "print(*{name.split('.')[1] for name in sys.modules if name.startswith('iopermit.')})\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    counted = {Path(folder).name for folder in JUDGED}
    # The support of the tests knows how builds of kernels are confined, which judges nothing.
    assert set(done.stdout.split()) - {"kernel"} <= counted
