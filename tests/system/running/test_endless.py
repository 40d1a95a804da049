"""Hooks that do not end are ended, and others are not touched."""

import sys

import pytest

from iopermit.system.running.endless import EndlessHookError, ended


def _spin(turns: int | None) -> int:
    done = 0
    while done != turns:
        done += 1
    return done


def test_a_loop_without_end_is_ended() -> None:
    """A hook that executes more lines than it may is ended, and what traced before traces again."""
    before = sys.gettrace()
    with pytest.raises(EndlessHookError):
        ended(_spin, None, lines=1000)
    assert sys.gettrace() is before


def test_a_loop_that_ends_is_not() -> None:
    """A loop of as many turns as there are ports ends by itself, and its result is passed on."""
    assert ended(_spin, 65_536) == 65_536


def test_lines_of_called_functions_count() -> None:
    """What a hook calls counts with it: a loop without end may be in there."""
    with pytest.raises(EndlessHookError):
        ended(lambda: [_spin(100) for _ in range(100)], lines=1000)
