"""Tests of whole execution (src/iopermit/system/running/runner.py)."""

import pytest

from iopermit.designs import designs
from iopermit.system.bitmap import PortRange
from iopermit.system.concretion import exact
from iopermit.system.execution import Mode
from iopermit.system.running.runner import Runner
from iopermit.system.scenario import Scenario
from iopermit.system.simulation import System
from iopermit.system.specification import allowed_ports, finding


def make(name: str = "linux-5.5", cpus: int = 1) -> Runner:
    """Return a runner of a design with three tasks."""
    design = designs()[name]
    scenario = Scenario(cpus=cpus, tasks=3)
    return Runner(System(design, scenario, exact(design.layout, 2)))


def open_ports(runner: Runner, task: int) -> list[int]:
    """Return the ports that the processor allows a task."""
    thread = runner.system.threads[task]
    allowed = allowed_ports(runner.system, runner.system.processors[thread.cpu], thread)
    return [int(port) for port in allowed.nonzero()[0]]


def test_any_port_range_can_be_opened() -> None:
    """The call takes real ports, not longs of a scenario, and both ends are exact."""
    runner = make()
    assert runner.ioperm(0, PortRange(0x3F8, 8), True) == 0
    runner.return_to_user(0)
    assert open_ports(runner, 0) == list(range(0x3F8, 0x400))
    assert finding(runner.system) is None


def test_the_way_to_user_mode_is_separate() -> None:
    """Until the return to user mode linux-5.5 has not written the TSS."""
    runner = make()
    runner.ioperm(0, PortRange(0, 1), True)
    assert open_ports(runner, 0) == []
    with pytest.raises(ValueError, match=r"task 0 is not in user mode \(kernel\)"):
        runner.iopl(0, 3)
    runner.return_to_user(0)
    assert runner.system.threads[0].mode is Mode.USER
    assert open_ports(runner, 0) == [0]


def test_errors_are_the_kernels() -> None:
    """A bad range gives EINVAL, a bad level too, a missing privilege EPERM."""
    runner = make("linux-5.4")
    assert runner.ioperm(0, PortRange(65535, 2), True) == -22
    assert runner.iopl(0, 4) == -22
    runner.drop_privilege(0)
    assert runner.ioperm(0, PortRange(0, 1), True) == -1
    assert runner.iopl(0, 3) == -1


def test_tasks_take_turns() -> None:
    """After a switch the other task has its own ports; switching back restores the first's."""
    runner = make()
    runner.ioperm(0, PortRange(1, 1), True)
    runner.switch(0, 1)
    runner.return_to_user(1)
    assert open_ports(runner, 1) == []
    runner.switch(0, 0)
    runner.return_to_user(0)
    assert open_ports(runner, 0) == [1]
    runner.switch(0, None)
    assert runner.system.current(runner.system.processors[0]).mode is Mode.IDLE


def test_a_task_lives_and_dies() -> None:
    """Exit frees a slot after the next switch; a fork takes it; the child has the ports."""
    runner = make("linux-6.16")
    runner.ioperm(0, PortRange(7, 1), True)
    runner.return_to_user(0)
    with pytest.raises(ValueError, match="all 3 tasks of the scenario are alive"):
        runner.fork(0)
    runner.switch(0, 2)
    runner.return_to_user(2)
    runner.exit(2)
    runner.switch(0, 0)
    runner.return_to_user(0)
    assert runner.fork(0, fails=True) is None
    runner.return_to_user(0)
    assert runner.fork(0) == 2
    runner.switch(0, 2)
    runner.return_to_user(2)
    assert open_ports(runner, 2) == [7]


def test_exec_and_vm_exit_run_their_hooks() -> None:
    """Exec resets the IOPL of linux-5.4, and a VM exit leaves its ports usable."""
    runner = make("linux-5.4")
    runner.iopl(0, 3)
    assert len(open_ports(runner, 0)) == 65536
    runner.execve(0)
    runner.ioperm(0, PortRange(7, 1), True)
    runner.vm_exit(0)
    assert open_ports(runner, 0) == [7]


def test_the_gp_handler_answers_whether_to_try_again() -> None:
    """linux-2.6.10 loads the map in the handler, once; a design without handler never does."""
    runner = make("linux-2.6.10")
    runner.ioperm(0, PortRange(7, 1), True)
    assert open_ports(runner, 0) == []
    assert runner.general_protection(0)
    assert open_ports(runner, 0) == [7]
    assert not runner.general_protection(0)
    assert not make("linux-5.5").general_protection(0)


def test_what_cannot_run_is_refused() -> None:
    """A task without CPU makes no system call; a task on a CPU is not switched to again."""
    runner = make(cpus=2)
    with pytest.raises(ValueError, match="task 2 is on no CPU"):
        runner.ioperm(2, PortRange(0, 1), True)
    with pytest.raises(ValueError, match="task 1 cannot be switched to"):
        runner.switch(0, 1)
