"""One option for each reduction, which switches it off."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iopermit.translate.analyses.reductions import REDUCTIONS, Reduction, Reductions

if TYPE_CHECKING:
    from collections.abc import Callable

PARAMETER = "reductions"
"""The parameter of a verb for which the options stand."""


def with_reductions(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Return a verb with an option for each reduction in the place of its ``reductions``."""
    signature = inspect.signature(verb, eval_str=True)
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        if parameter.name == PARAMETER:
            parameters += [_option(each) for each in REDUCTIONS]
        else:
            parameters.append(parameter)

    @functools.wraps(verb)
    def wrapped(**arguments: Any) -> Any:  # noqa: ANN401 - the arguments of any verb
        off = [each for each in REDUCTIONS if arguments.pop(_name(each))]
        return verb(**arguments, **{PARAMETER: Reductions().without(*off)})

    wrapped.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # what typer reads
    wrapped.__annotations__ = {each.name: each.annotation for each in parameters}
    return wrapped


def _name(reduction: Reduction) -> str:
    return reduction.flag.removeprefix("--").replace("-", "_")


def _option(reduction: Reduction) -> inspect.Parameter:
    option = Annotated[bool, typer.Option(reduction.flag, help=reduction.help)]
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(_name(reduction), kind, default=False, annotation=option)
