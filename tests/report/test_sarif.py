"""Tests of iopermit.report.sarif: what code hosts and editors read."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import jsonschema
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

from iopermit.engine.verdict import FaultOrigin, Verdict
from iopermit.report.sarif import FINGERPRINT, sarif_log

DATA: Final = Path(__file__).parents[1] / "data" / "sarif-2.1.0"
SCHEMA: Final[dict[str, Any]] = json.loads((DATA / "sarif-schema-2.1.0.json").read_text("utf-8"))
EVERY: Final = [
    replace(review_story(), also=(CRASH, GARBAGE)),
    HOLDS,
    UNDETERMINED,
    CRASH,
    GARBAGE,
    replace(CRASH, reason="the limit of 9 states was reached"),
    LEAK_OF_A_TREE,
    patched(LEAK_OF_A_TREE, FaultOrigin.ALREADY_THERE),
    patched(LEAK_OF_A_TREE, FaultOrigin.INTRODUCED),
]


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


def test_a_design_that_holds_has_no_result() -> None:
    """Only what holds has no result; the run's notification has the verdict."""
    (run,) = sarif_log(HOLDS)["runs"]
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert run["results"] == []
    assert note["level"] == "note"


def test_undetermined_is_a_result() -> None:
    """A limit that was reached is a warning of its own, at the design's file."""
    (run,) = sarif_log(replace(UNDETERMINED, design_file="/designs/own.py"))["runs"]
    (result,) = run["results"]
    place = result["locations"][0]["physicalLocation"]
    assert (result["ruleId"], result["level"]) == ("undetermined", "warning")
    assert "the time limit of 10 s" in result["message"]["text"]
    assert place["artifactLocation"]["uri"] == "own.py"
    assert place["region"] == {"startLine": 1}


def test_further_violations_that_are_open_are_a_result() -> None:
    """Beside the results found, another one warns that a limit may have hidden more."""
    (run,) = sarif_log(replace(CRASH, reason="the limit of 9 states was reached"))["runs"]
    levels = [note["level"] for note in run["invocations"][0]["toolExecutionNotifications"]]
    assert [result["ruleId"] for result in run["results"]] == ["crash", "undetermined"]
    assert levels == ["note", "warning"]


@pytest.mark.parametrize("verdict", EVERY, ids=lambda v: f"{v.subject}-{v.verdict}")
def test_every_verdict_keeps_to_the_standard(verdict: Verdict) -> None:
    """The log of every kind of verdict keeps to the schema that the standard has."""
    jsonschema.Draft4Validator.check_schema(SCHEMA)
    errors = jsonschema.Draft4Validator(SCHEMA).iter_errors(sarif_log(verdict))
    assert [error.message for error in errors] == []


def test_the_schema_refuses_what_is_wrong() -> None:
    """The validation above is one: a log without its version, or with a wrong level, fails it."""
    validator = jsonschema.Draft4Validator(SCHEMA)
    log = sarif_log(CRASH)
    log["runs"][0]["results"][0]["level"] = "bad"
    assert not validator.is_valid(log)
    assert not validator.is_valid({"runs": []})


@pytest.mark.parametrize("verdict", EVERY, ids=lambda v: f"{v.subject}-{v.verdict}")
def test_every_place_is_one_that_a_code_host_can_show(verdict: Verdict) -> None:
    """Each place, of results and of steps, has a base that is declared, and a line."""
    (run,) = sarif_log(verdict)["runs"]
    places = [place for result in run["results"] for place in result["locations"]]
    places += [
        step["location"]
        for result in run["results"]
        for flow in result.get("codeFlows", [])
        for thread in flow["threadFlows"]
        for step in thread["locations"]
    ]
    assert len(places) >= len(run["results"])
    for place in places:
        physical = place["physicalLocation"]
        artifact = physical["artifactLocation"]
        assert physical["region"]["startLine"] >= 1
        assert artifact["uri"]
        if "uriBaseId" in artifact:
            assert run["originalUriBaseIds"][artifact["uriBaseId"]]["uri"].endswith("/")
            assert not artifact["uri"].startswith(("/", "file:"))


def test_a_rule_has_what_a_code_host_shows() -> None:
    """Each rule has a help text, an address, tags, and, if it is a weakness, its severity."""
    (run,) = sarif_log(HOLDS)["runs"]
    driver = run["tool"]["driver"]
    assert driver["informationUri"].startswith("https://")
    for rule in driver["rules"]:
        assert rule["help"]["text"]
        assert rule["help"]["markdown"]
        assert rule["helpUri"].endswith(f"#{rule['id']}")
        severity = rule["properties"].get("security-severity")
        assert ("security" in rule["properties"]["tags"]) == (severity is not None)
        assert severity is None or 0 < float(severity) <= 10


def test_results_are_recognised_in_the_next_run() -> None:
    """A result has a fingerprint, which the ports of the counterexample do not change."""
    story = review_story()
    assert story.violation is not None
    other = replace(story, violation=replace(story.violation, ports=((0, 0),), message="other"))
    prints = [
        sarif_log(each)["runs"][0]["results"][0]["partialFingerprints"] for each in (story, other)
    ]
    assert prints[0] == prints[1]
    assert set(prints[0]) == {FINGERPRINT}


def test_an_event_is_shown_where_its_statements_are() -> None:
    """A step without a statement is at the next one of its CPU; a broken rule is in the tree."""
    verdict = review_story()
    (run,) = sarif_log(verdict)["runs"]
    first, second = run["results"][0]["codeFlows"][0]["threadFlows"][0]["locations"][:2]
    assert first["location"]["physicalLocation"] == second["location"]["physicalLocation"]
    assert LEAK_OF_A_TREE.violation is not None
    rule = replace(LEAK_OF_A_TREE.violation, kind="rule", site=None)
    (run,) = sarif_log(replace(LEAK_OF_A_TREE, violation=rule))["runs"]
    artifact = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert artifact == {"uri": "arch/x86/kernel/ioport.c", "uriBaseId": "%SRCROOT%"}


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
