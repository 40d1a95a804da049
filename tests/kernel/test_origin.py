"""Tests of iopermit.kernel.origin: whether patches brought the fault of a tree."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest
from tests.support.kernel.checking import SMALL, loaded
from tests.support.kernel.trees import VERSIONS
from tests.support.report.verdicts import CRASH, HOLDS, UNDETERMINED

from iopermit.engine.control import Control
from iopermit.engine.verdict import FaultOrigin, KernelSubject, Verdict
from iopermit.kernel import origin
from iopermit.kernel.check import Examined, Passed, examine_tree
from iopermit.kernel.errors import KernelTreeError
from iopermit.kernel.origin import PatchedTree
from iopermit.kernel.search.faults import TreeFault
from iopermit.report.words import without_patches
from iopermit.system.events import Event
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from iopermit.kernel.loading import LoadedTree

PREEMPTED = TreeFault("leak", (("give_up", "clear_flag();"),), frozenset({"ioperm", "switch"}))
AT_ONCE = TreeFault("leak", (), frozenset({"ioperm", "switch"}))
SUBJECT = KernelSubject("/tree", ("/a.patch",), "6.12", "gcc", "key")
HELD, LEAKS, LEFT_OPEN = (
    replace(verdict, kernel=SUBJECT) for verdict in (HOLDS, CRASH, UNDETERMINED)
)


def examined(verdict: Verdict, *faults: TreeFault) -> Examined:
    """Return what the search of a tree ends with."""
    return Examined(verdict, frozenset(faults))


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Examined]]:
    """Give what the searches of both trees find, in their order, to be filled in."""
    results: dict[str, list[Examined]] = {"patched": [], "plain": []}

    def examine(tree: str, scenarios: object, passed: Passed, control: Control) -> Examined:
        del scenarios, passed, control
        return results[tree].pop(0)

    monkeypatch.setattr(origin, "examine_tree", examine)
    monkeypatch.setattr(origin, "without_suspects", lambda _, verdict: verdict)
    return results


def judged(*, only_new: bool = False) -> tuple[FaultOrigin, bool, str]:
    """Return where the fault comes from, whether all were compared, and the verdict."""
    one, two = cast("LoadedTree", "patched"), cast("LoadedTree", "plain")  # only handed along
    verdict = PatchedTree(one, two, (), Control()).judged(only_new=only_new)
    assert verdict.kernel is not None
    assert verdict.kernel.without is not None
    assert verdict.kernel.without.only_new is only_new
    return verdict.kernel.without.origin, verdict.kernel.without.every, verdict.verdict


@pytest.mark.parametrize(
    ("patched", "plain", "wanted"),
    [
        (examined(HELD), examined(HELD), FaultOrigin.NO_FAULT),
        (examined(HELD), examined(LEAKS, AT_ONCE), FaultOrigin.REPAIRED),
        (examined(LEAKS, AT_ONCE), examined(HELD), FaultOrigin.INTRODUCED),
        (examined(LEAKS, AT_ONCE), examined(LEAKS, AT_ONCE), FaultOrigin.ALREADY_THERE),
        (examined(LEAKS, AT_ONCE), examined(LEAKS, PREEMPTED), FaultOrigin.DIFFERENT),
        (examined(LEAKS, AT_ONCE), examined(LEFT_OPEN), FaultOrigin.OPEN),
        (examined(LEFT_OPEN), examined(LEAKS, AT_ONCE), FaultOrigin.OPEN),
    ],
)
def test_the_nearest_faults_are_compared(
    pair: dict[str, list[Examined]], patched: Examined, plain: Examined, wanted: FaultOrigin
) -> None:
    """With and without the patches: neither, one, the same or another fault, or no verdict."""
    pair["patched"], pair["plain"] = [patched], [plain]
    found, every, _ = judged()
    assert (found, every) == (wanted, plain.verdict is HELD)


def test_a_further_fault_is_found_behind_the_one_that_is_there(
    pair: dict[str, list[Examined]],
) -> None:
    """After all faults of the plain tree are known, one more is what the patches brought."""
    pair["plain"] = [examined(LEAKS, PREEMPTED), examined(HELD, PREEMPTED)]
    pair["patched"] = [examined(LEAKS, PREEMPTED, AT_ONCE)]
    assert judged(only_new=True) == (FaultOrigin.INTRODUCED, True, "violated")


def test_a_fault_that_was_there_is_reported_and_excused(pair: dict[str, list[Examined]]) -> None:
    """If no further fault is found the tree leaks all the same, and the nearest fault is shown."""
    pair["plain"] = [examined(LEAKS, PREEMPTED), examined(HELD, PREEMPTED)]
    pair["patched"] = [examined(HELD, PREEMPTED), examined(LEAKS, PREEMPTED)]
    assert judged(only_new=True) == (FaultOrigin.ALREADY_THERE, True, "violated")


def test_a_limit_leaves_open_what_the_patches_brought(pair: dict[str, list[Examined]]) -> None:
    """Neither a limit without the patches nor one with them lets a fault be theirs, or not."""
    pair["plain"] = [examined(LEAKS, PREEMPTED), examined(LEFT_OPEN, PREEMPTED)]
    pair["patched"] = [examined(LEAKS, PREEMPTED, AT_ONCE)]
    assert judged(only_new=True) == (FaultOrigin.OPEN, False, "violated")
    pair["plain"] = [examined(LEAKS, PREEMPTED), examined(HELD, PREEMPTED)]
    pair["patched"] = [examined(LEFT_OPEN, PREEMPTED), examined(LEAKS, PREEMPTED)]
    assert judged(only_new=True) == (FaultOrigin.ALREADY_THERE, False, "violated")


def test_a_repair_leaves_nothing_to_be_shown(pair: dict[str, list[Examined]]) -> None:
    """If no fault is left, the tree holds, and the patches repaired it."""
    pair["plain"] = [examined(LEAKS, PREEMPTED), examined(HELD, PREEMPTED)]
    pair["patched"] = [examined(HELD)]
    assert judged(only_new=True) == (FaultOrigin.REPAIRED, True, "holds")


def test_a_tree_that_only_the_patches_let_build_is_judged() -> None:
    """Why it cannot be judged without them is said; looking for what they bring is refused."""
    error = KernelTreeError("it cannot be built:\nin f():\nx.c:7: error: expected ';'\ngcc -c x.c")
    one = PatchedTree(cast("LoadedTree", "patched"), error, (), Control())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(origin, "examine_tree", lambda *_: examined(LEAKS, AT_ONCE))
        verdict = one.judged()
        with pytest.raises(KernelTreeError, match="without the patches: it cannot be"):
            one.judged(only_new=True)
    assert verdict.kernel is not None
    assert verdict.kernel.without is not None
    assert verdict.kernel.without.origin is FaultOrigin.OPEN
    wanted = "undetermined: it cannot be built:; x.c:7: error: expected ';'"
    assert without_patches(verdict.kernel) == wanted


PREEMPTION = Scenario(1, 2, 1, frozenset({Event.IOPERM, Event.PREEMPT}))


def test_the_leak_of_every_tree_is_known_again() -> None:
    """The same fault in two versions, at other lines and addresses, has the same description."""
    scenarios, control = [PREEMPTION], Control()
    old, new = (examine_tree(loaded(v), scenarios, Passed(), control) for v in VERSIONS)
    (leak,) = old.faults
    assert leak.kind == "leak"
    assert leak.where == (("task_update_io_bitmap", "preempt_disable();"),)
    assert new.faults == old.faults


def test_behind_the_leak_of_every_tree_there_is_no_other() -> None:
    """The whole scenario is searched, and all that violates is the preempted ioperm()."""
    tree = loaded("6.1", "")
    every = examine_tree(tree, [PREEMPTION], Passed(every=True), Control())
    assert (every.verdict.verdict, every.verdict.search.exhausted) == ("holds", True)
    assert {fault.where[0][0] for fault in every.faults} == {"task_update_io_bitmap"}
    known = examine_tree(tree, [PREEMPTION], Passed(every.faults), Control())
    assert known.verdict.verdict == "holds"


def test_a_planted_fault_is_none_of_those_that_are_known() -> None:
    """What is planted in the switch is found by a search that goes on after the known leak."""
    leak = examine_tree(loaded("6.1", ""), [PREEMPTION], Passed(every=True), Control()).faults
    found = examine_tree(loaded("6.1", "switch-out"), [SMALL], Passed(leak), Control())
    assert found.verdict.verdict == "violated"
    assert not any(one.explains(two) for one in leak for two in found.faults - leak)
