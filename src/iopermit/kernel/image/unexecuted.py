"""Which of the code that patches change was never executed, in whatever object it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from iopermit.kernel.image.lines import Lines
    from iopermit.system.site import Site


def unexecuted(
    every: Sequence[Lines],
    changed: Collection[tuple[str, int]],
    removed: Collection[tuple[str, int]],
    executed: Iterable[tuple[int, int]],
) -> list[Site]:
    """Return the changed lines of whose code nothing was executed.

    Where code was taken away there is none that could be: some other code of its function has to
    be executed.

    Args:
        every: the line tables of all objects; those that are not executed lie at addresses where
            nothing is.
        changed: files and numbers of the lines that patches changed.
        removed: those of them where code was taken away.
        executed: address and size of the basic blocks that were executed.
    """
    blocks = list(executed)
    with_code = {place for place in changed if any(lines.has_code(*place) for lines in every)}
    missed = with_code - {place for lines in every for place in lines.executed(changed, blocks)}
    gone = {place for place in removed if place not in with_code}
    for function, file in {(every[0].function(*place), place[0]) for place in gone}:
        within = {place for lines in every for place in lines.with_code(function, file)}
        if within and not any(lines.executed(within, blocks) for lines in every):
            missed |= {
                place
                for place in gone
                if place[0] == file and every[0].function(*place) == function
            }
    return [every[0].place(*place) for place in sorted(missed)]
