"""The reference mode and the usual search side by side, up to a number of events.

Both go on beyond violations here. What is compared is the set of *observations*. An observation is
what user code can see of a state, names left out: of each CPU that executes user code the ports
that the processor allows there, the ports and the level that its task was granted, and the IOPL in
its flags; and all of that together, where no CPU executes kernel code. A crash is one too.
docs/kernel-trees.md ("The reference mode") says why both sets have to be equal.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.kernel.faults import FAULTS, IOPORT, REPAIR, Edit, unified_diff
from tests.support.kernel.hidden_faults import HIDDEN_FAULTS
from tests.support.kernel.planted.sleeping import SLEEPING_FAULTS
from tests.support.kernel.trees import build_cache, require_tree

from iopermit import arch
from iopermit.kernel.build.builder import build
from iopermit.kernel.build.configuration import FULL
from iopermit.kernel.loading import LoadedTree, load_built
from iopermit.kernel.search.reference import ReferenceSearch
from iopermit.kernel.search.specification import SpecificationCheck
from iopermit.kernel.search.tree_search import TreeSearch
from iopermit.kernel.state.state import TaskMode
from iopermit.system.bitmap import PortRange
from iopermit.system.events import Event
from iopermit.system.execution import CONTINUE, Action

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from iopermit.arch.lazy import np
    from iopermit.kernel.cpu.crashes import Crash
    from iopermit.kernel.execution.driver import Outcome
    from iopermit.kernel.execution.kernel import EmulatedKernel
    from iopermit.kernel.image.linker import Image
    from iopermit.kernel.state.state import State
    from iopermit.system.scenario import Scenario
    from iopermit.system.specification import Kind, Ranges

_PORTS = 128
SMALL_MAP = Edit(
    "give maps two longs only",
    "arch/x86/include/asm/processor.h",
    r"(#define IO_BITMAP_BITS\s+)65536",
    rf"\g<1>{_PORTS}",
    "",
)
"""Makes a call some hundred accesses instead of thousands; judge the first ports only."""
_SMALL_RANGES = {
    1: {(0, 1): PortRange(0, _PORTS)},
    2: {(0, 2): PortRange(0, _PORTS), (0, 1): PortRange(0, 64), (1, 2): PortRange(64, 64)},
}
Observation = tuple[object, ...]
_MAP_IN_TSS = "this_cpu_read(cpu_tss_rw.io_bitmap.bitmap[0])"
MAP_FAULTS = {
    "written-back": Edit(
        "open a long of a map that may be shared, and close it again",
        IOPORT,
        r"(if \(refcount_read\(&iobm->refcnt\) > 1\))",
        r"{ unsigned long old = READ_ONCE(iobm->bitmap[1]);\n"
        r"\t\tWRITE_ONCE(iobm->bitmap[1], 0);\n\t\tWRITE_ONCE(iobm->bitmap[1], old); }\n\t\1",
        "ksys_ioperm",
    ),
    "read-twice": Edit(
        "look at the map in the TSS twice, where other tasks can come in between",
        IOPORT,
        r"(iobm->sequence = atomic64_add_return)",
        rf"if ({_MAP_IN_TSS} != {_MAP_IN_TSS})\n\t\tt->iopl_emul = 3;\n\t\1",
        "ksys_ioperm",
    ),
}
"""Faults that show only if accesses to maps are seen that leave nothing behind."""
EDITS: dict[str, tuple[Edit, ...]] = {
    "": (),
    "repair": (REPAIR,),
    **{name: (REPAIR, edit) for name, edit in {**FAULTS, **MAP_FAULTS}.items()},
    **{
        name: (REPAIR, *fault.edits)
        for name, fault in {**HIDDEN_FAULTS, **SLEEPING_FAULTS}.items()
        if fault.configuration == FULL.name
    },
}
"""What is planted in a tree, by name."""


@functools.cache
def small(version: str, name: str) -> LoadedTree:
    """Return Debian's tree of a version with small maps and an edit, ready to be executed."""
    tree = require_tree(version)
    with tempfile.TemporaryDirectory() as directory:
        patch = Path(directory) / "edit.patch"
        patch.write_text(unified_diff(tree, SMALL_MAP, *EDITS[name]))
        return load_built(build(tree, [patch], cache=build_cache()), [patch])


class Observer:
    """Collects observations."""

    def __init__(self, search: ReferenceSearch | TreeSearch) -> None:
        """Observe what is executed of a tree with small maps, and judge its ports only."""
        self._kernel, self._cpus = search.driver.kernel, search.scenario.cpus
        self._symmetric = search.scenario.has(Event.MIGRATE)
        self._kernel.ports.update(_SMALL_RANGES[search.scenario.longs])
        search.specification = _SmallSpecification(self._kernel)
        self._specification = search.specification
        self._allowed: dict[tuple[int, int], tuple[tuple[int, int], ...]] = {}
        self.seen: set[Observation] = set()
        self.kinds: set[str] = set()
        """Kinds of the violations."""

    def note(self, state: State) -> None:
        """Add what user code can see of a state."""
        ones = [self._on_cpu(state, cpu) for cpu in range(self._cpus)]
        for cpu, one in enumerate(ones):
            if isinstance(one, tuple):
                self.seen.add(("one", 0 if self._symmetric else cpu, one))
        if None not in ones:
            self.seen.add(("all", *(sorted(ones, key=repr) if self._symmetric else ones)))
        found = self._specification.finding(state)
        if found is not None:
            self.kinds.add(found.kind)

    def note_crash(self, crash: Crash | None) -> None:
        """Add how the kernel crashes."""
        assert crash is not None  # there is no state
        self.seen.add(("crash", crash.kind, crash.address))
        self.kinds.add("crash")

    def _on_cpu(self, state: State, cpu: int) -> tuple[object, ...] | str | None:
        """Return what a CPU shows; None if it executes kernel code."""
        kernel = self._kernel
        if kernel.cpu_meta(state, cpu).switching:
            return None
        slot = kernel.current(state, cpu)
        if slot is None:
            return "idle"
        task = state.tasks[slot]
        assert task is not None  # it is current
        meta = kernel.task_meta(task)
        if meta.mode is not TaskMode.USER:
            return None
        iopl = self._specification._iopl_of(task[0])
        key = (state.cpus[cpu][0], iopl)
        if key not in self._allowed:
            allowed = self._specification.allowed(state, cpu, iopl)
            self._allowed[key] = tuple(arch.as_ranges(allowed))
        return (self._allowed[key], kernel.grants.key(meta.grants), iopl)


class _SmallSpecification(SpecificationCheck):
    """Judges the ports of the small map: what the processor reads behind it is no map.

    iopl(3), which grants all ports, opens only those of the small map.
    """

    def allowed(self, state: State, cpu: int, iopl: int) -> NDArray[np.bool_]:
        ports = super().allowed(state, cpu, iopl)
        ports[_PORTS:] = False
        return ports

    def _compare(
        self, state: State, cpu: int, grants: int, iopl: int
    ) -> tuple[Kind, Ranges, Ranges, Ranges] | None:
        found = super()._compare(state, cpu, grants, iopl)
        return None if found is not None and found[1][0][0] >= _PORTS else found


def _begun(search: ReferenceSearch | TreeSearch, first: Sequence[Action]) -> State:
    """Return the state after the first task did something, without any other task."""
    driver, kernel = search.driver, search.driver.kernel
    task, *others = search.initial.tasks
    state = search.initial._replace(tasks=(task, *[None for _ in others]))
    for action in first:
        after = driver.execute(state, action)[0].state
        while after is not None and not _is_in_user_mode(kernel, after):
            after = driver.execute(after, Action(action.cpu, CONTINUE))[0].state
        assert after is not None  # the kernel did not crash
        state = after
    return state


def _is_in_user_mode(kernel: EmulatedKernel, state: State) -> bool:
    task = state.tasks[0]
    assert task is not None  # it does not exit
    return kernel.task_meta(task).mode is TaskMode.USER


class ObservedReference(ReferenceSearch):
    """The reference mode, which goes on beyond violations."""

    def __init__(
        self, image: Image, scenario: Scenario, depth: int, first: Sequence[Action] | None = None
    ) -> None:
        """Search a tree's code; with `first` the first task does that alone before, as a whole."""
        super().__init__(image, scenario, depth)
        self.observer = Observer(self)
        if first is not None:
            self.initial = _begun(self, first)
        self.observer.note(self.initial)

    def _is_wrong(self, outcome: Outcome) -> bool:
        if outcome.state is None:
            self.observer.note_crash(outcome.crash)
        else:
            self.observer.note(outcome.state)
        return False


class ObservedSearch(TreeSearch):
    """The usual search, level by level of events instead of transitions, beyond violations."""

    def __init__(
        self, image: Image, scenario: Scenario, depth: int, first: Sequence[Action] | None = None
    ) -> None:
        """Search a tree's code, as `ObservedReference` does."""
        super().__init__(image, scenario)
        self._depth = depth
        self.is_complete = False
        """Whether it came to its end; otherwise it met code that it refuses to search."""
        self.observer = Observer(self)
        other = self._checked._other.kernel
        other.ports = self.driver.kernel.ports
        if first is not None:
            self.initial = _begun(self, first)

    def _search(self) -> bool:
        first = self.canonical(self.initial)
        waiting, reached = [first], {first}
        self.observer.seen.clear()
        self.observer.kinds.clear()
        self.observer.note(first)
        for depth in range(self._depth + 1):
            following: list[State] = []
            while waiting:
                state = waiting.pop()
                for move in self.rules.moves(state):
                    if not move.is_step and depth == self._depth:
                        continue
                    for successor in self.cache.successors(state, move, {}):
                        if successor.state is None:
                            self.observer.note_crash(successor.crash)
                            continue
                        target = self.canonical(successor.state)
                        if target not in reached:
                            reached.add(target)
                            self.observer.note(target)
                            (waiting if move.is_step else following).append(target)
                if self._watch_more():
                    return False
            waiting = following
        self.result.states = len(reached)
        self.is_complete = True
        return True
