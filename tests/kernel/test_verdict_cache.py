"""How checks of trees without patches are kept: what is found again, and what never is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.support.kernel.checking import loaded

from iopermit.cache import errors
from iopermit.engine.control import Control
from iopermit.engine.limits import Limits
from iopermit.kernel import verdict_cache
from iopermit.kernel.check import Examined, Passed, examine_tree
from iopermit.kernel.search.faults import TreeFault
from iopermit.kernel.shelf import kernel_verdicts
from iopermit.kernel.verdict_cache import cache_key, outcome_of
from iopermit.system.events import Event
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from iopermit.kernel.loading import LoadedTree
    from iopermit.kernel.outcome import TreeOutcome

LEAKS = Scenario(1, 2, 1, frozenset({Event.IOPERM, Event.PREEMPT}))
HOLDS = Scenario(1, 1, 1, frozenset({Event.EXIT}))
FAULT = TreeFault("leak", (("f", "g();"), ("", "")), frozenset({"ioperm", "switch"}))


@pytest.fixture(autouse=True)
def searched(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[Scenario, ...]]:
    """Give the scenarios that were searched, and not found in a cache, which is empty."""
    del own_cache
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("IOPERMIT_CACHE_KEY", raising=False)
    monkeypatch.setattr(errors, "_said", set())
    calls: list[tuple[Scenario, ...]] = []

    def examine(
        tree: LoadedTree, scenarios: Sequence[Scenario], passed: Passed, control: Control
    ) -> Examined:
        calls.append(tuple(scenarios))
        return examine_tree(tree, scenarios, passed, control)

    monkeypatch.setattr(verdict_cache, "examine_tree", examine)
    return calls


def outcome(*scenarios: Scenario, most: int | None = None) -> TreeOutcome:
    """Return how the check of Debian's tree as it stands ends."""
    return outcome_of(loaded("6.12"), scenarios, Passed(), Control(Limits(most)))


@pytest.mark.parametrize("scenario", [LEAKS, HOLDS])
def test_a_tree_is_searched_once(scenario: Scenario, searched: list[object]) -> None:
    """The second time everything that was found is known: verdict, message and faults."""
    first = outcome(scenario)
    assert outcome(scenario) == first
    assert len(searched) == 1
    assert first.verdict == ("violated" if scenario is LEAKS else "holds")
    assert bool(first.faults) == bool(first.message) == (scenario is LEAKS)


def test_what_a_limit_ended_is_not_kept(searched: list[object]) -> None:
    """A check without a verdict is made again."""
    assert [outcome(LEAKS, most=2).verdict for _ in range(2)] == ["undetermined"] * 2
    assert len(searched) == 2
    assert not kernel_verdicts().path.exists()


@pytest.mark.parametrize(
    "damaged",
    [
        lambda _: b"",
        lambda _: b"iopermit cache 1\n\n{}",
        lambda kept: kept[:-1],
        lambda kept: kept.replace(b'"holds"', b'"wrong"'),
    ],
)
def test_what_is_damaged_is_ignored(
    damaged: Callable[[bytes], bytes], searched: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    """The tree is searched again, one line says so, and what is kept then is whole."""
    first = outcome(HOLDS)
    (file,) = (file for file in kernel_verdicts().path.iterdir() if file.suffix != ".lock")
    file.write_bytes(damaged(file.read_bytes()))
    assert outcome(HOLDS) == first
    assert "a kept verdict" in capsys.readouterr().err
    assert outcome(HOLDS) == first
    assert len(searched) == 2


def test_another_version_of_iopermit_searches_again(
    searched: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What other code found is not used."""
    outcome(HOLDS)
    monkeypatch.setattr(verdict_cache, "toolchain", lambda: "other code")
    outcome(HOLDS)
    assert len(searched) == 2


def test_everything_that_decides_a_verdict_is_in_its_key() -> None:
    """Another tree, scenario, limit, or fault that is passed: another key; the same: the same."""
    tree, passed, control = loaded("6.12"), Passed(), Control()
    other = replace(tree, built=replace(tree.built, made_of="something else"))
    objects = replace(tree, built=replace(tree.built, objects=tree.built.objects[1:]))
    blamed = replace(tree, suspects=frozenset({("a.c", 1)}))
    keys = [
        cache_key(tree, [LEAKS], passed, control),
        *(cache_key(one, [LEAKS], passed, control) for one in (other, objects, blamed)),
        cache_key(loaded("6.12", "repair"), [LEAKS], passed, control),
        *(cache_key(tree, each, passed, control) for each in ([HOLDS], [LEAKS, HOLDS])),
        cache_key(tree, [replace(LEAKS, unprivileged=True)], passed, control),
        cache_key(tree, [LEAKS], Passed(every=True), control),
        cache_key(tree, [LEAKS], Passed(frozenset({FAULT})), control),
        cache_key(tree, [LEAKS], passed, Control(Limits(5))),
        cache_key(tree, [LEAKS], passed, Control(Limits(timeout=5.0))),
    ]
    assert len(set(keys)) == len(keys)
    again = Scenario(1, 2, 1, frozenset({Event.PREEMPT, Event.IOPERM}))
    assert cache_key(tree, [again], passed, control.again()) == keys[0]


def test_a_cache_that_others_can_write_to_is_not_used(
    searched: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is neither read nor written, and one line says so."""
    outcome(HOLDS)
    kernel_verdicts().path.chmod(0o777)
    outcome(HOLDS)
    assert len(searched) == 2
    assert "can be written by others" in capsys.readouterr().err
