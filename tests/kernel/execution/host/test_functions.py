"""Host functions: the allocator, what crashes, and what a task may."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.support.kernel.compiling import compiled

from iopermit.kernel.cpu.emulator import Emulator
from iopermit.kernel.execution.boot import make_caches
from iopermit.kernel.execution.classifier import Actor, HeapUse
from iopermit.kernel.execution.executor import Executor, TransitionEnd
from iopermit.kernel.execution.host.allocations import cache_size
from iopermit.kernel.execution.host.functions import DATA, FUNCTIONS
from iopermit.kernel.execution.host.services import FAILS, HeapExhausted
from iopermit.kernel.image import memory_map as at
from iopermit.kernel.image.layout import Layout
from iopermit.kernel.image.linker import Image, link
from iopermit.kernel.state.guest_memory import BEHIND, GuestMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

SAMPLE = """
typedef unsigned long u64;
#define CONSTANT(name, value) const u64 iopermit_##name = value
CONSTANT(KMALLOC_SHIFT_HIGH, 13);
CONSTANT(sizeof_task, 256); CONSTANT(offsetof_task_thread_info_flags, 0);
CONSTANT(stack_pt_regs, 0x3f58); CONSTANT(sizeof_pt_regs, 168); CONSTANT(THREAD_SIZE, 0x4000);
CONSTANT(offsetof_tss_x86_tss, 0); CONSTANT(offsetof_tss_bitmap, 104);
CONSTANT(sizeof_tss_bitmap, 8192); CONSTANT(KERNEL_TSS_LIMIT, 8296); CONSTANT(GDT_ENTRY_TSS, 8);
CONSTANT(PREEMPT_RT, 0);
__attribute__((section(".data..percpu"))) char cpu_tss_rw[8400];
__attribute__((section(".data..percpu"))) u64 gdt_page[16];
extern void *kmalloc_large(u64, unsigned), *kmemdup(void *, u64, unsigned);
extern void kfree(void *), refcount_warn_saturate(void *, int);
extern int capable(int);
u64 *allocate(void) { return kmalloc_large(64, 0); }
u64 *zeroed(void) { return kmalloc_large(64, 0x100); }
u64 twice(void) { u64 *p = allocate(); kfree(p); kfree(p); return 0; }
u64 after(void) { u64 *p = allocate(); kfree(p); return *(volatile u64 *)p; }
u64 beyond(void) { volatile char *p = (char *)allocate(); return p[0x1800]; }
u64 behind(void)
{
	volatile u64 *p = allocate();
	p[8] = 1; kfree((void *)p); p = allocate();
	return p[8];
}
u64 null(void) { return *(volatile u64 *)8; }
u64 middle(void) { char *p = (char *)allocate(); kfree(p + 8); return 0; }
u64 copied(void) { u64 *p = allocate(); *p = 77; u64 *q = kmemdup(p, 64, 0); return q ? *q : 1; }
u64 warns(void) { refcount_warn_saturate(0, 3); return 0; }
u64 bug(void) { __builtin_trap(); }
u64 asks(void) { return capable(17); }
u64 *kmalloc_caches[2][14];
extern void *kmem_cache_alloc(void *, unsigned);
u64 *from_a_cache(void) { return kmem_cache_alloc(kmalloc_caches[1][13], 0); }
"""


@pytest.fixture
def image(require: Callable[[str], Path], tmp_path: Path) -> Image:
    """Link the sample, which has just enough of a shim for the machine to be made."""
    return link([compiled(tmp_path, SAMPLE, gcc=require("gcc"))], FUNCTIONS, DATA)


def run(
    image: Image, function: str, plan: Sequence[int] = (), *, privileged: bool = True
) -> tuple[TransitionEnd, Executor]:
    """Call a function of the sample on a machine of its own."""
    memory = GuestMemory(Emulator(image), Layout(image), 1, 1, 2)
    executor = Executor(memory, preempt=False, failures=True, header=16)
    executor.accesses.actor = Actor(0, 0, frozenset(), privileged)
    executor.accesses.heap = HeapUse({}, plan=plan)
    stack = memory.registers_of(0)
    return executor.call(image.address(function), [], stack, interrupts=True), executor


def test_an_allocation_gives_the_first_free_slot_with_poison(image: Image) -> None:
    """A fresh object holds no zeros, unless they were asked for."""
    ending, executor = run(image, "allocate")
    assert ending.result == at.HEAP
    assert executor.services.read(at.HEAP, 64) == b"\x6b" * 64
    ending, executor = run(image, "zeroed")
    assert executor.services.read(ending.result, 64) == bytes(64)


def test_an_allocation_from_a_cache_is_as_large_as_its_objects(image: Image) -> None:
    """Trees that do not say how much they want name one of kmalloc's caches, by kind and index."""
    memory = GuestMemory(Emulator(image), Layout(image), 1, 1, 2)
    make_caches(memory)
    executor = Executor(memory, preempt=False, failures=False, header=16)
    executor.accesses.heap = HeapUse({})
    executor.call(image.address("from_a_cache"), [], memory.registers_of(0), interrupts=True)
    assert executor.accesses.heap.used == {0: 8192}
    assert [cache_size(index) for index in (1, 2, 3, 7, 13)] == [96, 192, 8, 128, 8192]


def test_an_allocation_can_fail(image: Image) -> None:
    """Failure is one of the choices, and gives NULL."""
    ending, executor = run(image, "allocate", [FAILS])
    assert ending.result == 0
    assert executor.accesses.heap.options == [[0, FAILS]]


def test_a_copy_has_the_same_bytes(image: Image) -> None:
    """kmemdup() copies its source into a fresh object."""
    ending, executor = run(image, "copied")
    assert ending.result == 77
    assert sorted(executor.accesses.heap.used) == [0, 1]


def test_the_same_follows_on_every_object(image: Image) -> None:
    """What was written behind an object is not read behind the next one in that place."""
    assert run(image, "behind")[0].result == int.from_bytes(8 * BEHIND)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("twice", "double free"),
        ("after", "use after free: read"),
        ("beyond", "6144 bytes into an object: out of bounds"),
        ("null", "null pointer dereference: read of address 0x8"),
        ("middle", "no object"),
        ("warns", "underflow"),
        ("bug", r"WARN\(\) or BUG\(\)"),
    ],
)
def test_crashes_are_noticed_where_they_happen(image: Image, function: str, message: str) -> None:
    """Each way to crash is told from the others, and found in the right function."""
    ending, _ = run(image, function)
    assert ending.crash is not None
    assert re.search(message, ending.crash.message)
    found = image.function_at(ending.crash.address)
    assert found is not None
    assert found.name == function


def test_capable_asks_the_task(image: Image) -> None:
    """capable() is true for a task with CAP_SYS_RAWIO only."""
    assert run(image, "asks")[0].result == 1
    assert run(image, "asks", privileged=False)[0].result == 0


def test_a_heap_that_is_too_small_is_no_verdict(image: Image) -> None:
    """More objects than slots end the search instead of failing the allocation."""
    memory = GuestMemory(Emulator(image), Layout(image), 1, 1, 1)
    executor = Executor(memory, preempt=False, failures=False, header=16)
    executor.accesses.heap = HeapUse({0: 64})
    with pytest.raises(HeapExhausted):
        executor.call(image.address("allocate"), [], memory.registers_of(0), interrupts=True)
