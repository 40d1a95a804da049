"""`iopermit cost`: what designs or kernel trees do on switches, ioperm() and fork, counted."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iopermit.cli.errors import BadInputError
from iopermit.cli.exit_codes import ExitCode
from iopermit.cli.kernel import SandboxOption, sandbox_choice
from iopermit.cli.output import Html, check_writable, complain, print_result, write_file
from iopermit.cli.parser.completion import designs_like
from iopermit.cli.process.extras import require
from iopermit.engine.facts import about_design, concerning

if TYPE_CHECKING:
    from iopermit.kernel.build.sandbox import SandboxChoice

Designs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="DESIGN",
        help="Ids (see `iopermit list`), FILE.py, or FILE.py:CLASS; every known design if none.",
        show_default=False,
        autocompletion=designs_like,
    ),
]


def cost(
    designs: Designs = None,
    *,
    kernel: Annotated[
        list[Path] | None,
        typer.Option(metavar="TREE", help="Count a kernel tree's own code instead; repeatable."),
    ] = None,
    patch: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Count the tree without and with this patch, too."),
    ] = None,
    sandbox: SandboxOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the costs as JSON.")] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also draw a bar chart, as SVG.")
    ] = None,
    html: Html = None,
) -> ExitCode:
    """Count what designs write to the TSS, read of bitmaps, and reload.

    The hooks run at full size, with two users of a port map and an ordinary task on one CPU. With
    --kernel, the tree's compiled code runs on an emulated CPU, and its instructions count.
    """
    if html is not None:
        check_writable(html)
    if kernel or patch:
        if designs or plot:
            raise BadInputError(f"--kernel excludes {'--plot' if plot else 'designs'}")
        choice = sandbox_choice(sandbox)
        _cost_of_trees(kernel or [], patch or [], choice, as_json=as_json, html=html)
        return ExitCode.HOLDS
    if sandbox:
        raise BadInputError("--sandbox needs --kernel TREE")
    from iopermit.designs import designs as known
    from iopermit.engine.executable import executable_design, executing  # imports the translation
    from iopermit.report.cost import cost_json, cost_text
    from iopermit.report.json import to_text
    from iopermit.system.running.cost import costs_of

    if plot is not None:
        require("plot")
        check_writable(plot)
    loaded = [executable_design(name) for name in designs or known()]
    costs = {}
    for design in loaded:
        with concerning(functools.partial(about_design, design)), executing(design):
            costs[design.id] = costs_of(design)
    print_result(to_text(cost_json(costs)) if as_json else cost_text(costs))
    if plot is not None:
        from iopermit.report.cost_plot import plot as draw  # imports matplotlib

        write_file(plot, draw(costs))
    if html is not None:
        from iopermit.report.html.cost_page import cost_page  # only now needed
        from iopermit.report.html.rendering import cost_html  # imports Jinja

        write_file(html, cost_html(cost_page(costs)))
    return ExitCode.HOLDS


def _cost_of_trees(
    trees: list[Path],
    patches: list[Path],
    sandbox: SandboxChoice,
    *,
    as_json: bool,
    html: Path | None,
) -> None:
    if patches and len(trees) != 1:
        raise BadInputError("--patch needs exactly one --kernel TREE")
    require("kernel")
    from iopermit.kernel.build.builder import build  # imports Unicorn
    from iopermit.kernel.cost import costs_of_tree
    from iopermit.report.json import to_text
    from iopermit.report.kernel_cost import tree_costs_json, tree_costs_text

    wanted: list[tuple[str, Path, list[Path]]] = [(str(tree), tree, []) for tree in trees]
    if patches:
        names = ", ".join(patch.name for patch in patches)
        wanted.append((f"with {names}", trees[0], patches))
    costs, sandboxed = {}, {}
    for name, tree, applied in wanted:
        built = build(tree, applied, progress=complain, warn=complain, sandbox=sandbox)
        costs[name], sandboxed[name] = costs_of_tree(built), built.sandboxed
    print_result(to_text(tree_costs_json(costs, sandboxed)) if as_json else tree_costs_text(costs))
    if html is not None:
        from iopermit.report.html.cost_page import tree_cost_page  # only now needed
        from iopermit.report.html.rendering import cost_html  # imports Jinja

        write_file(html, cost_html(tree_cost_page(costs)))
