"""Makes a design about which checkers disagree smaller, as long as they disagree in the same way.

Delta debugging over the syntax tree (Zeller and Hildebrandt, Simplifying and isolating
failure-inducing input, 2002): parts are removed, the largest first, and what no longer is a design
of the language, or is judged alike by all, is not taken.
"""

from __future__ import annotations

import ast
import copy
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tools.fuzz_designs.generation.case import Case

    from iopermit.system.scenario import Scenario

SECONDS: Final = 90.0
"""How long a design is made smaller."""

_KEPT: Final = frozenset({"ioperm", "iopl", "switch_to", "layout", "id"})
"""Members of a design that it cannot be without."""


def shrink(case: Case, fails: Callable[[Case], bool], seconds: float = SECONDS) -> Case:
    """Return a smaller case for which ``fails`` is still true; it is true for ``case``."""
    ends = time.monotonic() + seconds
    improved = True
    while improved:
        improved = False
        for candidate in _smaller(case):
            if time.monotonic() > ends:
                return case
            if fails(candidate):
                case, improved = candidate, True
                break
    return case


def _smaller(case: Case) -> Iterator[Case]:
    """Yield cases with something less: of the scenario, then of the source."""
    scenario = case.scenario
    for event in sorted(scenario.events, key=lambda e: e.name):
        yield replace(case, scenario=replace(scenario, events=scenario.events - {event}))
    for name in ("cpus", "tasks", "longs"):
        value = getattr(scenario, name)
        if value > 1:
            yield replace(case, scenario=_with(scenario, name, value - 1))
    for source in smaller_sources(case.source):
        yield replace(case, source=source)


def _with(scenario: Scenario, name: str, value: int) -> Scenario:
    match name:
        case "cpus":
            return replace(scenario, cpus=value)
        case "tasks":
            return replace(scenario, tasks=value)
    return replace(scenario, longs=value)


def smaller_sources(source: str) -> Iterator[str]:
    """Yield the source with one part removed, or put in the place of what is around it."""
    tree = ast.parse(source)
    sites = [(path, at) for path, block in _blocks(tree) for at in range(len(block))]
    sizes = {site: len(ast.unparse(_block(tree, site[0])[site[1]])) for site in sites}
    for path, at in sorted(sites, key=lambda site: -sizes[site]):
        for instead in _instead(_block(tree, path)[at]):
            changed = copy.deepcopy(tree)
            block = _block(changed, path)
            block[at : at + 1] = copy.deepcopy(instead)
            if not block:
                block.append(ast.Pass())
            yield ast.unparse(ast.fix_missing_locations(changed)) + "\n"


def _instead(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    """Yield what can stand in the place of a statement, nothing first."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.Pass):
        return
    name = getattr(node, "name", "") or re.split(r"\W", ast.unparse(node), maxsplit=1)[0]
    if name not in _KEPT and not isinstance(node, ast.Return):
        yield []
    match node:
        case ast.If(body=body, orelse=orelse):
            yield body
            if orelse:
                yield orelse
                yield [ast.If(node.test, body, [])]
            if isinstance(node.test, ast.BoolOp):
                for part in node.test.values:
                    yield [ast.If(part, body, orelse)]
        case ast.With(body=body) | ast.While(body=body):
            yield body
        case ast.Assign(value=ast.Constant(value=True | False as value)) if value:
            yield [ast.Assign(node.targets, ast.Constant(value=False), lineno=node.lineno)]


Path = tuple[tuple[str, int], ...]


def _blocks(node: ast.AST, path: Path = ()) -> Iterator[tuple[Path, list[ast.stmt]]]:
    """Yield every list of statements, with the way from the root to it."""
    for name in ("body", "orelse"):
        block = getattr(node, name, None)
        if not isinstance(block, list) or not block:
            continue
        yield (*path, (name, -1)), block
        for at, inner in enumerate(block):
            yield from _blocks(inner, (*path, (name, at)))


def _block(tree: ast.AST, path: Path) -> list[ast.stmt]:
    node = tree
    for name, at in path:
        block: list[ast.stmt] = getattr(node, name)
        if at < 0:
            return block
        node = block[at]
    message = f"no block at {path}"
    raise ValueError(message)
