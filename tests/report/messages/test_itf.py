"""Tests of iopermit.report.messages.itf: a schedule as viewers of other checkers read it."""

from typing import Any

from tests.support.report.schedules import review_story

from iopermit.report.json import verdict_json
from iopermit.report.messages.itf import itf_trace

SAVED = verdict_json(review_story())
TRACE = itf_trace(SAVED)


def test_each_step_has_a_state() -> None:
    """There is a state after each step, counted from 0, with every variable and no other."""
    assert TRACE["#meta"]["format"] == "ITF"
    numbers = [state["#meta"]["index"] for state in TRACE["states"]]
    assert numbers == list(range(len(SAVED["trace"])))
    for state in TRACE["states"]:
        assert set(state) == {"#meta", *TRACE["vars"]}


def test_the_last_state_has_the_stale_bits() -> None:
    """In the last state the map of CPU 0 allows what leaked."""
    last = TRACE["states"][-1]
    assert last["io_map_base"] == {"#map": [[{"#bigint": "0"}, "valid"]]}
    ((cpu, ports),) = last["clear_bits"]["#map"]
    pairs = [[int(port["#bigint"]) for port in pair["#tup"]] for pair in ports["#set"]]
    assert (cpu, pairs) == ({"#bigint": "0"}, [[128, 128], [192, 65535]])


def plain(value: Any) -> bool:  # noqa: ANN401 - any JSON
    """Tell whether a value is one that the format has: no numbers, no null, only known objects."""
    if isinstance(value, str):
        return True
    if isinstance(value, list):
        return all(map(plain, value))
    return isinstance(value, dict) and len(value) == 1 and set(value) <= {
        "#bigint", "#map", "#set", "#tup",
    } and all(map(plain, value.values()))  # fmt: skip


def test_values_are_those_of_the_format() -> None:
    """Integers, maps, sets and tuples are written as the format has them."""
    for state in TRACE["states"]:
        assert all(plain(state[name]) for name in TRACE["vars"])
