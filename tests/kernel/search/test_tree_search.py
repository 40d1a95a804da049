"""The search: what is remembered and renamed changes no verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.support.kernel.checking import loaded
from tests.support.kernel.faults import PROCESS, REPAIR, Edit, unified_diff
from tests.support.kernel.planted.unsound import UNSOUND_FAULTS
from tests.support.kernel.repaired import require_repaired_tree
from tests.support.kernel.trees import build_cache, require_tree

from iopermit.engine.control import Control
from iopermit.engine.ending import StateLimit
from iopermit.engine.limits import Limits
from iopermit.kernel.build.builder import build
from iopermit.kernel.check import check_tree
from iopermit.kernel.cpu.liveness import Liveness
from iopermit.kernel.cpu.registers import NAMES
from iopermit.kernel.loading import load_built
from iopermit.kernel.search.tree_search import TreeSearch, TreeSearchResult
from iopermit.system.events import Event
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from pathlib import Path

    from iopermit.kernel.execution.driver import Outcome
    from iopermit.kernel.state.state import State
    from iopermit.system.execution import Action

from iopermit.kernel.loading import LoadedTree

SMALL = Scenario(1, 2, 1, frozenset({Event.IOPERM, Event.PREEMPT}))
ORDERED = Edit(
    "copy only a map with a higher sequence number",
    PROCESS,
    r"tss->io_bitmap\.prev_sequence != iobm->sequence",
    "tss->io_bitmap.prev_sequence < iobm->sequence",
    "native_tss_update_io_bitmap",
)


def searching(tree: LoadedTree, scenario: Scenario) -> TreeSearch:
    """Return a search that has not begun."""
    return TreeSearch(tree.image, scenario)


def figures(result: TreeSearchResult) -> tuple[int, int, int, bool]:
    """Return what does not depend on how the search was made."""
    return result.states, result.transitions, result.depth, result.found is not None


@pytest.fixture(scope="module")
def usual() -> TreeSearchResult:
    """Return the search of the repaired tree, as it is usually made."""
    return searching(loaded("6.1", "repair"), SMALL).run()


def test_what_is_remembered_changes_nothing(
    usual: TreeSearchResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Executing every segment of every state again leads to the same states."""
    search = searching(loaded("6.1", "repair"), SMALL)
    monkeypatch.setattr(search.cache.switches, "successor", lambda *_: None)
    monkeypatch.setattr(search.cache, "_known", _Forgetful())
    monkeypatch.setattr(search.cache, "_with_tss", _Forgetful())
    assert figures(search.run()) == figures(usual)
    assert search.result.executed > 1.5 * usual.executed


def test_an_access_of_the_tss_that_is_not_noticed_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Something that changes a TSS is never remembered by the key without the TSS."""
    search = searching(loaded("6.1", "repair"), SMALL)
    driver, execute = search.cache.driver, search.cache.driver.execute

    def unnoticed(state: State, action: Action) -> list[Outcome]:
        return [replace(outcome, tss=False) for outcome in execute(state, action)]

    monkeypatch.setattr(driver, "execute", unnoticed)
    with pytest.raises(AssertionError):
        search.run()


class _Forgetful(dict[object, object]):
    """A dictionary that finds nothing by `get`."""

    def get(self, _: object, default: object = None) -> object:
        return default


def test_symmetry_changes_no_verdict(
    usual: TreeSearchResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Telling tasks apart gives more states, and the same verdict."""
    search = searching(loaded("6.1", "repair"), SMALL)
    monkeypatch.setattr(search.canonical, "_sorted", lambda numbers: [tuple(range(len(numbers)))])
    # States that differ in names would be told apart here.
    monkeypatch.setattr(search.cache, "driver", search.driver)
    monkeypatch.setattr(search.cache.switches, "driver", search.driver)
    result = search.run()
    assert result.states > usual.states
    assert (result.found, usual.found) == (None, None)


def test_dead_registers_tell_no_states_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search to the end visits fewer states than one that keeps every register."""
    scenario = Scenario(1, 2, 1, frozenset({Event.IOPERM, Event.PREEMPT, Event.FORK, Event.EXIT}))
    cleaned = searching(loaded("6.1", "repair"), scenario).run()
    assert (cleaned.found, cleaned.ending) == (None, None)
    monkeypatch.setattr(Liveness, "live", lambda *_: (1 << len(NAMES)) - 1)
    control = Control(Limits(max_states=cleaned.states + 1))
    kept = TreeSearch(loaded("6.1", "repair").image, scenario, control).run()
    assert kept.found is None
    assert kept.states > cleaned.states
    assert isinstance(kept.ending, StateLimit)


def test_the_trees_do_not_order_sequence_numbers() -> None:
    """No segment of the repaired tree tells apart sequence numbers in reverse order."""
    search = searching(loaded("6.1", "repair"), SMALL)
    search.run()
    assert not search.canonical.ordered


def test_ordered_sequence_numbers_keep_their_order(tmp_path: Path) -> None:
    """A tree that compares by order is noticed, and its fault found and followed."""
    tree, patch = require_tree("6.1"), tmp_path / "ordered.patch"
    patch.write_text(unified_diff(tree, REPAIR, ORDERED))
    edited = load_built(build(tree, [patch], cache=build_cache()), [patch])
    search = searching(edited, Scenario(1, 2, 2, frozenset({Event.IOPERM})))
    result = search.run()
    assert search.canonical.ordered
    assert result.found is not None


def test_another_cpu_takes_steps_between_read_and_write(tmp_path: Path) -> None:
    """Two tasks drop a map by DEC without lock: each reads before the other one writes."""
    fault = UNSOUND_FAULTS["torn-count"]
    tree, patch = require_repaired_tree("6.12"), tmp_path / "torn.patch"
    patch.write_text(unified_diff(tree, *fault.edits))
    edited = load_built(build(tree, [patch], cache=build_cache()), [patch])
    found = check_tree(edited, [fault.scenario])
    assert found.violation is not None
    assert found.violation.kind == "garbage"
    assert found.search.confirmed_full_size
    assert found.trace is not None
    lines = [
        (step.cpu, step.label)
        for step in found.trace
        if step.source is not None and "--*(int *)&iobm->refcnt" in step.source.text
    ]
    # Told in three transitions each: the test of the pointer, the read, and the write.
    cpus = [cpu for cpu, _ in dict.fromkeys(lines)]
    assert sorted(cpus) == [0, 0, 0, 1, 1, 1]
    assert sorted(cpus[-2:]) == [0, 1]
