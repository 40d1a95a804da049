"""Kernels from 5.3 to 7.3: each shows the faults of its version, and those of its design."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest
from tests.support.kernel.faults import Edit, unified_diff
from tests.support.kernel.trees import NEWER, THOROUGH, build_cache, require_tree, vanilla_tree

from iopermit.kernel.build.builder import build
from iopermit.kernel.check import check_tree
from iopermit.kernel.conformance.obligations import check_obligations
from iopermit.kernel.cost import KernelCost, costs_of_tree
from iopermit.kernel.loading import LoadedTree, load_built
from iopermit.search.check import check
from iopermit.system.events import Event
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.scenario import Scenario
from iopermit.translate.frontend.load import load_design

if TYPE_CHECKING:
    from pathlib import Path

    from iopermit.engine.trace import Violation

DEBIAN = ("5.10", *(NEWER if THOROUGH else ()))
DESIGNS = {
    **dict.fromkeys(("5.3", "5.4"), "linux-5.4"),
    "5.6": "linux-5.5",
    "5.7": "linux-5.7",
    **dict.fromkeys(("5.8", "5.9", "5.15", "6.6"), "linux-5.8"),
    **dict.fromkeys(("5.10", "6.19", "7.2", "7.3"), "linux-6.16"),
}
"""The design of each version; 5.10 is Debian's, with what its stable series took from 6.16."""
OWN_MAP = ("5.3", "5.4")
"""Where each task owns its map, and the switch copies it."""
EVERYTHING = Scenario(1, 2, 1, ALL_EVENTS)
FAILING_FORKS = Scenario(
    1, 2, 1, frozenset({Event.IOPERM, Event.IOPL, Event.EXIT, Event.FORK_FAILS})
)
KERNEL_THREADS = Scenario(
    1, 2, 1, frozenset({Event.IOPERM, Event.EXIT, Event.IO_THREAD, Event.FORK_FAILS})
)
PLAIN = Scenario(1, 2, 1, frozenset({Event.IOPERM, Event.IOPL, Event.FORK, Event.EXIT}))

FORGOTTEN = (
    (
        "5.4",
        Edit(
            "leave the map of a new CPU as it is",
            "arch/x86/kernel/cpu/common.c",
            r"t->io_bitmap\[i\] = ~0UL;",
            "barrier();",
            "cpu_init",
        ),
        "leak",
    ),
    (
        "5.8",
        Edit(
            "do not update the map on the way to user mode",
            "arch/x86/entry/common.c",
            r"tss_update_io_bitmap\(\);",
            "barrier();",
            "__prepare_exit_to_usermode",
        ),
        "rule",
    ),
)
"""A version, what is changed there, and what it shows."""


@functools.cache
def loaded(version: str) -> LoadedTree:
    """Return a tree as it stands, ready to be executed; skips if it is not there."""
    tree = require_tree(version) if version in DEBIAN else vanilla_tree(version)
    return load_built(build(tree, cache=build_cache()))


def violation(version: str, scenario: Scenario) -> Violation | None:
    """Return what a tree shows in a scenario, after it and its design gave the same verdict."""
    found = check_tree(loaded(version), [scenario])
    design = check(load_design(DESIGNS[version]), scenario)
    assert found.verdict == design.verdict
    if found.violation is not None and design.violation is not None:
        assert found.violation.kind == design.violation.kind
    return found.violation


@pytest.mark.parametrize("version", [v for v in DESIGNS if v not in OWN_MAP])
def test_a_task_preempted_while_it_drops_its_ports_leaks_them_since_5_5(version: str) -> None:
    """The first violation under every event is the leak, as in the design."""
    found = violation(version, EVERYTHING)
    assert found is not None
    assert found.kind == "leak"
    assert found.site is not None
    assert found.site.function == "task_update_io_bitmap"


@pytest.mark.parametrize("version", OWN_MAP)
def test_a_kernel_thread_of_a_user_of_ports_has_no_map_to_be_copied(version: str) -> None:
    """The switch to it reads through NULL: it has the flag, and is made as a kernel thread."""
    found = violation(version, EVERYTHING)
    assert found is not None
    assert found.kind == "crash"
    assert "null pointer dereference" in found.message
    assert "switch_to_bitmap" in found.message


@pytest.mark.parametrize("version", OWN_MAP)
def test_a_failed_fork_clears_the_flag_of_the_parent_up_to_5_4(version: str) -> None:
    """B11 shows first as ports that the parent has lost."""
    found = violation(version, FAILING_FORKS)
    assert found is not None
    assert found.kind == "loss"
    assert found.site is not None
    assert found.site.function == "exit_thread"


def test_a_failed_fork_takes_the_map_of_the_parent_up_to_5_6_15() -> None:
    """B9 shows first as a map that nobody can free, or as ports that the parent has lost."""
    found = violation("5.6", FAILING_FORKS)
    assert found is not None
    assert found.kind in {"garbage", "loss"}


@pytest.mark.parametrize("version", [v for v in DESIGNS if v not in {*OWN_MAP, "5.6"}])
def test_a_failed_fork_hurts_no_parent_since_5_7(version: str) -> None:
    """B9 and B11 are gone."""
    assert violation(version, FAILING_FORKS) is None


@pytest.mark.parametrize("version", [v for v in DESIGNS if v not in OWN_MAP])
def test_a_kernel_thread_whose_fork_fails_reads_through_null_from_5_7_to_6_15(version: str) -> None:
    """B10 is in 5.7 and later, and in no tree with what 6.16 changed; 5.6 has B9 instead."""
    found = violation(version, KERNEL_THREADS)
    if DESIGNS[version] == "linux-6.16":
        assert found is None
        return
    assert found is not None
    assert (found.kind == "crash") == (version != "5.6")
    assert version == "5.6" or "null pointer dereference" in found.message


@pytest.mark.parametrize("version", DESIGNS)
def test_without_failures_and_preemption_every_version_holds(version: str) -> None:
    """Calls, forks and switches that nothing disturbs give nobody the ports of another."""
    assert violation(version, PLAIN) is None


@pytest.mark.parametrize("version", DESIGNS)
def test_every_call_that_has_to_be_made_is_looked_for(version: str) -> None:
    """What the tree does not execute here makes its calls, in whatever function it makes them."""
    built = loaded(version).built
    assert check_obligations((*built.objects, *built.callers)) == []


@pytest.mark.parametrize(("version", "edit", "kind"), FORGOTTEN)
def test_what_old_trees_do_in_other_functions_is_executed(
    version: str, edit: Edit, kind: str, tmp_path: Path
) -> None:
    """A cpu_init() that forgets the map leaks; a way to user mode that does breaks a rule."""
    tree, patch = vanilla_tree(version), tmp_path / "forgotten.patch"
    patch.write_text(unified_diff(tree, edit))
    edited = load_built(build(tree, [patch], cache=build_cache()), [patch])
    found = check_tree(edited, [PLAIN]).violation
    assert found is not None
    assert found.kind == kind


@pytest.mark.parametrize("version", DESIGNS)
def test_every_version_has_costs(version: str) -> None:
    """The paths of one port are counted; the switch copies up to 5.4 only."""
    cells = costs_of_tree(loaded(version).built)["port 0x80"]
    assert "crash" not in cells.values()
    switched = cells["switch-in"]
    assert isinstance(switched, KernelCost)
    assert (switched.map_written > 0) == (version in OWN_MAP)
