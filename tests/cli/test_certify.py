"""Tests of `iopermit check --certificate` and `iopermit certify`."""

import json
import os
from pathlib import Path

import pytest
from tests.support.certify.certificates import rewrite, states_of
from tests.support.cli.command import CRASHING, HOLDING, run, start

SMALL = ("--cpus", "1", "--tasks", "1", "--longs", "1", "--events", "ioperm,iopl,exit,exec,preempt")
"""A scenario that is searched in no time."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a certificate that `check` wrote, in a process of its own."""
    file = tmp_path_factory.mktemp("written") / "it.cert"
    process = start("check", HOLDING, *SMALL, "-q", "--certificate", file)
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert out.startswith(f"HOLDS: {HOLDING}")
    return file


def test_certificate_is_verified(capsys: pytest.CaptureFixture[str], written: Path) -> None:
    """What `check` wrote is verified, exit status 0, and the result says what of."""
    ran = run(capsys, "certify", written)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith(
        f"VERIFIED: {HOLDING} (1 CPU, 1 task, 1 long; exec, exit, ioperm, iopl, preempt)\n"
        "  the initial state is among "
    )
    assert "none of them violates the specification" in ran.out
    assert run(capsys, "certify", written, "--quiet").out == ran.out.partition("\n")[0] + "\n"


def test_result_as_json(capsys: pytest.CaptureFixture[str], written: Path) -> None:
    """--json gives result, design, scenario and figures."""
    ran = run(capsys, "certify", written, "--json")
    result = json.loads(ran.out)
    assert ran.status == 0
    assert result["schema"] == "iopermit/certify/1"
    assert (result["result"], result["reason"], result["state"]) == ("verified", "", None)
    assert result["design"]["name"] == HOLDING
    assert result["scenario"]["cpus"] == 1
    assert result["states"] >= result["members"] > 100
    assert result["transitions"] > result["members"]


def test_wrong_certificate_is_refuted(
    capsys: pytest.CaptureFixture[str], written: Path, tmp_path: Path
) -> None:
    """A set that lacks a state is refuted, exit status 1, and the result says where."""
    wrong = tmp_path / "wrong.cert"
    wrong.write_bytes(written.read_bytes())
    rewrite(wrong, states_of(wrong)[:-1])
    ran = run(capsys, "certify", wrong)
    assert ran.status == 1
    assert ran.out.startswith(f"REFUTED: {HOLDING} (")
    assert "a successor of a state is not in the set: " in ran.out
    result = json.loads(run(capsys, "certify", wrong, "--json").out)
    assert result["result"] == "refuted"
    assert result["state"] >= 0


def test_what_is_no_certificate(
    capsys: pytest.CaptureFixture[str], written: Path, tmp_path: Path
) -> None:
    """A missing file, another file, and a damaged one are bad input: one message, status 2."""
    damaged, other = tmp_path / "damaged.cert", tmp_path / "other"
    damaged.write_bytes(written.read_bytes()[:-1])
    other.write_text("something else", encoding="utf-8")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for file, reason in (
        (tmp_path / "none", "No such file"),
        (tmp_path, "Is a directory"),
        (pipe, "not a regular file"),
        (other, "not a certificate"),
        (damaged, "cut off"),
    ):
        ran = run(capsys, "certify", file)
        assert (ran.status, ran.out) == (2, "")
        assert ran.err.startswith("iopermit: error: ")
        assert reason in ran.err
        assert ran.err.count("\n") == 1


def test_time_limit(capsys: pytest.CaptureFixture[str], written: Path) -> None:
    """A limit leaves the question open: exit status 3."""
    ran = run(capsys, "certify", written, "--timeout", "0")
    assert (ran.status, ran.err) == (3, "")
    assert ran.out.startswith(f"UNDETERMINED: {HOLDING} (")
    assert ran.out.endswith(": the time limit was reached\n")
    result = json.loads(run(capsys, "certify", written, "--timeout", "0", "--json").out)
    assert (result["result"], result["reason"]) == ("undetermined", "the time limit was reached")


def test_certificate_needs_bounds(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Without bounds there is no one scenario that a certificate could be for."""
    ran = run(capsys, "check", HOLDING, "--certificate", tmp_path / "it")
    assert ran.status == 2
    assert "--certificate needs a scenario" in ran.err


def test_violation_gives_no_certificate(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A design that is violated keeps exit status 1, and no file is written."""
    ran = run(capsys, "check", CRASHING, *SMALL, "-q", "--certificate", tmp_path / "it")
    assert ran.status == 1
    assert "no certificate is written: the verdict is violated" in ran.err
    assert not list(tmp_path.iterdir())


def test_limit_gives_no_certificate(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A limit that lets the verdict be found but not the certificate ends with status 3."""
    limit = ("--max-states", "150", "--without", "iopl-levels")
    ran = run(capsys, "check", HOLDING, *SMALL, *limit, "-q", "--certificate", tmp_path / "it")
    assert ran.out.startswith("HOLDS")
    assert ran.status == 3
    assert "no certificate is written: the limit of 150 states was reached" in ran.err


def test_certificate_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A directory that does not exist is noticed before the search."""
    ran = run(capsys, "check", HOLDING, *SMALL, "--certificate", tmp_path / "no" / "it")
    assert (ran.status, ran.out) == (2, "")
    assert "there is no directory" in ran.err


def test_kernel_tree_has_no_certificate(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Certificates are for designs."""
    ran = run(capsys, "check", "--kernel", tmp_path, "--certificate", tmp_path / "it")
    assert ran.status == 2
    assert "--certificate" in ran.err
