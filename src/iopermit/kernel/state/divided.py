"""A CPU's own memory in two parts: its TSS, and everything else.

Most of what a kernel does accesses nothing of a TSS. What it leads to depends on the other part
only, and changes only that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable

    from iopermit.kernel.state.contents import Component, Content, Contents

_Part = tuple["Hashable", bytes, int]
"""Metadata, bytes and the number of leading names, as contents are told apart by."""


class _Division(NamedTuple):
    """How a content is divided: numbers of its parts, and which names are whose."""

    rest: int
    tss: int
    rest_names: tuple[int, ...]
    tss_names: tuple[int, ...]


class DividedCpus:
    """Divides the components of CPUs, and puts parts together.

    Parts have numbers of their own, which are no numbers of contents. Parts are equal if and only
    if their bytes, the places of what they refer to and their metadata are: a word that refers to
    something is a mark in the bytes (`iopermit.kernel.state.contents`).
    """

    def __init__(self, contents: Contents, start: int, end: int) -> None:
        """Divide contents at two offsets, which are multiples of 8.

        Args:
            contents: numbers the whole components.
            start: of the TSS, in the bytes of a CPU.
            end: of it.
        """
        self._contents, self._start, self._end = contents, start, end
        self._numbers: dict[_Part, int] = {}
        self._divisions: dict[int, _Division] = {}
        self._joined: dict[tuple[int, int], tuple[int, tuple[int, ...]]] = {}
        self._wholes: dict[int, Content] = {}
        """A content with each part."""

    def divide(self, component: Component) -> tuple[Component, Component]:
        """Return what is left of a CPU's component without its TSS, and the TSS."""
        division = self._divisions.get(component[0])
        if division is None:
            division = self._divisions[component[0]] = self._divided(component[0])
        names = component[1]
        return (
            (division.rest, tuple([names[n] for n in division.rest_names])),
            (division.tss, tuple([names[n] for n in division.tss_names])),
        )

    def join(self, rest: Component, tss: Component) -> Component:
        """Return the component of which these are the parts."""
        known = self._joined.get((rest[0], tss[0]))
        if known is None:
            known = self._joined[rest[0], tss[0]] = self._put_together(rest[0], tss[0])
        number, order = known
        names = rest[1] + tss[1]
        return number, tuple([names[n] for n in order])

    def _divided(self, number: int) -> _Division:
        content = self._contents[number]
        start, end, data = self._start, self._end, content.data
        behind = content.leading
        inside = [start <= 8 * place < end for place in content.places]
        kept = [behind + n for n, is_inside in enumerate(inside) if not is_inside]
        names = tuple(behind + n for n, is_inside in enumerate(inside) if is_inside)
        rest = self._number((content.meta, data[:start] + data[end:], behind), content)
        tss = self._number((None, data[start:end], 0), content)
        return _Division(rest, tss, (*range(behind), *kept), names)

    def _number(self, part: _Part, content: Content) -> int:
        number = self._numbers.setdefault(part, len(self._numbers))
        self._wholes.setdefault(number, content)
        return number

    def _put_together(self, rest: int, tss: int) -> tuple[int, tuple[int, ...]]:
        one, other = self._wholes[rest], self._wholes[tss]
        start, end = self._start, self._end
        data = one.data[:start] + other.data[start:end] + one.data[end:]

        def is_inside(place: int) -> bool:
            return start <= 8 * place < end

        kept = [p for p in one.places if not is_inside(p)]
        placed = [*kept, *(p for p in other.places if is_inside(p))]
        order = sorted(range(len(placed)), key=placed.__getitem__)
        own = [p for p in one.own if not is_inside(p)] + [p for p in other.own if is_inside(p)]
        places = tuple(placed[n] for n in order)
        number = self._contents.number(one.meta, data, places, tuple(sorted(own)), one.leading)
        return number, (*range(one.leading), *(one.leading + n for n in order))
