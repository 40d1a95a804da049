"""Tests of the specification on full-size state (src/iopermit/system/specification.py)."""

# ruff: noqa: ARG002 - a design fills in fixed entry points and may not need every argument

import numpy as np
import pytest
from tests.support.system.driving import finish, make
from tests.support.system.tiny_design import Block, Tiny

from iopermit.designs import designs
from iopermit.system.bitmap import PortRange
from iopermit.system.concretion import exact, readable
from iopermit.system.events.rules import enabled
from iopermit.system.execution import Action, Mode, action
from iopermit.system.machine_state import IoMapBase
from iopermit.system.scenario import Scenario
from iopermit.system.simulation import System
from iopermit.system.specification import Finding, allowed_ports, finding


class Forgetful(Tiny):
    """Loses the map of a task."""

    def iopl(self, cpu: Tiny.Cpu, task: Tiny.Task, level: int) -> int:
        """Allocate a map and keep it in a local variable only."""
        block = self.allocate(Block)
        block.refcnt = 1
        return 0


class Unhelpful(Tiny):
    """Has a handler of #GP that repairs nothing."""

    def ioperm(self, cpu: Tiny.Cpu, task: Tiny.Task, ports: PortRange, turn_on: bool) -> int:
        """Promise everything, do nothing."""
        return 0

    def general_protection(self, cpu: Tiny.Cpu, task: Tiny.Task) -> bool:
        """Refuse the access."""
        return False


def grant_all_then_switch_and_open_one_port(system: System) -> None:
    """Let task 0 open all ports, switch to task 1, let that open port 0x80."""
    finish(system, action(0, "ioperm", first=0, end=2, turn_on=1))
    finish(system, action(0, "switch", following=1))
    finish(system, action(0, "ioperm", first=0, end=1, turn_on=1))


def test_the_patch_under_review_leaks_all_ports_from_192() -> None:
    """B1: A opens all ports, B opens 0x80; 24 bytes are copied, the rest of A's map stays."""
    system = make(designs()["linux-v2-06"], concretion=readable)
    finish(system, action(0, "ioperm", first=0, end=2, turn_on=1))
    assert finding(system) is None
    finish(system, action(0, "switch", following=1))
    assert finding(system) is None
    finish(system, action(0, "ioperm", first=0, end=1, turn_on=1))
    assert finding(system) == Finding(
        "leak",
        task=1,
        cpu=0,
        ports=((192, 65535),),
        granted=((128, 128),),
        allowed=((128, 128), (192, 65535)),
    )


@pytest.mark.parametrize("name", ["linux-2.6.8", "linux-5.4", "linux-5.5", "linux-6.16"])
def test_the_same_story_is_harmless_elsewhere(name: str) -> None:
    """Designs without B1 pass the same calls in the same order."""
    system = make(designs()[name], concretion=readable)
    grant_all_then_switch_and_open_one_port(system)
    assert finding(system) is None
    allowed = allowed_ports(system, system.processors[0], system.threads[1])
    assert np.flatnonzero(allowed).tolist() == [0x80]


def test_leaks_to_privileged_tasks_can_be_set_aside() -> None:
    """With an unprivileged first task the same leak, to a privileged one, does not count."""
    system = make(designs()["linux-v2-06"], concretion=readable, unprivileged=True)
    finish(system, action(0, "switch", following=1))
    system.threads[0].record.privileged = True
    finish(system, action(0, "ioperm", first=0, end=2, turn_on=1))
    finish(system, action(0, "switch", following=0))
    finish(system, action(0, "ioperm", first=0, end=1, turn_on=1))
    assert finding(system) is None
    system.threads[0].record.privileged = False
    found = finding(system)
    assert found is not None
    assert (found.kind, found.task) == ("leak", 0)


def test_a_lost_permission_is_a_loss() -> None:
    """A VM exit leaves a limit that no longer covers the map of a task with ports."""
    system = make(concretion=readable)
    finish(system, action(0, "ioperm", first=0, end=1, turn_on=1))
    assert finding(system) is None
    system.processors[0].record.tr_limit_low = True
    found = finding(system)
    assert found is not None
    assert found.kind == "loss"
    assert found.ports == ((128, 128),)
    assert found.allowed == ()


def test_kernel_code_is_not_judged() -> None:
    """Whatever the TSS says while the task is in the kernel, or idle runs, is no found."""
    system = make(concretion=readable)
    thread, tss = system.threads[0], system.processors[0].tss
    tss.bitmap.change(PortRange(0, 65536), True)
    tss.io_map_base = IoMapBase.VALID
    assert finding(system) is not None
    system.apply(action(0, "iopl", level=0))
    assert thread.mode is Mode.KERNEL
    assert finding(system) is None


def test_iopl_three_opens_every_port() -> None:
    """The IOPL in force goes to the processor's own check; a lower one opens nothing."""
    system = make(designs()["linux-2.6.8"], concretion=readable)
    finish(system, action(0, "iopl", level=3))
    assert finding(system) is None
    allowed = allowed_ports(system, system.processors[0], system.threads[0])
    assert allowed.all()
    system.threads[0].record.eflags_iopl = 2
    found = finding(system)
    assert found is not None
    assert (found.kind, found.ports) == ("loss", ((0, 65535),))


def test_xen_reads_the_map_it_was_told_about() -> None:
    """XSA-329: after a switch Xen still reads the previous task's map; the TSS is not asked."""
    system = make(designs()["linux-5.5-xen-pv"], concretion=readable)
    finish(system, action(0, "ioperm", first=0, end=2, turn_on=1))
    finish(system, action(0, "switch", following=1))
    processor = system.processors[0]
    assert processor.tss.io_map_base is IoMapBase.INVALID
    found = finding(system)
    assert found is not None
    assert (found.kind, found.task, found.ports) == ("leak", 1, ((0, 65535),))


@pytest.mark.parametrize("name", ["linux-5.5", "linux-5.8", "linux-6.16"])
def test_a_flag_cleared_before_preemption_is_off_leaks(name: str) -> None:
    """Between clearing TIF_IO_BITMAP and invalidating the TSS, a switch leaves the base valid.

    task_update_io_bitmap() clears the flag first and disables preemption next. The switch tests
    the flag of the task that goes, and the return to user mode that of the task that comes.
    """
    system = make(designs()[name], concretion=readable)
    finish(system, action(0, "ioperm", first=0, end=1, turn_on=1))
    system.apply(action(0, "ioperm", first=0, end=2, turn_on=0))
    while system.threads[0].record.tif_io_bitmap:
        system.apply(Action(0, "step"))
    assert action(0, "switch", following=1) in enabled(system)
    finish(system, action(0, "switch", following=1))
    found = finding(system)
    assert found is not None
    assert (found.kind, found.task, found.ports) == ("leak", 1, ((128, 128),))


@pytest.mark.parametrize(
    ("name", "ports"),
    [("linux-2.4.20", (1024, 1047)), ("fixture-tss-limit", (1088, 1207))],
)
def test_bytes_behind_a_small_map_open_ports(name: str, ports: tuple[int, int]) -> None:
    """Zeros inside the limit open ports: the terminator itself (X1), what follows it (B13)."""
    system = make(designs()[name], concretion=readable)
    finish(system, action(0, "ioperm", first=0, end=2, turn_on=1))
    found = finding(system)
    assert found is not None
    assert (found.kind, found.ports) == ("leak", (ports,))


def test_a_refusal_that_the_handler_keeps_is_a_loss() -> None:
    """With a #GP handler the loss is judged when the handler gives up, not before."""
    system = make(Unhelpful, concretion=readable)
    finish(system, action(0, "ioperm", first=0, end=1, turn_on=1))
    assert finding(system) is None
    finish(system, action(0, "fault", granted=0))
    assert finding(system) is None
    finish(system, action(0, "fault", granted=1))
    found = finding(system)
    assert found is not None
    assert (found.kind, found.ports) == ("loss", ((128, 128),))


def test_an_unreachable_object_is_garbage_from_its_last_use_on() -> None:
    """While a local variable is still needed its object is reachable; afterwards it is garbage."""
    system = make(Forgetful)
    system.apply(action(0, "iopl", level=3))
    system.apply(Action(0, "step", choice=1))
    assert finding(system) is None
    system.apply(Action(0, "step"))
    found = finding(system)
    assert found is not None
    assert (found.kind, found.task) == ("garbage", None)
    assert found.unreachable == ("Block", 1)


def test_the_base_in_memory_is_the_layouts_number() -> None:
    """The 16-bit field at offset 102 holds what the design selected, as a number of bytes."""
    design = designs()["linux-5.5"]
    system = System(design, Scenario(cpus=1, tasks=1), exact(design.layout, 2))
    tss = system.processors[0].tss
    for base, number in design.layout.bases.items():
        tss.io_map_base = base
        assert system.processors[0].tss_view(system.design).io_map_base == number
