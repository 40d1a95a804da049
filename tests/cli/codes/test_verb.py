"""Tests of `iopermit explain`: every code of a finding is explained."""

import pytest
from tests.support.cli.command import run

from iopermit.report.findings.codes import FINDINGS


@pytest.mark.parametrize("code", [each.code for each in FINDINGS])
def test_a_code_is_explained(capsys: pytest.CaptureFixture[str], code: str) -> None:
    """The explanation has what it means, what to do and how grave it is, of this code only."""
    ran = run(capsys, "explain", code)
    assert ran.status == 0
    assert ran.out.startswith(f"{code}: ")
    assert "What to do: " in ran.out
    assert "Severity: " in ran.out
    assert max(map(len, ran.out.splitlines())) <= 100
    assert sum(line[0] != " " for line in ran.out.splitlines()) == 1


def test_without_a_code_all_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a code every one is explained, the gravest first."""
    lines = run(capsys, "explain").out.splitlines()
    heads = [line.partition(":")[0] for line in lines if line and line[0] != " "]
    assert heads == [each.code for each in FINDINGS]


def test_an_unknown_code_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A code that does not exist is refused with the closest one, or with all."""
    ran = run(capsys, "explain", "leek")
    assert (ran.status, "did you mean leak?" in ran.err) == (2, True)
    ran = run(capsys, "explain", "zzz")
    assert (ran.status, "the codes: leak, loss, crash" in ran.err) == (2, True)
