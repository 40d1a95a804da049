"""Tests of iopermit.report.sarif: what code hosts and editors read."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.report.schedules import review_story
from tests.support.report.verdicts import (
    CRASH,
    GARBAGE,
    HOLDS,
    LEAK_OF_A_TREE,
    UNDETERMINED,
    patched,
)

from iopermit.engine.verdict import FaultOrigin
from iopermit.report.sarif import sarif_log


def test_violation_is_an_error_at_its_statement() -> None:
    """A violation is one result of level error, at the line that let it happen."""
    (run,) = sarif_log(review_story())["runs"]
    (result,) = run["results"]
    (location,) = result["locations"]
    assert (result["ruleId"], result["level"]) == ("leak", "error")
    assert result["message"]["text"].startswith("BUG: port leak in linux-v2-06")
    assert location["physicalLocation"]["region"] == {"startLine": 90}
    assert location["physicalLocation"]["artifactLocation"]["uri"].endswith("linux/v2_06.py")


def test_every_result_has_a_described_rule() -> None:
    """Each kind of violation is a rule with a description."""
    (run,) = sarif_log(replace(review_story(), also=(CRASH, GARBAGE)))["runs"]
    rules = {
        rule["id"]: rule["shortDescription"]["text"] for rule in run["tool"]["driver"]["rules"]
    }
    assert [result["ruleId"] for result in run["results"]] == ["leak", "crash", "garbage"]
    assert all(rules[result["ruleId"]] for result in run["results"])


def test_schedule_is_a_code_flow_per_cpu() -> None:
    """The schedule is a code flow: a thread flow for each CPU, in order of execution."""
    verdict = review_story()
    (run,) = sarif_log(verdict)["runs"]
    (flow,) = run["results"][0]["codeFlows"]
    (thread,) = flow["threadFlows"]
    order = [location["executionOrder"] for location in thread["locations"]]
    assert thread["id"] == "CPU 0"
    assert order == list(range(1, len(verdict.trace or ()) + 1))


@pytest.mark.parametrize(("verdict", "level"), [(HOLDS, "note"), (UNDETERMINED, "warning")])
def test_no_violation_no_result(verdict: object, level: str) -> None:
    """Without a violation there is no result; the run's notification has the verdict."""
    (run,) = sarif_log(verdict)["runs"]  # type: ignore[arg-type]  # a Verdict
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert run["results"] == []
    assert note["level"] == level


def test_further_violations_that_are_open_are_a_warning() -> None:
    """Beside the results found, a notification warns that a limit may have hidden more."""
    (run,) = sarif_log(replace(CRASH, reason="the limit of 9 states was reached"))["runs"]
    levels = [note["level"] for note in run["invocations"][0]["toolExecutionNotifications"]]
    assert (len(run["results"]), levels) == (1, ["note", "warning"])


def test_files_below_the_working_directory_are_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code hosts want paths relative to the root of the sources; others become file URIs."""
    verdict = replace(GARBAGE, design_file=str(tmp_path / "my design.py"))

    def artifact() -> dict[str, str]:
        (run,) = sarif_log(verdict)["runs"]
        found = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
        return dict(found)

    assert artifact() == {"uri": f"file://{tmp_path}/my%20design.py"}
    monkeypatch.chdir(tmp_path)
    assert artifact() == {"uri": "my%20design.py", "uriBaseId": "%SRCROOT%"}


@pytest.mark.parametrize(
    ("origin", "state"),
    [
        (FaultOrigin.INTRODUCED, "new"),
        (FaultOrigin.DIFFERENT, "new"),
        (FaultOrigin.ALREADY_THERE, "unchanged"),
        (FaultOrigin.OPEN, None),
    ],
)
def test_a_code_host_is_told_what_a_patch_brings(origin: FaultOrigin, state: str | None) -> None:
    """The state of a result against the tree without the patch is SARIF's baselineState."""
    (run,) = sarif_log(patched(LEAK_OF_A_TREE, origin))["runs"]
    assert run["results"][0].get("baselineState") == state
