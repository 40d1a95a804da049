"""The report about a booted kernel as JSON has everything, and a schema."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.support.report.strict import problems
from tests.support.reproduce.reproductions import repaired, reproduction, unforced

from iopermit.report.json import to_text
from iopermit.report.reproduction.facts import FreeRun, PreemptionPoint
from iopermit.report.reproduction.json import SCHEMA, reproduction_json


def test_a_reproduction_has_all_members() -> None:
    """Outcome, runs with what was seen, controls, kernel, and the counterexample itself."""
    found = json.loads(to_text(reproduction_json(reproduction())))
    assert found["schema"] == SCHEMA == "iopermit/reproduction/1"
    assert (found["outcome"], found["reason"], found["successes"]) == ("reproduced", "", 2)
    assert [run["position"] for run in found["controls"]] == ["before", "after", "nowhere"]
    run = found["runs"][0]
    assert (run["shown"], run["tss_shows"], run["guest_shows"]) == (True, True, True)
    assert run["observations"][0] == {
        "step": 2,
        "place": "task_update_io_bitmap+0x31",
        "cpu": 0,
        "task": "A",
        "holds": 281,
        "tss": {"base": 0x78, "limit": 0x4087, "selected": "valid", "allowed": [[0, 65535]]},
    }
    assert run["reads"][2] == {"port": 0xCF8, "width": 4, "passed": True, "value": 0x80000B0C}
    assert found["kernel"]["command_line"] == "preempt=full"
    assert found["verdict"]["schema"] == "iopermit/verdict/1"


def test_what_was_not_forced_is_null_or_told() -> None:
    """Without a booted kernel `kernel` is null; a run that was not forced says which step."""
    runs = (unforced(PreemptionPoint.WINDOW),)
    found = reproduction_json(replace(reproduction(), kernel=None, runs=runs))
    assert found["kernel"] is None
    assert found["runs"][0]["unforced_step"] == 2
    assert not found["runs"][0]["forced"]


def test_it_keeps_to_its_schema() -> None:
    """Every member is documented, with a kernel that was booted and without one."""
    with_repair = replace(reproduction(), repaired=repaired(shown=False))
    nothing = replace(reproduction(), kernel=None, runs=())
    alone = replace(reproduction(), runs=(), controls=(), free=FreeRun(3000, 2, 40.0))
    for found in (reproduction(), nothing, with_repair, alone):
        assert problems(json.loads(to_text(reproduction_json(found))), "reproduction") == []


def test_the_kernel_with_the_repair_has_its_own_member() -> None:
    """What was booted with the repair, and what it showed; null if there was no repair."""
    assert reproduction_json(reproduction())["repaired"] is None
    found = reproduction_json(replace(reproduction(), repaired=repaired(shown=False)))
    assert found["repaired"]["kernel"]["built_from"] == "linux + fix.patch"
    assert not found["repaired"]["run"]["shown"]


def test_tasks_left_alone_have_their_own_member() -> None:
    """Attempts, hits, and hits in a million; null where the schedule was forced."""
    assert reproduction_json(reproduction())["free"] is None
    found = reproduction_json(replace(reproduction(), free=FreeRun(3000, 2, 40.04)))
    assert found["free"] == {"attempts": 3000, "hits": 2, "per_million": 666.7, "seconds": 40.0}
