"""Tests of iopermit.search.partition: the set of visited states, and how it grows."""

import pytest
from tests.search.exploring import Subject, subject

from iopermit.search.explore import Exploration, Explorer, Limits, Native, initial_state
from iopermit.search.partition import Partition
from iopermit.system.scenario import PLAIN_EVENTS, Scenario
from iopermit.translate.jit import compile_model
from iopermit.translate.reductions import NO_REDUCTIONS


@pytest.fixture(scope="module")
def small() -> Subject:
    """Return a model of about a thousand states."""
    return subject("linux-5.4", Scenario(1, 1, 1, PLAIN_EVENTS))


def _explore(small: Subject, threads: int) -> tuple[Exploration, list[Partition]]:
    compiled = compile_model(small.model, NO_REDUCTIONS, optimised=False)
    explorer = Explorer(compiled, Limits(max_states=100_000), threads)
    result = explorer.run(initial_state(Native(compiled), small.initial), stop=False)
    assert result.exhausted
    return result, explorer.partitions


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_growing_index_loses_nothing(
    small: Subject, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index that starts with 2 places and grows gives the same states as a large one."""
    expected, _ = _explore(small, threads)
    monkeypatch.setattr("iopermit.search.partition._FIRST_PLACES", 2)
    result, partitions = _explore(small, threads)
    assert (result.states, result.transitions, result.depth) == (
        expected.states, expected.transitions, expected.depth,
    )  # fmt: skip
    for each in partitions:
        assert each.record.count <= each.record.size * 3 / 4


@pytest.mark.parametrize("threads", [1, 3])
def test_no_state_is_kept_twice(small: Subject, threads: int) -> None:
    """The states of all partitions differ from each other, and each is where its hash says."""
    result, partitions = _explore(small, threads)
    kept = [each.state(i).tobytes() for each in partitions for i in range(each.record.count)]
    assert len(kept) == len(set(kept)) == result.states


def test_memory_counts_states_links_and_index(small: Subject) -> None:
    """The memory of a partition is 8 bytes per word and place, and 4 per link to a predecessor."""
    _, (partition,) = _explore(small, 1)
    record = partition.record
    assert partition.memory == record.count * (8 * partition.words + 4) + 8 * record.size


def test_links_lead_back_to_the_first_state(small: Subject) -> None:
    """The predecessor of a state was found before it."""
    _, (partition,) = _explore(small, 1)
    assert all(partition.link(i) < i for i in range(1, partition.record.count))
