"""Plays the schedules of bugs of forks, Xen and the TSS limit: B3 to B11, B16, B17."""

import pytest
from tests.support.designs.kernel import UPDATE_AT_EXIT, Kernel, kernel_of, with_option

from iopermit.designs import designs, find
from iopermit.system.design import Design

ALL = (0, 65535)
WITH_LIMIT = [design for design in designs().values() if getattr(design, "vm_exit", None)]


def test_b3_first_call_follows_null() -> None:
    """The first ioperm call of 060aa16f reads the old size through a NULL pointer."""
    kernel = kernel_of("linux-060aa16f")
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'max'"):
        kernel.ioperm(kernel.tasks[0], 0x80, 1, on=True)


@pytest.mark.parametrize(("option", "maps"), [(True, 3), (False, 2)])
def test_b4_duplicate_is_never_freed(option: bool, maps: int) -> None:
    """With the old count in the duplicate, a second call loses the first duplicate."""
    cls = with_option("linux-5.5", "no_refcnt_reset") if option else find("linux-5.5")
    kernel = Kernel(cls, cpus=1)
    a = kernel.tasks[0]
    kernel.ioperm(a, 0x80, 1, on=True)
    child = kernel.fork(a)
    kernel.switch(kernel.cpus[0], child)
    kernel.ioperm(child, 0x81, 1, on=True)
    kernel.ioperm(child, 0x82, 1, on=True)
    assert len(kernel.heap) == maps
    assert kernel.allowed(child) == [(0x80, 0x82)]


def test_b6_missing_branch_follows_null() -> None:
    """Without the all-ports branch, iopl(3) without a map follows a NULL pointer."""
    kernel = Kernel(with_option("linux-5.5", "no_iopl_branch"))
    with pytest.raises(AttributeError, match="'NoneType'"):
        kernel.iopl(kernel.tasks[0], 3)


def test_b7_no_hypercall_no_ports() -> None:
    """If Xen is never told, no permission has any effect."""
    kernel = Kernel(with_option("linux-5.5-xen-pv", "no_update_hypercall"))
    a = kernel.tasks[0]
    assert kernel.ioperm(a, 0x80, 1, on=True) == 0
    assert kernel.iopl(a, 3) == 0
    assert kernel.allowed(a) == []


@pytest.mark.parametrize(
    ("name", "ports"), [("linux-5.5-xen-pv", [ALL]), ("linux-5.8-xen-pv", []), ("linux-5.8", [])]
)
def test_b8_switch_out_does_not_reach_xen(name: str, ports: list[tuple[int, int]]) -> None:
    """After A's iopl(3) Xen allows B every port, until the invalidation is a hypercall."""
    kernel = kernel_of(name)
    a, b, _ = kernel.tasks
    kernel.iopl(a, 3)
    kernel.switch(kernel.cpus[0], b)
    assert kernel.allowed(b) == ports


@pytest.mark.parametrize("name", ["linux-5.5", "linux-5.5-xen-pv"])
def test_b9_failed_fork_takes_the_parents_map(name: str) -> None:
    """A failed fork drops the parent's map, and the child's reference stays for ever."""
    kernel = kernel_of(name)
    a = kernel.tasks[0]
    kernel.ioperm(a, 0x80, 1, on=True)
    kernel.fork(a, fails=True)
    assert kernel.allowed(a) == []
    kernel.exit(a)
    assert len(kernel.heap) == 1


@pytest.mark.parametrize("name", UPDATE_AT_EXIT[1:])
def test_b9_is_not_in(name: str) -> None:
    """From v5.7 on a failed fork leaves the parent its ports, and nothing on the heap."""
    kernel = kernel_of(name)
    a = kernel.tasks[0]
    kernel.ioperm(a, 0x80, 1, on=True)
    kernel.fork(a, fails=True)
    assert kernel.allowed(a) == [(0x80, 0x80)]
    kernel.exit(a)
    assert kernel.heap == []


def b10(name: str) -> Kernel:
    """Let a kernel thread of a task with a map fail to fork; return what is left."""
    kernel = kernel_of(name)
    a = kernel.tasks[0]
    kernel.ioperm(a, 0x80, 1, on=True)
    worker = kernel.fork(a, kernel_thread=True)
    kernel.switch(kernel.cpus[0], worker)
    kernel.fork(worker, fails=True)
    kernel.switch(kernel.cpus[0], a)
    assert kernel.allowed(a) == [(0x80, 0x80)]
    return kernel


@pytest.mark.parametrize("name", ["linux-5.7", "linux-5.8", "linux-5.8-xen-pv"])
def test_b10_flag_without_map(name: str) -> None:
    """The kernel thread inherited the flag without a map: its failed fork follows NULL."""
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'sequence'"):
        b10(name)


@pytest.mark.parametrize("name", ["linux-5.5", "linux-6.16"])
def test_b10_is_not_in(name: str) -> None:
    """v5.5 clears the flag first (X5), v6.16 never sets it: A keeps its port in both."""
    assert len(b10(name).heap) == 1


def test_6_16_warning_is_an_assertion() -> None:
    """A flag without a map, which nothing can cause, is a kernel assertion in v6.16."""
    kernel = kernel_of("linux-6.16")
    kernel.tasks[0].tif_io_bitmap = True
    with pytest.raises(AssertionError, match="WARN_ON_ONCE"):
        kernel.return_to_user(kernel.cpus[0])


def test_b11_failed_fork_clears_the_parents_flag() -> None:
    """After a failed fork the parent loses its port; the one it opens next is open to B too."""
    kernel = kernel_of("linux-5.4")
    a, b, _ = kernel.tasks
    kernel.ioperm(a, 0x80, 1, on=True)
    kernel.fork(a, fails=True)
    assert kernel.allowed(a) == []
    assert kernel.ioperm(a, 0x80, 1, on=True) == 0
    kernel.switch(kernel.cpus[0], b)
    assert kernel.allowed(b) == [(0x80, 0x80)]


def test_failed_fork_takes_the_ports_of_patch_06() -> None:
    """In patch V2 06/16 a failed fork takes the parent's ports, although it keeps its map."""
    kernel = kernel_of("linux-v2-06")
    a = kernel.tasks[0]
    kernel.ioperm(a, 0x80, 1, on=True)
    kernel.fork(a, fails=True)
    assert kernel.allowed(a) == []
    assert len(kernel.heap) == 1


@pytest.mark.parametrize(
    "design",
    WITH_LIMIT,
    ids=lambda d: d.id,
)
def test_vm_exit_is_repaired(design: type[Design]) -> None:
    """After a VM exit the limit is whole again at the next use of the map, on every path."""
    if design.id == "linux-060aa16f":
        design = find("linux-060aa16f+nullcheck")
    kernel = Kernel(design, cpus=1)
    a, b, _ = kernel.tasks
    cpu = kernel.cpus[0]
    kernel.vm_exit(cpu)
    kernel.ioperm(a, 0x80, 1, on=True)
    assert kernel.allowed(a) == [(0x80, 0x80)]
    kernel.vm_exit(cpu)
    assert kernel.allowed(a) == [(0x80, 0x80)]
    kernel.switch(cpu, b)
    kernel.vm_exit(cpu)
    kernel.switch(cpu, a)
    assert kernel.allowed(a) == [(0x80, 0x80)]


@pytest.mark.parametrize(
    ("option", "other_runs"), [("no_limit_refresh", True), ("no_forced_reload", False)]
)
def test_b16_limit_stays_low(option: str, other_runs: bool) -> None:
    """Without one of the two repairs, a VM exit while B, or A itself, runs costs A its port."""
    kernel = Kernel(with_option("linux-5.4", option), cpus=1)
    a, b, _ = kernel.tasks
    cpu = kernel.cpus[0]
    kernel.ioperm(a, 0x80, 1, on=True)
    if other_runs:
        kernel.switch(cpu, b)
    kernel.vm_exit(cpu)
    if other_runs:
        kernel.switch(cpu, a)
    assert kernel.allowed(a) == []


def test_b17_virtual_iopl_is_not_switched() -> None:
    """In the fixture A's iopl(3) opens every port to B; in linux-2.6.8 it does not."""
    seen = {}
    for name in ("fixture-xen-iopl", "linux-2.6.8"):
        kernel = kernel_of(name)
        a, b, _ = kernel.tasks
        kernel.iopl(a, 3)
        kernel.switch(kernel.cpus[0], b)
        seen[name] = kernel.allowed(b)
    assert seen == {"fixture-xen-iopl": [ALL], "linux-2.6.8": []}


@pytest.mark.parametrize("name", UPDATE_AT_EXIT)
def test_ioperm_writes_no_tss(name: str) -> None:
    """From v5.5 on ioperm leaves the TSS alone until the return to user mode."""
    kernel = kernel_of(name)
    a = kernel.tasks[0]
    untouched = kernel.cpus[0].tss.bitmap.words.copy()
    kernel.design.return_to_user = lambda _cpu, _task: None
    assert kernel.ioperm(a, 0x80, 1, on=True) == 0
    assert (kernel.cpus[0].tss.bitmap.words == untouched).all()
    assert kernel.allowed(a) == []


@pytest.mark.parametrize("name", UPDATE_AT_EXIT)
def test_last_port_dropped_frees_the_map(name: str) -> None:
    """From v5.5 on a map without ports is given up, and the flag with it."""
    kernel = kernel_of(name)
    a = kernel.tasks[0]
    kernel.ioperm(a, 0x80, 2, on=True)
    kernel.ioperm(a, 0, 65536, on=False)
    assert kernel.heap == []
    assert not a.tif_io_bitmap
    assert kernel.allowed(a) == []
