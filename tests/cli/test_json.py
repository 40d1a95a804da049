"""Tests of `--json`: what every verb prints keeps to its schema, and has no other members."""

import json
from pathlib import Path

import pytest
from tests.support.cli.command import CRASHING, HOLDING, SMALL, run
from tests.support.report.strict import problems

from iopermit.cli.app import command

QUICK = ("--no-options", *SMALL, "-q")

COMMANDS = {
    "list": ["list"],
    "check, violated": ["check", CRASHING, *SMALL],
    "check, holds": ["check", HOLDING, *SMALL, "--savings", "--obligations"],
    "check, undetermined": ["check", HOLDING, "--max-states", "50", "--cpus", "1"],
    "check, every violation": ["check", CRASHING, *SMALL, "--all"],
    "replay": ["replay", "saved.json"],
    "certify": ["certify", "certificate"],
    "compare": ["compare", CRASHING, HOLDING, *QUICK],
    "compare, undetermined": ["compare", HOLDING, *QUICK, "--max-states", "2"],
    "cost": ["cost", HOLDING, CRASHING],
    "export promela": ["export", "promela", HOLDING, *SMALL],
    "explain": ["explain"],
    "explain one": ["explain", "leak"],
    "cache": ["cache"],
    "cache path": ["cache", "path"],
    "cache clear": ["cache", "clear"],
}
SCHEMA_OF = {"check": "verdict", "replay": "verdict", "export": "promela"}
"""The verbs whose schema has another name."""
ELSEWHERE = {"run", "explore", "reproduce", "sweep"}
"""`run` is tried below, `reproduce` where a kernel is booted, `sweep` where its other outputs are;
`explore` serves pages instead."""


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a directory with what the verbs read, and a cache that can be cleared."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.usefixtures("inputs")
@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_what_is_printed_keeps_to_its_schema(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """--json prints one object, with all members that are documented, and no others."""
    if arguments[0] == "replay":
        run(capsys, "check", CRASHING, *SMALL, "--save", "saved.json", "-q")
    if arguments[0] == "certify":
        run(capsys, "check", HOLDING, *SMALL, "--certificate", "certificate", "-q")
    printed = json.loads(run(capsys, *arguments, "--json").out)
    name = SCHEMA_OF.get(arguments[0], arguments[0])
    assert printed["schema"] == f"iopermit/{name}/1"
    assert problems(printed, name) == []


def test_what_run_writes_keeps_to_its_schema(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The summary of a run has all members that are documented, and no others."""
    file = tmp_path / "summary.json"
    assert run(capfd, "run", "--json", file, "/bin/true").status == 0
    assert problems(json.loads(file.read_text()), "run") == []


def test_a_member_that_is_not_documented_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    """The test above finds a member, also an inner one, that no schema names."""
    printed = json.loads(run(capsys, "list", "--json").out)
    printed["designs"][0]["more"] = 1
    assert problems(printed, "list")
    del printed["designs"][0]["more"], printed["designs"][0]["id"]
    assert problems(printed, "list")


def test_every_verb_is_tried() -> None:
    """No verb is missing above."""
    verbs = {each.name for each in command([]).registered_commands}
    verbs |= {each.name for each in command([]).registered_groups}
    assert verbs == {arguments[0] for arguments in COMMANDS.values()} | ELSEWHERE
