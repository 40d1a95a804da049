"""Plays the schedules of the known bugs on the designs, at full size: who shows which."""

import pytest
from tests.designs.kernel import Kernel

from iopermit.designs import designs, find
from iopermit.system.design import Design

ALL = (0, 65535)
B1 = ["linux-v2-06", "linux-ecc7e37d", "linux-060aa16f+nullcheck"]
UPDATE_AT_EXIT = ["linux-5.5", "linux-5.7", "linux-5.8", "linux-5.8-xen-pv", "linux-6.16"]
CLEAN = [
    "linux-2.6.8",
    "linux-5.4",
    "linux-v2-06-reviewed",
    "linux-v2-06-reviewed+prev_max",
    *UPDATE_AT_EXIT,
]
WITH_LIMIT = [design for design in designs().values() if getattr(design, "vm_exit", None)]
CLEAN_OF_B2 = [name for name in CLEAN if name != "linux-v2-06-reviewed"]


def with_option(name: str, option: str) -> type[Design]:
    """Return the design with one of its options on."""
    design = find(name)
    assert option in design.options
    return type(design.__name__, (design,), {option: True})


def kernel_of(name: str, tasks: int = 3, cpus: int = 1) -> Kernel:
    """Return a kernel of the design with that id."""
    return Kernel(find(name), tasks, cpus)


def b1(name: str) -> list[tuple[int, int]]:
    """Play the schedule of B1 and return what B may use."""
    kernel = kernel_of(name)
    a, b, _ = kernel.tasks
    kernel.ioperm(a, 0, 65536, on=True)
    kernel.switch(kernel.cpus[0], b)
    kernel.ioperm(b, 0x80, 1, on=True)
    return kernel.allowed(b)


@pytest.mark.parametrize("name", B1)
def test_b1_copies_24_bytes(name: str) -> None:
    """Ioperm for port 0x80 copies 24 of 8192 bytes, so ports from 192 up stay A's."""
    assert b1(name) == [(0x80, 0x80), (192, 65535)]


@pytest.mark.parametrize("name", CLEAN)
def test_b1_is_not_in(name: str) -> None:
    """The schedule of B1 gives B its own port only."""
    assert b1(name) == [(0x80, 0x80)]


def test_b15_main_copies_20_bytes() -> None:
    """The owner cache has B1 too, with 32-bit words: ports from 160 up stay A's."""
    assert b1("linux-2.6.9") == [(0x80, 0x80), (160, 65535)]


def b2(name: str) -> list[tuple[int, int]]:
    """Play the schedule of B2 and return what C may use."""
    kernel = kernel_of(name)
    c, a, _ = kernel.tasks
    cpu = kernel.cpus[0]
    kernel.ioperm(c, 0x10, 1, on=True)
    kernel.switch(cpu, a)
    kernel.ioperm(a, 0xFFFF, 1, on=True)
    kernel.switch(cpu, c)
    return kernel.allowed(c)


@pytest.mark.parametrize("name", ["linux-v2-06", "linux-v2-06-reviewed"])
def test_b2_of_one_task(name: str) -> None:
    """B2 needs no second task: a port dropped on another CPU is still open on the first."""
    assert b15_moves(name, changes=[(0x80, False)]) == [(0x80, 0x80)]


@pytest.mark.parametrize("name", ["linux-v2-06", "linux-v2-06-reviewed"])
def test_b2(name: str) -> None:
    """Ioperm does not raise the dirty mark, so C gets A's port 0xffff."""
    assert b2(name) == [(0x10, 0x10), (0xFFFF, 0xFFFF)]


@pytest.mark.parametrize(
    "name", ["linux-v2-06-reviewed+prev_max", "linux-ecc7e37d", "linux-5.4", *UPDATE_AT_EXIT]
)
def test_b2_is_not_in(name: str) -> None:
    """The schedule of B2 gives C its own port only."""
    assert b2(name) == [(0x10, 0x10)]


def b2_lowered(name: str) -> list[tuple[int, int]]:
    """Play the schedule of B2' and return what C may use."""
    kernel = kernel_of(name)
    c, a, b = kernel.tasks
    cpu = kernel.cpus[0]
    kernel.ioperm(c, 0x10, 1, on=True)
    kernel.switch(cpu, a)
    kernel.ioperm(a, 0xFFFF, 1, on=True)
    kernel.switch(cpu, b)
    kernel.ioperm(b, 0x80, 1, on=True)
    kernel.switch(cpu, c)
    return kernel.allowed(c)


@pytest.mark.parametrize("name", ["linux-ecc7e37d", "linux-060aa16f+nullcheck"])
def test_b2_lowered(name: str) -> None:
    """Ioperm lowers the dirty mark, so A's port 0xffff survives two switches."""
    assert b2_lowered(name) == [(0x10, 0x10), (0xFFFF, 0xFFFF)]


@pytest.mark.parametrize("name", CLEAN[-len(UPDATE_AT_EXIT) - 1 :])
def test_b2_lowered_is_not_in(name: str) -> None:
    """The schedule of B2' gives C its own port only."""
    assert b2_lowered(name) == [(0x10, 0x10)]


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


def test_b12_valid_base_without_a_copy() -> None:
    """In 2.4.20 an unprivileged turn-off call opens what the last user left in the TSS."""
    kernel = kernel_of("linux-2.4.20")
    a, b, _ = kernel.tasks
    b.privileged = False
    kernel.ioperm(a, 0x300, 16, on=True)
    kernel.switch(kernel.cpus[0], b)
    kernel.switch(kernel.cpus[0], a)  # copies all of A's map: no zeros of X1 left
    kernel.switch(kernel.cpus[0], b)
    assert kernel.ioperm(b, 0x80, 1, on=False) == 0
    assert kernel.allowed(b) == [(0x300, 0x30F)]


def test_x1_initial_map_and_terminator_are_zeros() -> None:
    """On a fresh CPU of 2.4.20 a turn-off call opens the ports from 32 up, and those behind."""
    kernel = kernel_of("linux-2.4.20")
    b = kernel.tasks[0]
    b.privileged = False
    kernel.ioperm(b, 0x3C0, 1, on=False)
    assert kernel.allowed(b) == [(32, 0x3BF), (0x3C1, 1023)]
    assert kernel.design.ports_beyond_map_allowed(kernel.cpus[0])


def test_b13_only_the_fixture_and_2_4_read_behind_the_map() -> None:
    """Bytes behind the map allow ports in 2.4.20 (X1) and in the fixture only."""
    beyond = [
        n
        for n in designs()
        if kernel_of(n).design.ports_beyond_map_allowed(Kernel(find(n)).cpus[0])
    ]
    assert beyond == ["linux-2.4.20", "fixture-tss-limit"]


def b15_moves(name: str, *, changes: list[tuple[int, bool]]) -> list[tuple[int, int]]:
    """Let the owner of CPU 0's map change its ports on CPU 1 and come back; return its ports."""
    kernel = kernel_of(name, tasks=1, cpus=2)
    a = kernel.tasks[0]
    kernel.ioperm(a, 0x80, 1, on=True)
    touch(kernel, a)
    kernel.switch(kernel.cpus[0], kernel.idle)
    kernel.switch(kernel.cpus[1], a)
    for port, on in changes:
        kernel.ioperm(a, port, 1, on=on)
    kernel.switch(kernel.cpus[1], kernel.idle)
    kernel.switch(kernel.cpus[0], a)
    touch(kernel, a)
    return kernel.allowed(a)


def touch(kernel: Kernel, task: object) -> None:
    """Access a port: fault if the CPU refuses every port and the design has a handler."""
    if hasattr(kernel.design, "general_protection") and not kernel.allowed(task):
        kernel.fault(task)


@pytest.mark.parametrize("name", ["linux-2.6.9", "linux-2.6.10-L2", "linux-2.6.10"])
def test_b15_stale_owner(name: str) -> None:
    """The owner of CPU 0's map changes its ports on CPU 1 and finds the old map on CPU 0."""
    assert b15_moves(name, changes=[(0x80, False)]) == [(0x80, 0x80)]
    assert b15_moves(name, changes=[(0x300, True)]) == [(0x80, 0x80)]


@pytest.mark.parametrize("name", ["linux-2.6.10-L1", *CLEAN_OF_B2])
def test_b15_is_not_in(name: str) -> None:
    """Without a stale owner the task finds its new ports."""
    assert b15_moves(name, changes=[(0x80, False)]) == []
    assert b15_moves(name, changes=[(0x80, False), (0x300, True)]) == [(0x300, 0x300)]


def test_b15_address_reuse() -> None:
    """A new task at the address of the owner, which exited on CPU 1, gets the owner's port."""
    kernel = kernel_of("linux-2.6.10", tasks=1, cpus=2)
    a = kernel.tasks[0]
    kernel.ioperm(a, 0x80, 1, on=True)
    touch(kernel, a)
    kernel.switch(kernel.cpus[0], kernel.idle)
    kernel.switch(kernel.cpus[1], a)
    kernel.exit(a)
    a.reset()
    kernel.switch(kernel.cpus[1], a)
    kernel.ioperm(a, 0x300, 1, on=True)
    kernel.switch(kernel.cpus[1], kernel.idle)
    kernel.switch(kernel.cpus[0], a)
    assert kernel.allowed(a) == [(0x80, 0x80)]


@pytest.mark.parametrize(
    ("name", "ports"), [("linux-2.6.10-L2", [(0x80, 0x80)]), ("linux-2.6.10", [])]
)
def test_x2_owner_is_not_reset(name: str, ports: list[tuple[int, int]]) -> None:
    """Form L2 finds the old map again after one switch; form L3 resets the owner."""
    kernel = kernel_of(name)
    a, b, _ = kernel.tasks
    kernel.ioperm(a, 0x80, 1, on=True)
    kernel.fault(a)
    kernel.ioperm(a, 0x80, 1, on=False)
    kernel.switch(kernel.cpus[0], b)
    kernel.switch(kernel.cpus[0], a)
    touch(kernel, a)
    assert kernel.allowed(a) == ports


def test_lazy_load_cleans_what_was_dirty() -> None:
    """The #GP handler denies what an earlier, larger map left behind the own map."""
    kernel = kernel_of("linux-2.6.10")
    a, b, _ = kernel.tasks
    kernel.ioperm(a, 0, 65536, on=True)
    kernel.fault(a)
    kernel.switch(kernel.cpus[0], b)
    kernel.ioperm(b, 0x80, 1, on=True)
    kernel.fault(b)
    assert kernel.allowed(b) == [(0x80, 0x80)]
    assert kernel.cpus[0].tss.max == 5


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


@pytest.mark.parametrize(
    ("port", "longs"), [(0x80, 3), (65535, 1024), (0, 1)], ids=["0x80", "last", "first"]
)
def test_extent_in_longs(port: int, longs: int) -> None:
    """The size of a map in longs of 64 ports: 24 bytes for 0x80, 8192 for 65535, 8 for 0."""
    kernel = kernel_of("linux-v2-06")
    a = kernel.tasks[0]
    kernel.ioperm(a, port, 1, on=True)
    assert a.io_bitmap_max == longs
    kernel.ioperm(a, port, 1, on=False)
    assert a.io_bitmap_max == 1
