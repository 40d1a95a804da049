"""What a machine that runs programs needs of the system beyond a scenario of the search."""

import numpy as np
import pytest

from iopermit.designs import designs
from iopermit.designs.linux.v6_16 import Linux616
from iopermit.system.bitmap import PortRange
from iopermit.system.concretion import exact
from iopermit.system.crash import RefcountOverflow
from iopermit.system.design import Design
from iopermit.system.execution import Mode
from iopermit.system.records import MAX_REFCOUNT
from iopermit.system.running.runner import Runner
from iopermit.system.scenario import RunScenario, Scenario
from iopermit.system.simulation import System


def make(tasks: int = 40, *, started: int | None = 1, max_refcount: int = 40) -> Runner:
    """Return a runner of linux-6.16 with many task slots."""
    scenario = RunScenario(cpus=2, tasks=tasks, longs=2, events=frozenset())
    concretion = exact(Linux616.layout, 2)
    return Runner(
        System(Linux616, scenario, concretion, started=started, max_refcount=max_refcount)
    )


def test_a_run_may_have_more_than_a_search() -> None:
    """A search stays bounded; a run has a bound too, but a larger one."""
    with pytest.raises(ValueError, match="1 to 6 tasks"):
        Scenario(tasks=7)
    assert RunScenario(cpus=32, tasks=1024).tasks == 1024
    with pytest.raises(ValueError, match="1 to 1024 tasks"):
        RunScenario(tasks=1025)
    with pytest.raises(ValueError, match="1 to 32 CPUs"):
        RunScenario(cpus=33)


def test_only_started_tasks_exist() -> None:
    """The other slots are free, and fork takes the lowest one."""
    runner = make()
    modes = [thread.mode for thread in runner.system.threads[:40]]
    assert modes == [Mode.USER] + [Mode.FREE] * 39
    assert runner.system.processors[1].record.current is runner.system.threads[41].record
    assert runner.fork(0) == 1
    runner.return_to_user(0)
    assert runner.fork(0) == 2


def test_more_tasks_share_a_map_than_a_search_has() -> None:
    """The count of references saturates where the caller says."""
    runner = make()
    runner.ioperm(0, PortRange(0x80, 1), True)
    for child in range(1, 40):
        runner.return_to_user(0)
        assert runner.fork(0) == child
    runner.return_to_user(0)
    with pytest.raises(ValueError, match="all 40 tasks"):
        runner.fork(0)


def test_references_saturate_as_in_a_search_otherwise() -> None:
    """Without another bound one more task than a search counts is a crash."""
    runner = make(max_refcount=MAX_REFCOUNT)
    runner.ioperm(0, PortRange(0x80, 1), True)
    for _ in range(MAX_REFCOUNT - 1):
        runner.return_to_user(0)
        runner.fork(0)
    runner.return_to_user(0)
    with pytest.raises(RefcountOverflow):
        runner.fork(0)


def test_the_tss_can_be_in_memory_of_the_caller() -> None:
    """The design writes the map and the base to the bytes that it was given."""
    images = [np.zeros(Linux616.layout.memory, np.uint8) for _ in range(2)]
    scenario = RunScenario(cpus=2, tasks=2, longs=2, events=frozenset())
    concretion = exact(Linux616.layout, 2)
    runner = Runner(System(Linux616, scenario, concretion, started=1, tss_images=images))
    runner.ioperm(0, PortRange(0x80, 1), True)
    runner.return_to_user(0)
    runner.system.processors[0].tss_view(runner.system.design)
    assert int.from_bytes(images[0][102:104].tobytes(), "little") == 0x78
    assert images[0][0x78 + 0x80 // 8] == 0xFE
    assert images[1][0x78 + 0x80 // 8] == 0xFF


@pytest.mark.parametrize("design", designs().values(), ids=lambda d: d.id)
def test_any_other_call_passes_the_return_to_user_mode(design: type[Design]) -> None:
    """A system call that no hook serves stops before the way back, if the design has one."""
    scenario = Scenario(cpus=1, tasks=1)
    runner = Runner(System(design, scenario, exact(design.layout, 2)))
    runner.other_call(0)
    thread = runner.system.threads[0]
    has_hook = runner.system.has_hook("return_to_user")
    assert thread.mode is (Mode.KERNEL if has_hook else Mode.USER)
    runner.return_to_user(0)
    assert thread.mode is Mode.USER


def test_a_task_can_end_on_its_way_back() -> None:
    """A killed task does not return to user mode first."""
    runner = make()
    runner.ioperm(0, PortRange(0x80, 1), True)
    modes = [runner.system.threads[0].mode]
    runner.exit_in_kernel(0)
    modes.append(runner.system.threads[0].mode)
    runner.switch(0, None)
    modes.append(runner.system.threads[0].mode)
    assert modes == [Mode.KERNEL, Mode.DEAD, Mode.FREE]
