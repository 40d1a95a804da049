"""Ends hooks that do not end by themselves, by the lines that they execute."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from types import FrameType

MOST_LINES: Final = 300_000
"""Lines of a hook after which it is taken for endless: more than four for each of 65,536 ports."""


class EndlessHookError(Exception):
    """A hook executes more lines than any that ends by itself."""


def ended(hook: Callable[..., Any], *arguments: object, lines: int = MOST_LINES) -> Any:  # noqa: ANN401 - as the hook
    """Call a hook and return what it returns.

    Lines are counted, not seconds, so that the result is the same on every machine.

    Raises:
        EndlessHookError: it has executed that many lines of Python, with those of what it calls.
    """
    left = lines

    def count(_frame: FrameType, event: str, _argument: object) -> Any:  # noqa: ANN401 - sys.settrace()
        nonlocal left
        left -= event == "line"
        if left < 0:
            raise EndlessHookError
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        return hook(*arguments)
    finally:
        sys.settrace(before)
