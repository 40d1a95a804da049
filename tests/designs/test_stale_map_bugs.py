"""Plays the schedules of bugs that leave an old map in force: B1, B2, B12, B13, B15, X1, X2."""

import pytest
from tests.support.designs.kernel import UPDATE_AT_EXIT, Kernel, kernel_of

from iopermit.designs import designs

B1 = ["linux-v2-06", "linux-ecc7e37d", "linux-060aa16f+nullcheck"]
CLEAN = [
    "linux-2.6.8",
    "linux-5.4",
    "linux-v2-06-reviewed",
    "linux-v2-06-reviewed+prev_max",
    *UPDATE_AT_EXIT,
]
CLEAN_OF_B2 = [name for name in CLEAN if name != "linux-v2-06-reviewed"]


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
    kernels = {name: kernel_of(name) for name in designs()}
    beyond = [n for n, k in kernels.items() if k.design.ports_beyond_map_allowed(k.cpus[0])]
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
