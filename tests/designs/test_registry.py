"""Checks the registry of designs: their order, their descriptions, how they are found."""

import inspect

import pytest

from iopermit.designs import UnknownDesignError, designs, families, find
from iopermit.system.design import Design
from iopermit.system.records import declared_fields

HISTORY = [
    "linux-2.4.20",
    "linux-2.6.8",
    "linux-2.6.9",
    "linux-2.6.10-L1",
    "linux-2.6.10-L2",
    "linux-2.6.10",
    "linux-5.4",
    "linux-v2-06",
    "linux-v2-06-reviewed",
    "linux-v2-06-reviewed+prev_max",
    "linux-ecc7e37d",
    "linux-060aa16f",
    "linux-060aa16f+nullcheck",
    "linux-5.5",
    "linux-5.5-xen-pv",
    "linux-5.7",
    "linux-5.8",
    "linux-5.8-xen-pv",
    "linux-6.16",
    "linux-6.16+preempt_off",
    "fixture-tss-limit",
    "fixture-xen-iopl",
]
OPTIONS = {
    "linux-5.4": {"no_limit_refresh", "no_forced_reload"},
    "linux-5.5": {"no_refcnt_reset", "no_iopl_branch"},
    "linux-5.5-xen-pv": {"no_update_hypercall"},
}
VM_EXIT = set(HISTORY[6:20]) - {"linux-5.5-xen-pv", "linux-5.8-xen-pv"}
EMULATED_IOPL = set(HISTORY[13:20])


def every_design() -> list[type[Design]]:
    """Return the designs of the registry."""
    return list(designs().values())


def test_order_is_historical() -> None:
    """The registry lists the Linux stages in historical order and the fixtures last."""
    assert list(designs()) == HISTORY


@pytest.mark.parametrize("name", HISTORY)
def test_find_returns_the_design_of_that_id(name: str) -> None:
    """A design is found by its id, and says so itself."""
    assert find(name).id == name


@pytest.mark.parametrize(
    ("wrong", "right"), [("linux-5.6", "linux-5.5"), ("linux-v2-6", "linux-v2-06")]
)
def test_unknown_id_names_close_ones(wrong: str, right: str) -> None:
    """A mistyped id raises a KeyError that names the ids that look like it."""
    with pytest.raises(UnknownDesignError, match=right) as caught:
        find(wrong)
    assert isinstance(caught.value, KeyError)
    assert right in caught.value.close


def test_unknown_id_without_resemblance() -> None:
    """An id like no other gives a message that still names the mistake."""
    with pytest.raises(UnknownDesignError, match="there is no design 'plan9'"):
        find("plan9")


@pytest.mark.parametrize("design", every_design(), ids=lambda d: d.id)
def test_description_is_its_own(design: type[Design]) -> None:
    """Every design has its own title, origin and docstring, and a known family."""
    assert {"id", "title", "origin"} <= set(vars(design))
    assert design.title
    assert design.origin
    assert inspect.cleandoc(vars(design)["__doc__"])
    assert design.family in vars(families).values()


def test_titles_differ() -> None:
    """No two designs have the same title."""
    titles = [design.title for design in every_design()]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("design", every_design(), ids=lambda d: d.id)
def test_options(design: type[Design]) -> None:
    """Exactly the documented options exist, each a boolean attribute that is off."""
    assert set(design.options) == OPTIONS.get(design.id, set())
    for option in design.options:
        assert getattr(design, option) is False


@pytest.mark.parametrize("design", every_design(), ids=lambda d: d.id)
def test_vm_exit_only_with_lazy_limit(design: type[Design]) -> None:
    """The vm_exit hook exists from v5.4 on, but not in a PV guest, which runs no VMX."""
    assert (getattr(design, "vm_exit", None) is not None) == (design.id in VM_EXIT)


@pytest.mark.parametrize("design", every_design(), ids=lambda d: d.id)
def test_only_emulated_iopl_survives_exec(design: type[Design]) -> None:
    """Exec clears the IOPL in EFLAGS, and nothing clears an emulated one."""
    emulated = design.id in EMULATED_IOPL
    assert inspect.getattr_static(design, "iopl_survives_exec") is emulated
    assert hasattr(design, "execve") is not emulated


@pytest.mark.parametrize("design", every_design(), ids=lambda d: d.id)
def test_only_2_4_is_not_preemptible(design: type[Design]) -> None:
    """Kernel code can be preempted in every stage but 2.4."""
    assert design.preemptible is (design.id != "linux-2.4.20")


@pytest.mark.parametrize("design", every_design(), ids=lambda d: d.id)
def test_every_field_is_declared(design: type[Design]) -> None:
    """The annotations of every record can be evaluated, and a CPU has its own kind of TSS."""
    for record in (design.Task, design.Tss, design.Cpu, design.Globals):
        declared_fields(record)
    own = {field.name: field for field in declared_fields(design.Cpu)}["tss"]
    assert own.marker == "this CPU's own TSS"
    assert own.type is design.Tss
