"""Tests that what the search visits is certified, state for state and transition for transition."""

from pathlib import Path

import numpy as np
import pytest
from tests.support.certify.certificates import (
    FEW,
    OWN_DESIGN,
    certificate,
    rewrite,
    scenario,
    states_of,
)

from iopermit.certify.checker import certify
from iopermit.designs import designs
from iopermit.search.check import check
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.reductions import COUNTERS, SYMMETRY, Reductions
from iopermit.translate.frontend.load import load_design

DESIGNS = (
    "linux-5.4",
    "linux-6.16+preempt_off",
    "linux-v2-06-reviewed+prev_max",
    "examples/my_kernel.py",
    OWN_DESIGN,
)
SCENARIOS = {
    "one task, two longs, all events": scenario(1, 1, 2),
    "two tasks, some events": scenario(1, 2, 1, FEW),
    "a reader and forks that fail early": scenario(
        1, 2, 1, "ioperm,fork,exit,fork-fails-early,read-map"
    ),
}


@pytest.mark.parametrize("bounds", SCENARIOS.values(), ids=SCENARIOS.keys())
@pytest.mark.parametrize("design", DESIGNS)
def test_visited_set_is_certified(design: str, bounds: Scenario, tmp_path: Path) -> None:
    """The checker verifies the set, and finds as many states as the search, names apart."""
    states = certificate(tmp_path / "it", design, bounds)
    result = certify(tmp_path / "it")
    assert result.verified
    assert result.members == states
    assert result.transitions >= states


@pytest.mark.parametrize(
    "off", [(SYMMETRY,), (COUNTERS,), (SYMMETRY, COUNTERS)], ids=["names", "numbers", "both"]
)
def test_set_with_fixed_names_is_certified(off: tuple[object, ...], tmp_path: Path) -> None:
    """A search without renaming gives certificates too, which say so."""
    reductions = Reductions().without(*off)  # type: ignore[arg-type]  # two reductions
    states = certificate(tmp_path / "it", OWN_DESIGN, scenario(2, 1, 1, FEW), reductions)
    result = certify(tmp_path / "it")
    assert result.verified
    assert len(result.header.reductions) == 2 - len(off)
    assert result.members <= states


@pytest.mark.parametrize("design", designs())
def test_every_design_that_holds_is_certified(design: str, tmp_path: Path) -> None:
    """In the smallest scenarios the checker agrees about every known design."""
    for bounds in (scenario(1, 1, 1), scenario(2, 1, 1, "ioperm,iopl,preempt,migrate")):
        if check(load_design(design), bounds).verdict == "holds":
            states = certificate(tmp_path / "it", design, bounds)
            result = certify(tmp_path / "it")
            assert result.verified
            assert result.members <= states


def test_options_are_part_of_a_certificate(tmp_path: Path) -> None:
    """A switch of the design that is set is set for the checker, too."""
    certificate(tmp_path / "it", OWN_DESIGN, scenario(1, 1, 1), options=("shortcut",))
    result = certify(tmp_path / "it")
    assert result.verified
    assert result.header.options == ("shortcut",)


def test_several_processes_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes come to the same result as one, and to a refutation if there is one."""
    monkeypatch.setattr("iopermit.certify.checker._WORTH_PROCESSES", 1)
    monkeypatch.setattr("iopermit.certify.checker._PART", 1 << 10)
    certificate(tmp_path / "it", OWN_DESIGN, scenario(1, 2, 1, FEW))
    one, two = (certify(tmp_path / "it", processes=count) for count in (1, 2))
    assert two.verified
    assert (one.processes, two.processes) == (1, 2)
    assert (one.members, one.transitions) == (two.members, two.transitions)
    states = states_of(tmp_path / "it")
    rewrite(tmp_path / "it", np.delete(states, len(states) // 2, axis=0))
    refuted = certify(tmp_path / "it", processes=2)
    assert "a successor of a state is not in the set" in refuted.refutation
    assert refuted.member >= 0
