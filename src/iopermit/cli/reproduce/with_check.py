"""The options of `check` that let it reproduce what it finds, in the place of one parameter."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from iopermit.cli.errors import BadInputError
from iopermit.cli.process.extras import require
from iopermit.cli.reproduce.request import (
    AppendOption,
    ControlImageOption,
    ControlPatchOption,
    ImageOption,
    ReproductionRequest,
)
from iopermit.engine.errors import MissingExtraError
from iopermit.kernel.errors import KernelTreeError
from iopermit.reproduce.errors import ReproduceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from iopermit.engine.verdict import Verdict
    from iopermit.report.reproduction.facts import Reproduction
    from iopermit.report.text import SeenOnKernel

PARAMETER: Final = "reproduction"
"""The parameter of a verb for which the options stand."""
_ReproduceOption = Annotated[
    bool,
    typer.Option(
        "--reproduce",
        help="Force a violation on a booted kernel: of the tree, or of --image VMLINUZ.",
    ),
]
_OPTIONS: Final[dict[str, tuple[Any, Any]]] = {
    "reproduce": (_ReproduceOption, False),
    "image": (ImageOption, None),
    "append": (AppendOption, ""),
    "control_patch": (ControlPatchOption, None),
    "control_image": (ControlImageOption, None),
}
"""Types and defaults of the options."""


@dataclass(frozen=True)
class ReproduceOptions:
    """What of a check is about reproducing."""

    reproduce: bool = False
    image: Path | None = None
    append: str = ""
    control_patch: Sequence[Path] | None = None
    control_image: Path | None = None

    def require_alone(self, others: object) -> None:
        """Refuse options that say nothing about a booted kernel, or another kernel.

        Raises:
            BadInputError: one of them was given.
        """
        if self.reproduce and others:
            raise BadInputError("--reproduce excludes --format, --reverse and --config")

    def request(
        self, tree: Path | None, patches: Sequence[Path], sandbox: str | None, *, quiet: bool
    ) -> ReproductionRequest | None:
        """Return what is to be booted if there is a violation; None if nothing is.

        Args:
            tree: the kernel tree that is checked, if it is one.
            patches: the patches to it.
            sandbox: what `--sandbox` says.
            quiet: whether to tell nothing on the way.

        Raises:
            BadInputError: options do not fit together.
            ReproduceError: a tool is missing, or an image cannot be used.
        """
        if not self.reproduce:
            others = (self.image, self.append, self.control_patch, self.control_image)
            if any(others):
                raise BadInputError(
                    "--image, --append, --control-patch and --control-image need --reproduce"
                )
            return None
        if (self.image is None) == (tree is None):
            what = "needs --image VMLINUZ" if tree is None else "builds the tree: leave out --image"
            raise BadInputError(f"--reproduce {what}")
        require("reproduce")
        request = ReproductionRequest(
            self.image,
            tree,
            tuple(patches),
            self.append,
            tuple(self.control_patch or ()),
            self.control_image,
            sandbox,
            quiet=quiet,
        )
        try:
            request.require_usable()
        except ReproduceError as error:
            raise BadInputError(str(error)) from error
        return request


def with_reproduction(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Return a verb with the options in the place of its ``reproduction``."""
    signature = inspect.signature(verb, eval_str=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        if parameter.name == PARAMETER:
            parameters += [
                inspect.Parameter(name, kind, default=default, annotation=option)
                for name, (option, default) in _OPTIONS.items()
            ]
        else:
            parameters.append(parameter)

    @functools.wraps(verb)
    def wrapped(**arguments: Any) -> Any:  # noqa: ANN401 - the arguments of any verb
        given = {name: arguments.pop(name) for name in _OPTIONS if name in arguments}
        return verb(**arguments, **{PARAMETER: ReproduceOptions(**given)})

    wrapped.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # what typer reads
    wrapped.__annotations__ = {each.name: each.annotation for each in parameters}
    return wrapped


def seen_of(verdict: Verdict, request: ReproductionRequest | None) -> Reproduction | None:
    """Return what was seen of a violation on a booted kernel; None if there is none, or no request.

    The search is done by then: what is in the way of the kernel is no reason to lose its verdict.
    """
    if request is None or verdict.violation is None:
        return None
    from iopermit.report.reproduction.facts import Reproduction  # only now needed

    try:
        return request.reproduced(verdict)
    except (ReproduceError, KernelTreeError, MissingExtraError, OSError) as error:
        return Reproduction(verdict, "undetermined", str(error), None, (), ())


def member_of(seen: Reproduction | None) -> dict[str, Any]:
    """Return what the JSON of a verdict has besides; nothing if nothing was to be reproduced."""
    if seen is None:
        return {}
    from iopermit.report.reproduction.json import seen_json  # only now needed

    return {"reproduction": seen_json(seen)}


def lines_of(seen: Reproduction | None) -> SeenOnKernel | None:
    """Return what the report about a verdict has besides."""
    if seen is None:
        return None
    from iopermit.report.reproduction.text import seen_on_kernel  # only now needed

    return seen_on_kernel(seen)
