"""Runs the scripts of the sequential pass, and explains the first broken rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.engine.trace import Replay, TraceStep, Violation
from iopermit.kernel.conformance.bench import Bench
from iopermit.kernel.conformance.broken import BrokenRule
from iopermit.kernel.conformance.scripts import SCRIPTS
from iopermit.kernel.conformance.single_cpu import TASKS
from iopermit.kernel.execution.host.services import HeapExhausted
from iopermit.kernel.search.tss_watch import TssWatch
from iopermit.kernel.state.xen import UnknownMap

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from iopermit.engine.trace import TssState
    from iopermit.kernel.image.lines import Lines
    from iopermit.kernel.image.linker import Image
    from iopermit.system.events import Event
    from iopermit.system.site import Site

Executed = set[tuple[int, int]]
_SHOWN: Final = 8
"""Calls before the one that is wrong that a trace shows."""


@dataclass(frozen=True)
class PassResult:
    """What a sequential pass found.

    Attributes:
        replay: how the tree's code breaks a rule; None if it breaks none.
        executed: address and size of the basic blocks that were executed.
        doubt: why the pass cannot tell that everything is right; empty if it can.
    """

    replay: Replay | None
    executed: Executed
    doubt: str = ""


def sequential_pass(
    image: Image,
    lines: Lines,
    suspects: frozenset[tuple[str, int]] = frozenset(),
    events: Collection[Event] | None = None,
) -> PassResult:
    """Make the calls of the scripts, up to the first broken rule.

    Args:
        image: the tree's code.
        lines: its line tables.
        suspects: file and number of lines that a patch changed, to be blamed first.
        events: the events that are asked for; None: all, so that every script is run.

    Raises:
        KernelTreeError: the code needs something that is not there.
    """
    executed: Executed = set()
    doubt = ""
    for script, needed in SCRIPTS.items():
        if events is not None and not needed.issubset(events):
            continue
        bench = Bench(image)
        try:
            bench.begin()
            script(bench)
        except BrokenRule:
            return PassResult(_explained(image, lines, suspects, script), executed)
        except HeapExhausted:
            executed |= bench.cpu.kernel.executor.executed
            doubt = f"more heap objects are alive than {TASKS} tasks need"
            continue
        except UnknownMap as unknown:
            executed |= bench.cpu.kernel.executor.executed
            doubt = str(unknown)
            continue
        executed |= bench.cpu.kernel.executor.executed
    return PassResult(None, executed, doubt)


def _explained(
    image: Image,
    lines: Lines,
    suspects: frozenset[tuple[str, int]],
    script: Callable[[Bench], None],
) -> Replay:
    """Run a script again and watch the C lines of its last call."""
    bench = Bench(image)
    sites: list[Site] = []
    changed: list[Site] = []

    def report(site: Site, _: bool, __: tuple[TssState, ...]) -> None:  # noqa: FBT001 - one of three of a callback
        sites.append(site)
        if (site.file, site.line) in suspects:
            changed.append(site)

    watch = TssWatch(bench.cpu.kernel, lines, report, suspects)
    bench.cpu.kernel.emulator.uc.ctl_flush_tb()
    seen: list[tuple[int, TssState]] = []
    begun = [0]

    def before() -> None:
        if begun[0] != len(bench.steps):
            # A new call of the script: the lines of the last one are told from its beginning on.
            begun[0] = len(bench.steps)
            sites.clear()
            seen.append((len(bench.steps) - 1, watch.now(0)))
        watch.begin_now(0)

    bench.cpu.before = before
    try:
        bench.begin()
        script(bench)
    except BrokenRule as broken:
        watch.end(stopped=False)
        blamed = changed or lines.without_code(suspects) or sites
        return _replay(bench, broken, sites, blamed[-1:], seen, watch.now(0))
    message = "a script does not break again the rule that it broke"
    raise AssertionError(message)


def _replay(
    bench: Bench,
    broken: BrokenRule,
    sites: list[Site],
    blamed: list[Site],
    seen: list[tuple[int, TssState]],
    last: TssState,
) -> Replay:
    violation = Violation(
        broken.kind,
        broken.task,
        0,
        broken.ports,
        broken.allowed,
        broken.granted,
        "",
        broken.message,
        blamed[0] if blamed else None,
    )
    steps: list[TraceStep] = []
    for position, (number, tss) in enumerate(seen):
        after = seen[position + 1][1] if position + 1 < len(seen) else last
        task, _, what = bench.steps[number].partition(": ")
        steps.append(_step(number + 1, task, tss, after, environment=what))
    steps = steps[-_SHOWN:]
    steps += [_step(steps[-1].number, steps[-1].task, last, last, source=site) for site in sites]
    numbered = tuple(
        TraceStep(**{**vars(step), "number": number}) for number, step in enumerate(steps, 1)
    )
    return Replay(numbered, violation)


def _step(
    number: int,
    task: str,
    before: TssState,
    after: TssState,
    *,
    environment: str = "",
    source: Site | None = None,
) -> TraceStep:
    return TraceStep(
        number=number,
        cpu=0,
        task=task,
        environment=environment,
        source=source,
        before=before,
        tss=(after,),
    )
