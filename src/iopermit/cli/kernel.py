"""`iopermit check --kernel TREE`: search a kernel tree's own code; and replay what it found."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from iopermit.cli import scenario as bounds
from iopermit.cli.errors import NO_LONGER, BadInputError, RepairedError
from iopermit.cli.exit_codes import ExitCode, exit_code
from iopermit.cli.output import complain
from iopermit.cli.process.extras import require
from iopermit.cli.progress import shown
from iopermit.engine.errors import ReplayError
from iopermit.kernel.errors import KernelTreeError
from iopermit.system.events import event_named
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.engine.verdict import KernelSubject, Verdict
    from iopermit.kernel.build.configuration import Configuration
    from iopermit.kernel.build.sandbox import SandboxChoice
    from iopermit.kernel.loading import LoadedTree
    from iopermit.report.html.source import SourceText

SandboxOption = Annotated[
    str | None,
    typer.Option(
        "--sandbox",
        metavar="auto|on|off",
        help="Build a tree in bubblewrap, without network; auto: if that works here.",
        show_default="auto",
    ),
]
ConfigOption = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="full|rt|lazy|voluntary|none|xen",
        help="Build a tree for this kind of preemption, or as a Xen PV guest.",
        show_default="full",
    ),
]
_FAIL_ON: Final = ("violated", "introduced")
_EVENTS: Final = 3
"""Events in the reference mode, by default: enough for what is wrong with the trees of today."""
_CHOICES: Final[tuple[SandboxChoice, ...]] = ("auto", "on", "off")


@dataclass(frozen=True)
class TreeRequest:
    """What of a check is about a kernel tree."""

    tree: Path
    patches: tuple[Path, ...] = ()
    keep_build: Path | None = None
    events: Sequence[str] | None = None
    without: Sequence[str] | None = None
    cpus: int | None = None
    tasks: int | None = None
    longs: int | None = None
    max_states: int | None = None
    timeout: float | None = None
    quiet: bool = False
    sandbox: str | None = None
    reverse: bool = False
    fail_on: str | None = None
    every_access: bool = False
    max_depth: int | None = None
    config: str | None = None
    max_memory: int | None = None

    @property
    def reference(self) -> int | None:
        """How many events can happen in the reference mode; None: it is not asked for."""
        return (self.max_depth or _EVENTS) if self.every_access else None


def scenarios(request: TreeRequest) -> list[Scenario]:
    """Return the scenarios that a request asks for: one, or the ladder with its events.

    Raises:
        BadInputError: a bound makes no sense, or there is no event of that name.
    """
    from iopermit.engine.ladder import TREE_LADDER  # only now needed

    numbers = (request.cpus, request.tasks, request.longs)
    if request.every_access and all(number is None for number in numbers):
        return [_scenario(request, 1, 2, 1)]
    if all(number is None for number in numbers):
        return [_scenario(request, *each) for each in TREE_LADDER]
    cpus = 1 if request.cpus is None else request.cpus
    tasks = 2 if request.tasks is None else request.tasks
    longs = request.longs if request.longs is not None else 2 if cpus == 1 else 1
    return [_scenario(request, cpus, tasks, longs)]


def _scenario(request: TreeRequest, cpus: int, tasks: int, longs: int) -> Scenario:
    found = bounds.scenario(request.events, request.without, cpus, tasks, longs)
    assert found is not None  # bounds are given
    chosen = configuration(request.config)
    named = {name.strip() for given in request.events or () for name in given.split(",")}
    for name, why in chosen.impossible.items():
        if name in named:
            message = f"--config {request.config}: {why}; leave out the event {name}"
            raise BadInputError(message)
    return chosen.possible(found)


def configuration(given: str | None) -> Configuration:
    """Return what `--config` says.

    Raises:
        BadInputError: it says something else.
    """
    from iopermit.kernel.build.configuration import CONFIGURATIONS  # only now needed

    found = CONFIGURATIONS.get(given or "full")
    if found is None:
        raise BadInputError(f"--config {given}: choose from {', '.join(CONFIGURATIONS)}")
    return found


def check_kernel(request: TreeRequest) -> Verdict:
    """Build a tree with its patches and search its code.

    Raises:
        BadInputError: a bound makes no sense, or there is no event of that name.
        KernelTreeError: the tree, a patch or the build cannot be used.
        MissingExtraError: a library is not installed.
    """
    require("kernel")
    from iopermit.engine.limits import Limits  # only now needed
    from iopermit.kernel.check import check_tree  # imports the emulator
    from iopermit.kernel.loading import load_tree
    from iopermit.kernel.origin import PatchedTree

    if request.max_depth and not request.every_access:
        raise BadInputError("--max-depth needs --every-access")
    wanted, only_new = scenarios(request), is_about_patches(request)
    say = None if request.quiet else complain
    load = functools.partial(
        load_tree,
        request.tree,
        progress=say,
        sandbox=sandbox_choice(request.sandbox),
        configuration=configuration(request.config),
    )
    tree = load(request.patches, reverse=request.reverse, keep=request.keep_build, warn=complain)
    # The reference mode tells what a tree is like, and compares it with none.
    compared = bool(request.patches) and not request.every_access
    if compared and say is not None:
        say("the same without the patches, to tell what they bring")
    plain = _plain(load) if compared else None
    with shown(quiet=request.quiet, ladder=lambda: wanted, several_processes=True) as progress:
        limits = Limits(request.max_states, request.max_memory, request.timeout)
        control = progress.control(limits)
        if plain is None:
            return check_tree(tree, wanted, control=control, reference=request.reference)
        return PatchedTree(tree, plain, wanted, control, keeps=True).judged(only_new=only_new)


def _plain(load: Callable[[], LoadedTree]) -> LoadedTree | KernelTreeError:
    """Return a tree without patches, which may be what lets it be built, or what is in the way."""
    try:
        return load()
    except KernelTreeError as error:
        return error


def is_about_patches(request: TreeRequest) -> bool:
    """Return whether the exit status is to tell what the patches brought.

    Raises:
        BadInputError: there are no patches, or `--fail-on` says something else.
    """
    if request.fail_on is None:
        return False
    if request.fail_on not in _FAIL_ON:
        raise BadInputError(f"--fail-on {request.fail_on}: choose from {', '.join(_FAIL_ON)}")
    if not request.patches:
        raise BadInputError("--fail-on needs --patch FILE")
    if request.every_access:
        raise BadInputError("--fail-on and --every-access exclude one another")
    return request.fail_on == _FAIL_ON[1]


def status_of(verdict: Verdict) -> ExitCode:
    """Return the exit status for a verdict about a tree.

    Where it is to tell what patches brought, a fault that is there without them is none, if all
    faults were compared; else it is not known whether they brought another one.
    """
    from iopermit.engine.verdict import FaultOrigin  # only now needed

    kernel, status = verdict.kernel, exit_code(verdict.verdict)
    without = None if kernel is None else kernel.without
    if without is None or not without.only_new or status is not ExitCode.VIOLATED:
        return status
    if without.excuses:
        return ExitCode.HOLDS
    is_new = without.origin in (FaultOrigin.INTRODUCED, FaultOrigin.DIFFERENT)
    return ExitCode.VIOLATED if is_new else ExitCode.UNDETERMINED


def sandbox_choice(given: str | None) -> SandboxChoice:
    """Return what `--sandbox` says.

    Raises:
        BadInputError: it says something else.
    """
    for choice in _CHOICES:
        if choice == (given or "auto"):
            return choice
    raise BadInputError(f"--sandbox {given}: choose from {', '.join(_CHOICES)}")


def replay_kernel(saved: dict[str, Any], file: Path, sandbox: str | None = None) -> Verdict:
    """Execute a saved schedule of a tree again.

    Args:
        saved: what was saved.
        file: where.
        sandbox: what `--sandbox` says.

    Raises:
        BadInputError: the file is damaged, the schedule no longer shows the violation, or the
            tree, a patch or the build cannot be used any more.
        RepairedError: the tree changed, and the schedule no longer shows the violation.
        MissingExtraError: a library is not installed.
    """
    require("kernel")
    from iopermit.kernel.check import replay_tree  # the emulator
    from iopermit.kernel.loading import load_tree

    kernel, given = saved["kernel"], saved["scenario"]
    try:
        tree = load_tree(
            Path(kernel["tree"]),
            [Path(patch) for patch in kernel["patches"]],
            # Files of before this was saved have no such member.
            reverse=kernel.get("reverse") is True,
            warn=complain,
            sandbox=sandbox_choice(sandbox),
            configuration=configuration(kernel.get("configuration")),
        )
    except KernelTreeError as error:
        raise BadInputError(f"{file}: {error}", error.code) from error
    changed = tree.subject.key != kernel["key"]
    if changed:
        complain(f"iopermit: {kernel['tree']} is not what it was when {file} was saved")
    events = frozenset(event_named(one) for one in given["events"])
    scenario = Scenario(given["cpus"], given["tasks"], given["longs"], events)
    try:
        return replay_tree(tree, saved, scenario)
    except ReplayError as error:
        if changed and NO_LONGER in str(error):
            raise RepairedError(str(error)) from error
        why = "the tree or a patch changed since" if changed else "the file was damaged"
        raise BadInputError(f"{file}: {error}; {why}", "bad-file") from error


def source_text(kernel: KernelSubject | None) -> SourceText:
    """Return what reads the source of what a verdict is about: of a tree, with its patches."""
    from iopermit.report.html.source import text_on_disk  # only now needed

    if kernel is None:
        return text_on_disk
    from iopermit.kernel.build.patches.patch import apply_patches
    from iopermit.kernel.build.source import Source

    patches = [Path(patch) for patch in kernel.patches]
    try:
        source = apply_patches(Source(Path(kernel.tree)), patches, reverse=kernel.reverse)
    except (KernelTreeError, OSError):
        # A patch was changed or removed since; the lines of the tree would be others.
        return lambda _: ""

    def text(file: str) -> str:
        try:
            return source.text(file)
        except (KernelTreeError, OSError):
            return ""

    return text
