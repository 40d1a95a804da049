"""Checks ioperm and iopl of every design at full size: results, and what they grant."""

import pytest
from tests.support.designs.kernel import Kernel

from iopermit.designs import designs, find
from iopermit.system.design import EINVAL, ENOMEM, EPERM, Design

EVERY = list(designs().values())
LOCKABLE = [design for design in EVERY if hasattr(design.Globals, "locked_down")]
ALLOCATING = [design for design in EVERY if design.id != "linux-2.4.20"]
EAGER_ALLOCATION = ("linux-2.6.", "linux-5.4", "linux-v2-06", "fixture-")
INVALID = [(0, 0), (65536, 1), (65535, 2), (1, 2**64 - 1), (5, 2**64 - 5)]
EMULATED = {"linux-5.5", "linux-5.5-xen-pv", "linux-5.7", "linux-5.8", "linux-5.8-xen-pv"}
EMULATED |= {"linux-6.16", "linux-6.16+preempt_off"}
# linux-060aa16f crashes in the first ioperm call that allocates a map (B3).
FIRST_CALL_WORKS = [design for design in EVERY if design.id != "linux-060aa16f"]
PROCESSOR_IOPL = [design for design in FIRST_CALL_WORKS if design.id not in EMULATED]


@pytest.mark.parametrize("design", EVERY, ids=lambda d: d.id)
@pytest.mark.parametrize(("first", "count"), INVALID)
def test_invalid_range_comes_first(design: type[Design], first: int, count: int) -> None:
    """EINVAL is decided before EPERM and ENOMEM."""
    kernel = Kernel(design)
    kernel.tasks[0].privileged = False
    kernel.memory_left = 0
    assert kernel.ioperm(kernel.tasks[0], first, count, on=True) == -EINVAL
    assert kernel.ioperm(kernel.tasks[0], first, count, on=False) == -EINVAL


@pytest.mark.parametrize("design", EVERY, ids=lambda d: d.id)
def test_last_port_of_the_map_is_valid(design: type[Design]) -> None:
    """The last port of the map is a valid argument and the one after it is not."""
    kernel = Kernel(design)
    kernel.tasks[0].privileged = False
    ports = design.layout.map_ports
    assert kernel.ioperm(kernel.tasks[0], ports - 1, 1, on=True) == -EPERM
    assert kernel.ioperm(kernel.tasks[0], ports, 1, on=True) == -EINVAL


@pytest.mark.parametrize("design", EVERY, ids=lambda d: d.id)
def test_missing_privilege_comes_before_memory(design: type[Design]) -> None:
    """EPERM is decided before ENOMEM."""
    kernel = Kernel(design)
    kernel.tasks[0].privileged = False
    kernel.memory_left = 0
    assert kernel.ioperm(kernel.tasks[0], 0x80, 1, on=True) == -EPERM
    assert kernel.allowed(kernel.tasks[0]) == []


@pytest.mark.parametrize("design", ALLOCATING, ids=lambda d: d.id)
def test_no_memory(design: type[Design]) -> None:
    """A failing allocation gives ENOMEM and leaves the task as it was."""
    kernel = Kernel(design)
    kernel.memory_left = 0
    before = vars(kernel.tasks[0]).copy()
    assert kernel.ioperm(kernel.tasks[0], 0x80, 1, on=True) == -ENOMEM
    assert vars(kernel.tasks[0]) == before
    assert kernel.allowed(kernel.tasks[0]) == []


@pytest.mark.parametrize("design", EVERY, ids=lambda d: d.id)
def test_turning_off_needs_no_privilege(design: type[Design]) -> None:
    """An unprivileged task may turn off a port; only early designs allocate a map for that."""
    kernel = Kernel(design)
    kernel.tasks[0].privileged = False
    assert kernel.ioperm(kernel.tasks[0], 0x80, 1, on=False) == 0
    assert bool(kernel.heap) is design.id.startswith(EAGER_ALLOCATION)


@pytest.mark.parametrize("design", LOCKABLE, ids=lambda d: d.id)
def test_lockdown_refuses_grants(design: type[Design]) -> None:
    """Lockdown refuses turning on and raising the level, to privileged tasks too."""
    kernel = Kernel(design)
    kernel.design.globals.locked_down = True
    assert kernel.ioperm(kernel.tasks[0], 0x80, 1, on=True) == -EPERM
    assert kernel.ioperm(kernel.tasks[0], 0x80, 0, on=True) == -EINVAL
    assert kernel.ioperm(kernel.tasks[0], 0x80, 1, on=False) == 0
    assert kernel.iopl(kernel.tasks[0], 3) == -EPERM
    assert kernel.iopl(kernel.tasks[0], 0) == 0


def test_lockdown_exists_from_5_4_on() -> None:
    """Every Linux design from v5.4 on knows lockdown, and no earlier one."""
    names = list(designs())
    expected = names[names.index("linux-5.4") : names.index("linux-6.16+preempt_off") + 1]
    assert [design.id for design in LOCKABLE] == expected


@pytest.mark.parametrize("design", FIRST_CALL_WORKS, ids=lambda d: d.id)
def test_granted_port_is_allowed_and_nothing_else(design: type[Design]) -> None:
    """On a CPU that no other task used before, ioperm opens exactly the port asked for."""
    kernel = Kernel(design)
    task = kernel.tasks[0]
    assert kernel.ioperm(task, 0x80, 1, on=True) == 0
    if hasattr(kernel.design, "general_protection"):
        assert kernel.allowed(task) == []
        assert kernel.fault(task)
        assert not kernel.fault(task)
    if design.id == "linux-2.4.20":  # X1: the TSS map starts as zeros
        assert kernel.allowed(task) == [(32, 1023)]
        return
    assert kernel.allowed(task) == [(0x80, 0x80)]


@pytest.mark.parametrize("design", FIRST_CALL_WORKS, ids=lambda d: d.id)
def test_switching_away_and_back(design: type[Design]) -> None:
    """A task without permissions has none after a switch, and the first gets its port back."""
    kernel = Kernel(design)
    a, _, b = kernel.tasks
    kernel.ioperm(a, 0x80, 1, on=True)
    cpu = kernel.cpu_of(a)
    kernel.switch(cpu, b)
    if design.id == "linux-5.5-xen-pv":  # B8
        assert kernel.allowed(b) == [(0x80, 0x80)]
    else:
        assert kernel.allowed(b) == []
    kernel.switch(cpu, a)
    if hasattr(kernel.design, "general_protection"):
        assert kernel.fault(a)
    assert kernel.allowed(a) == [(0x80, 0x80)]


@pytest.mark.parametrize("design", FIRST_CALL_WORKS, ids=lambda d: d.id)
def test_exit_frees_the_map(design: type[Design]) -> None:
    """A task that ends leaves nothing on the heap and no port open."""
    kernel = Kernel(design)
    a, _, b = kernel.tasks
    kernel.ioperm(a, 0x80, 1, on=True)
    cpu = kernel.cpu_of(a)
    kernel.exit(a)
    kernel.switch(cpu, b)
    assert kernel.heap == []
    assert kernel.allowed(b) == []


@pytest.mark.parametrize("design", FIRST_CALL_WORKS, ids=lambda d: d.id)
def test_child_inherits_and_is_independent(design: type[Design]) -> None:
    """A child has its parent's ports, and keeps them when the parent drops its own."""
    kernel = Kernel(design)
    a = kernel.tasks[0]
    cpu = kernel.cpu_of(a)
    kernel.ioperm(a, 0, design.layout.map_ports, on=True)
    child = kernel.fork(a)
    kernel.ioperm(a, 0, design.layout.map_ports, on=False)
    assert kernel.allowed(a) == []
    kernel.switch(cpu, child)
    if hasattr(kernel.design, "general_protection"):
        assert kernel.fault(child)
    assert kernel.allowed(child) == [(0, design.layout.map_ports - 1)]


@pytest.mark.parametrize("design", EVERY, ids=lambda d: d.id)
@pytest.mark.parametrize("level", [1, 2, 3])
def test_raising_iopl_needs_privilege(design: type[Design], level: int) -> None:
    """Raising the level is refused to an unprivileged task; keeping and lowering it is not."""
    kernel = Kernel(design)
    task = kernel.tasks[0]
    task.privileged = False
    assert kernel.iopl(task, level) == -EPERM
    task.privileged = True
    assert kernel.iopl(task, level) == 0
    task.privileged = False
    assert kernel.iopl(task, level) == 0
    assert kernel.iopl(task, level - 1) == 0
    assert kernel.iopl(task, level) == -EPERM


@pytest.mark.parametrize("design", EVERY, ids=lambda d: d.id)
@pytest.mark.parametrize("level", [4, 5, 2**32 - 1])
def test_iopl_beyond_3_is_invalid(design: type[Design], level: int) -> None:
    """EINVAL is decided before EPERM."""
    kernel = Kernel(design)
    kernel.tasks[0].privileged = False
    assert kernel.iopl(kernel.tasks[0], level) == -EINVAL


@pytest.mark.parametrize("design", EVERY, ids=lambda d: d.id)
def test_only_level_3_opens_ports(design: type[Design]) -> None:
    """Levels 0 to 2 open no port, level 3 opens all, and level 0 closes them."""
    kernel = Kernel(design)
    task = kernel.tasks[0]
    ports = design.layout.map_ports
    seen = []
    for level in (0, 1, 2, 3, 0):
        assert kernel.iopl(task, level) == 0
        seen.append(kernel.allowed(task))
    assert seen == [[], [], [], [(0, ports - 1)], []]


@pytest.mark.parametrize("name", sorted(EMULATED))
def test_emulated_iopl_gives_the_map_back(name: str) -> None:
    """Emulated iopl hides the ioperm map and leaves it intact."""
    kernel = Kernel(find(name))
    task = kernel.tasks[0]
    kernel.ioperm(task, 0x80, 1, on=True)
    kernel.iopl(task, 3)
    assert kernel.allowed(task) == [(0, 65535)]
    kernel.iopl(task, 0)
    assert kernel.allowed(task) == [(0x80, 0x80)]


@pytest.mark.parametrize("name", sorted(EMULATED))
def test_emulated_iopl_never_touches_the_processor(name: str) -> None:
    """With emulated iopl the processor's IOPL stays 0, so CLI and STI stay privileged."""
    kernel = Kernel(find(name))
    kernel.iopl(kernel.tasks[0], 3)
    assert kernel.design.iopl_in_force(kernel.cpus[0], kernel.tasks[0]) == 0


@pytest.mark.parametrize("design", PROCESSOR_IOPL, ids=lambda d: d.id)
def test_exec_clears_the_iopl_of_eflags(design: type[Design]) -> None:
    """Exec clears the IOPL in EFLAGS, and keeps the map."""
    kernel = Kernel(design)
    task = kernel.tasks[0]
    kernel.ioperm(task, 0x80, 1, on=True)
    kernel.iopl(task, 3)
    before = vars(task) | {"eflags_iopl": 0}
    kernel.design.execve(kernel.cpus[0], task)
    assert vars(task) == before
