"""Tests of `iopermit explain`: every code of a finding or an error is explained."""

import pytest
from tests.support.cli.command import run

from iopermit.report.findings.error_codes import CODES, ERRORS


@pytest.mark.parametrize("code", [each.code for each in CODES])
def test_a_code_is_explained(capsys: pytest.CaptureFixture[str], code: str) -> None:
    """The explanation has what it means, what to do and how grave it is, or the exit status."""
    ran = run(capsys, "explain", code)
    assert ran.status == 0
    assert ran.out.startswith(f"{code}: ")
    assert "What to do: " in ran.out
    assert ("Severity: " in ran.out) != ("Exit status: " in ran.out)
    assert ("Exit status: " in ran.out) == (code in [each.code for each in ERRORS])
    assert max(map(len, ran.out.splitlines())) <= 100
    assert sum(line[0] != " " for line in ran.out.splitlines()) == 1


def test_without_a_code_all_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a code every one is explained, findings first, the gravest at the top."""
    lines = run(capsys, "explain").out.splitlines()
    heads = [line.partition(":")[0] for line in lines if line and line[0] != " "]
    assert heads == [each.code for each in CODES]


def test_an_unknown_code_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A code that does not exist is refused with the closest one, or with all."""
    ran = run(capsys, "explain", "leek")
    assert (ran.status, "did you mean leak?" in ran.err) == (2, True)
    ran = run(capsys, "explain", "zzz")
    assert (ran.status, "the codes: leak, loss, crash" in ran.err) == (2, True)
