"""Tests that Ctrl-C is noted and not lost."""

from __future__ import annotations

import signal

import pytest

from iopermit.engine.interruption import SIGNALS, Interruption, interrupt


def test_the_first_is_noted_and_the_second_raised() -> None:
    """The first Ctrl-C sets a flag, the second raises KeyboardInterrupt."""
    with Interruption() as interruption:
        requested = [interruption.requested]
        signal.raise_signal(signal.SIGINT)
        assert [*requested, interruption.requested] == [False, True]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_the_usual_handler_is_back_afterwards() -> None:
    """After the context Ctrl-C raises KeyboardInterrupt again."""
    with Interruption():
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("number", SIGNALS)
def test_what_asks_to_end_is_noted_too(number: signal.Signals) -> None:
    """A signal that raises KeyboardInterrupt outside is noted inside, and does so again behind."""
    before = signal.signal(number, interrupt)
    try:
        with Interruption() as interruption:
            signal.raise_signal(number)
            noted = interruption.requested
        assert noted
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    finally:
        signal.signal(number, before)


def test_the_handler_of_a_program_is_left_alone() -> None:
    """Where a program handles Ctrl-C itself, its handler stays."""
    called: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: called.append(number))
    try:
        with Interruption() as interruption:
            signal.raise_signal(signal.SIGINT)
        assert (called, interruption.requested) == ([signal.SIGINT], False)
    finally:
        signal.signal(signal.SIGINT, before)


def test_it_can_be_opened_again_while_it_is_open() -> None:
    """A Ctrl-C between two searches is seen by the second, if it is open around both."""
    interruption = Interruption()
    with interruption:
        with interruption:
            assert not interruption.requested
        signal.raise_signal(signal.SIGINT)
        with interruption as second:
            assert second.requested
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
