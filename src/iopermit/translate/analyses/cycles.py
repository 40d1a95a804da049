"""Finds the edges along which steps could be merged for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.translate.model.walk import targets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.translate.model.model import Model


def back_edges(model: Model) -> set[tuple[int, int]]:
    """Return the edges that close a cycle of steps without a counted loop in it."""
    found: set[tuple[int, int]] = set()
    done: set[int] = set()
    for root in model.steps:
        if root in done:
            continue
        path: list[tuple[int, Iterator[int]]] = [
            (root, iter(sorted(targets(model.steps[root].body))))
        ]
        open_steps = {root}
        while path:
            pc, rest = path[-1]
            target = next(rest, None)
            if target is None:
                path.pop()
                open_steps.discard(pc)
                done.add(pc)
            elif target in open_steps and not model.steps[pc].counted:
                found.add((pc, target))
            elif target in model.steps and target not in done and target not in open_steps:
                path.append((target, iter(sorted(targets(model.steps[target].body)))))
                open_steps.add(target)
    return found
