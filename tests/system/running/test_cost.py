"""Costs, compared with figures worked out by hand from the layouts."""

import pytest
from tests.support.designs.followed import SpinsForEver

from iopermit.designs import designs
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.concretion import exact
from iopermit.system.running.cost import COLUMNS, PATHS, Cell, costs_of
from iopermit.system.running.counting import AccessCounter, Cost, CountedBitmap, CountingSystem
from iopermit.system.scenario import Scenario

ONE, LAST = "port 0x80", "port 65535"


def cell(design: str, column: str, path: str) -> Cell:
    """Return what was counted."""
    return costs_of(designs()[design])[column][path]


def cost(tss: int, read: int, base: int, loads: int = 0) -> Cost:
    """Return a cost from the bytes of the TSS bitmap, bytes read, base stores and LTRs."""
    return Cost(tss, read, base, loads)


@pytest.mark.parametrize("column", [ONE, LAST])
@pytest.mark.parametrize("path", ["switch-in", "alternate"])
def test_2_6_8_always_copies_all(column: str, path: str) -> None:
    """linux-2.6.8 copies 65,536 / 8 = 8192 bytes at each switch-in, whatever the port."""
    assert cell("linux-2.6.8", column, path) == cost(8192, 8192, 1)


def test_2_6_9_copies_only_for_another_user() -> None:
    """linux-2.6.9 copies nothing for the owner, else 0x80 / 32 + 1 = 5 longs of 4 bytes."""
    assert cell("linux-2.6.9", ONE, "switch-in") == cost(0, 0, 1)
    assert cell("linux-2.6.9", LAST, "switch-in") == cost(0, 0, 1)
    assert cell("linux-2.6.9", ONE, "alternate") == cost(20, 20, 1)


def test_2_6_10_copies_at_the_first_access() -> None:
    """linux-2.6.10 only stores the base at a switch and copies in the #GP handler."""
    assert cell("linux-2.6.10", LAST, "alternate") == cost(0, 0, 1)
    assert cell("linux-2.6.10", ONE, "first access") == cost(20, 20, 1)
    assert cell("linux-2.6.10", LAST, "first access") == cost(8192, 8192, 1)


def test_5_4_denies_what_the_map_user_had() -> None:
    """linux-5.4 fills prev.max longs at switch-out (3 longs of 8 bytes), with no base store."""
    assert cell("linux-5.4", ONE, "switch-out") == cost(24, 0, 0)
    assert cell("linux-5.4", LAST, "switch-out") == cost(8192, 0, 0)
    assert cell("linux-5.4", ONE, "switch-in") == cost(24, 24, 0)


def test_v2_06_copies_as_far_as_the_task_ever_used() -> None:
    """The first ioperm(128, 1, 1) copies 24 bytes, after 8 changed and 8192 searched ones."""
    assert cell("linux-v2-06", ONE, "ioperm first") == cost(24, 8 + 8192 + 24, 1)
    assert cell("linux-v2-06", ONE, "ioperm again") == cost(24, 8 + 8192 + 24, 0)
    assert cell("linux-v2-06", LAST, "switch-out") == cost(0, 0, 1)


def test_5_5_writes_the_map_on_return_to_user_mode_only() -> None:
    """linux-5.5: 2 bytes at switch-out, the copy for another user on its return to user mode."""
    out = cell("linux-5.5", LAST, "switch-out")
    assert out == cost(0, 0, 1)
    assert isinstance(out, Cost)
    assert out.tss_written == 2
    assert cell("linux-5.5", ONE, "alternate") == cost(0, 0, 1)
    assert cell("linux-5.5", ONE, "alternate, user") == cost(24, 24, 1)
    assert cell("linux-5.5", LAST, "switch-in, user") == cost(0, 0, 1)
    assert cell("linux-5.5", LAST, "ioperm first") == cost(0, 8 + 8192, 0)


def test_every_return_of_a_map_user_stores_the_base_since_5_5() -> None:
    """Any system call of a map user costs one store on its return since linux-5.5."""
    assert cell("linux-6.16", ONE, "system call, user") == cost(0, 0, 1)
    assert cell("linux-5.4", ONE, "system call, user") == cost(0, 0, 0)


def test_fork_copies_or_shares() -> None:
    """linux-5.4 reads the whole map to fork; linux-5.5 shares it."""
    assert cell("linux-5.4", ONE, "fork") == cost(0, 8192, 0)
    assert cell("linux-5.5", ONE, "fork") == cost(0, 0, 0)


def test_2_4_forks_with_the_structure_copy() -> None:
    """In linux-2.4.20 the 128 bytes of map are in the task, also of one that has no ports."""
    assert cell("linux-2.4.20", "no ioperm user", "fork") == cost(0, 128, 0)


def test_the_limit_is_repaired_once_after_a_vm_exit() -> None:
    """After a VM exit of an ordinary task one LTR is needed for a map user, else none."""
    assert cell("linux-5.4", ONE, "after VM exit") == cost(24, 24, 0, 1)
    assert cell("linux-5.5", ONE, "after VM exit") == cost(0, 0, 1, 1)
    assert cell("linux-5.5", "no ioperm user", "after VM exit") == Cost()
    assert cell("linux-2.6.8", ONE, "after VM exit") == "-"


@pytest.mark.parametrize("design", sorted(designs()))
def test_ordinary_tasks_pay_nothing_at_switches(design: str) -> None:
    """Where nobody uses ports no design touches the TSS at a switch or return to user mode."""
    cells = costs_of(designs()[design])["no ioperm user"]
    paths = [path for path in PATHS if path.startswith(("switch", "alternate", "system"))]
    assert [cells[path] for path in paths] == [Cost()] * len(paths)


def test_a_crash_is_no_cost() -> None:
    """The first ioperm() of linux-060aa16f crashes, and so does all that needs it."""
    cells = costs_of(designs()["linux-060aa16f"])
    assert cells[ONE]["ioperm first"] == "crash"
    assert cells[ONE]["switch-in"] == "crash"
    assert cells["no ioperm user"]["switch-in"] == Cost()


def test_a_map_of_1024_ports_has_no_port_65535() -> None:
    """ioperm(65535, 1, 1) is refused in linux-2.4.20; all paths of every column are there."""
    cells = costs_of(designs()["linux-2.4.20"])
    assert set(cells) == set(COLUMNS)
    assert cells[LAST] == dict.fromkeys(PATHS, "EINVAL")


def counted(counter: AccessCounter, *, in_tss: bool) -> CountedBitmap:
    """Return a bitmap that counts, over memory of its own."""
    geometry = exact(designs()["linux-5.4"].layout, 2).geometry
    words = Bitmap(geometry).words
    return CountedBitmap(geometry, words, counter=counter, in_tss=in_tss)


def test_a_change_costs_each_long_that_it_touches() -> None:
    """Ports 63 to 64 are in two longs of 64 bits; port 64 alone is in one."""
    counter = AccessCounter()
    bitmap = counted(counter, in_tss=True)
    bitmap.change(PortRange(63, 2), turn_on=True)
    assert counter.cost == Cost(map_written=16)
    bitmap.change(PortRange(64, 1), turn_on=False)
    assert counter.cost == Cost(map_written=24)


def test_only_tss_writes_and_task_reads_count() -> None:
    """A copy from a task's map to the TSS counts on both sides, a task's own fill on none."""
    counter = AccessCounter()
    own, tss = counted(counter, in_tss=False), counted(counter, in_tss=True)
    own.fill()
    assert counter.cost == Cost()
    tss.copy_from(own, 5)
    assert counter.cost == Cost(map_written=40, map_read=40)
    assert (tss.words[:5] == own.words[:5]).all()
    assert own.extent(at_least=1) == 1
    assert counter.cost == Cost(map_written=40, map_read=40 + 8192)


def test_the_counting_system_still_decides_about_ports() -> None:
    """The counted bitmap of a TSS is the memory that the processor reads."""
    design = designs()["linux-5.4"]
    system = CountingSystem(design, Scenario(1, 1, 2), exact(design.layout, 2))
    processor = system.processors[0]
    change = PortRange(7, 1)
    counted_cost = system.count(lambda: processor.tss.bitmap.change(change, turn_on=True))
    assert counted_cost == Cost(map_written=8)
    assert processor.memory.bitmap.allowed()[7]
    assert not processor.memory.bitmap.allowed()[8]


def test_a_hook_without_end_hangs() -> None:
    """Where a hook never ends there is no figure; what does not call it is still counted."""
    costs = costs_of(SpinsForEver)
    assert costs[ONE]["ioperm first"] == "hangs"
    assert costs[ONE]["switch-in"] == "hangs"
    assert isinstance(costs["no ioperm user"]["switch-in"], Cost)
