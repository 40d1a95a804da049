"""Tests of iopermit.kernel.build.configuration: what each is, and what a tree so built shows."""

from __future__ import annotations

import functools

import pytest
from tests.support.kernel.trees import build_cache, require_tree

from iopermit.kernel.build.builder import build
from iopermit.kernel.build.configuration import CONFIGURATIONS, FULL
from iopermit.kernel.check import check_tree
from iopermit.kernel.errors import KernelTreeError
from iopermit.kernel.loading import LoadedTree, load_built
from iopermit.system.events import Event
from iopermit.system.scenario import Scenario

DROPPED = Scenario(1, 2, 1, frozenset({Event.IOPERM, Event.PREEMPT}))
CALLED = Scenario(1, 2, 1, frozenset({Event.IOPERM}))


@functools.cache
def configured(version: str, name: str) -> LoadedTree:
    """Return Debian's tree of a version, built in a configuration."""
    tree = require_tree(version)
    return load_built(build(tree, cache=build_cache(), configuration=CONFIGURATIONS[name]))


def test_configurations_differ_in_preemption_only() -> None:
    """Each asks for one symbol that the others do not, and the default is full preemption."""
    texts = [set(one.text.splitlines()) for one in CONFIGURATIONS.values() if not one.xen]
    common = set.intersection(*texts)
    assert [len(text - common) for text in texts] == [1] * len(texts)
    assert next(iter(CONFIGURATIONS.values())) is FULL


def test_a_xen_guest_is_as_preemptible_as_the_default() -> None:
    """It asks for what a Xen PV guest needs besides, and Kconfig has to allow all of it."""
    xen = CONFIGURATIONS["xen"]
    more = {"HYPERVISOR_GUEST", "PARAVIRT", "XEN", "XEN_PV"}
    assert set(xen.text.split()) - set(FULL.text.split()) == {f"CONFIG_{one}=y" for one in more}
    assert set(xen.required) - set(FULL.required) == more
    assert xen.preemptible


def test_what_cannot_happen_in_a_configuration() -> None:
    """Without preemption there is none, and a Xen PV guest runs no virtual machine."""
    found = {name: set(one.impossible) for name, one in CONFIGURATIONS.items()}
    assert found == {
        "full": set(),
        "rt": set(),
        "lazy": set(),
        "voluntary": {"preempt"},
        "none": {"preempt"},
        "xen": {"vm-exit"},
    }


@pytest.mark.parametrize("name", ["full", "rt", "xen"])
def test_a_task_that_is_preempted_leaks_its_ports(name: str) -> None:
    """The leak shows in every configuration in which kernel code can be preempted."""
    violation = check_tree(configured("6.12", name), [DROPPED]).violation
    assert violation is not None
    assert violation.kind == "leak"


@pytest.mark.parametrize("name", ["voluntary", "none"])
def test_a_task_that_cannot_be_preempted_keeps_its_ports_to_itself(name: str) -> None:
    """Where kernel code cannot be preempted, the same calls leave nothing behind."""
    tree = configured("6.12", name)
    assert tree.subject.configuration == name
    assert check_tree(tree, [CALLED]).verdict == "holds"


def test_a_xen_guest_that_is_not_preempted_holds() -> None:
    """Debian's 6.12 tells Xen of each change of the map: of its calls, none leaks or loses."""
    found = check_tree(configured("6.12", "xen"), [CALLED])
    assert found.verdict == "holds"
    assert found.kernel is not None
    assert any("Xen reads, at each access" in bound for bound in found.kernel.bounds)


def test_what_kconfig_does_not_have_is_refused() -> None:
    """A tree of before PREEMPT_RT cannot be built for it, and the message names the symbol."""
    with pytest.raises(KernelTreeError, match="does not allow CONFIG_PREEMPT_RT=y"):
        configured("6.1", "rt")
