"""Finds the functions around the lines that a schedule executes, in Python or in C."""

from __future__ import annotations

import ast
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from iopermit.report.html.model import LineOf, SourceBlock, SourceLine
from iopermit.report.words import place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from iopermit.system.site import Site

SourceText: TypeAlias = "Callable[[str], str]"
"""Returns the text of a file, as `Site` names it; empty if it is not there."""

_AROUND: Final = 12
"""Lines before the first and after the last executed one that are shown of a long function."""

Span = tuple[int, int]
"""The first and the last line of a function."""


def text_on_disk(file: str) -> str:
    """Return the text of a file; empty if it cannot be read."""
    try:
        return Path(file).read_text("utf-8", "replace")
    except (OSError, ValueError):
        return ""


@dataclass
class SourceBlocks:
    """The functions that a page shows, and where a line is in them."""

    blocks: tuple[SourceBlock, ...] = ()
    places: dict[tuple[str, int], LineOf] = field(default_factory=dict)

    def line_of(self, site: Site | None) -> LineOf | None:
        """Return where a page shows a line, if it does."""
        return None if site is None else self.places.get((site.file, site.line))


def source_blocks(sites: Iterable[Site], blamed: Site | None, text: SourceText) -> SourceBlocks:
    """Return the functions around some lines, in the order in which they are first executed."""
    found = SourceBlocks()
    of_file: dict[str, list[Site]] = defaultdict(list)
    for site in (*sites, *([blamed] if blamed else [])):
        of_file[site.file].append(site)
    blocks: list[SourceBlock] = []
    for file, executed in of_file.items():
        lines = text(file).splitlines()
        spans = _python_spans(lines) if file.endswith(".py") else _c_spans(lines)
        for span, within in _by_span(executed, spans, len(lines)).items():
            number = len(blocks)
            blocks.append(_block(lines, span, within, blamed))
            found.places |= {(file, site.line): LineOf(number, site.line) for site in within}
    found.blocks = tuple(blocks)
    return found


def _by_span(sites: Sequence[Site], spans: Sequence[Span], count: int) -> dict[Span, list[Site]]:
    """Return the executed lines by the function that they are in; those that are gone are not."""
    found: dict[Span, list[Site]] = defaultdict(list)
    for site in sites:
        if site.line > count:
            continue
        around = [span for span in spans if span[0] <= site.line <= span[1]]
        alone = (max(1, site.line - _AROUND), min(count, site.line + _AROUND))
        # The innermost function.
        found[min(around, key=lambda span: span[1] - span[0], default=alone)].append(site)
    return found


def _block(
    lines: Sequence[str], span: Span, within: Sequence[Site], blamed: Site | None
) -> SourceBlock:
    executed = {site.line for site in within}
    first = max(span[0], min(executed) - 2 * _AROUND)
    last = min(span[1], max(executed) + _AROUND)
    at = None if blamed is None else (blamed.file, blamed.line)
    shown = tuple(
        SourceLine(
            number,
            lines[number - 1].expandtabs(8),
            executed=number in executed,
            blamed=at == (within[0].file, number),
        )
        for number in range(first, last + 1)
    )
    where, name = place(within[0]).rpartition(":")[0], within[0].function
    return SourceBlock(f"{where}, {name if ')' in name else f'{name}()'}", shown)


def _python_spans(lines: Sequence[str]) -> list[Span]:
    try:
        tree = ast.parse("\n".join(lines))
    except (SyntaxError, ValueError):
        return []
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return [(node.lineno, node.end_lineno or node.lineno) for node in functions]


def _c_spans(lines: Sequence[str]) -> list[Span]:
    """Return the functions of a file in the style of the kernel: braces in the first column."""
    spans = []
    begin = 0
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            begin = number
        elif line.startswith("}") and begin:
            spans.append((_head(lines, begin), number))
            begin = 0
    return spans


def _head(lines: Sequence[str], begin: int) -> int:
    """Return the first line of the declaration before an opening brace."""
    while begin > 1:
        before = lines[begin - 2].strip()
        if not before or before[0] in "}#" or before.endswith((";", "*/")):
            break
        begin -= 1
    return begin
