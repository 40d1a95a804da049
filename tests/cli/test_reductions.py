"""Tests of the options that switch reductions off."""

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from iopermit.cli.reductions import with_reductions
from iopermit.translate.analyses.reductions import REDUCTIONS, Reduction, Reductions

got: list[tuple[str, Reductions, bool]] = []


@with_reductions
def verb(
    name: Annotated[str, typer.Argument()],
    *,
    reductions: Reductions,
    quiet: Annotated[bool, typer.Option("--quiet")] = False,
) -> None:
    """Note what it is called with."""
    got.append((name, reductions, quiet))


def called(*arguments: str) -> tuple[str, Reductions, bool]:
    """Return what the verb gets for some arguments."""
    app = typer.Typer()
    app.command()(verb)
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return got.pop()


def test_all_reductions_are_on_without_options() -> None:
    """The other options of the verb are as before."""
    assert called("it", "--quiet") == ("it", Reductions(), True)


@pytest.mark.parametrize("reduction", REDUCTIONS, ids=lambda each: each.name)
def test_each_reduction_has_an_option(reduction: Reduction) -> None:
    """The flag of a reduction switches that one off."""
    assert called("it", reduction.flag) == ("it", Reductions().without(reduction), False)
