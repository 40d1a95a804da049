"""Tests of what finds external programs for tests."""

from collections.abc import Callable
from pathlib import Path

import pytest

ABSENT = "iopermit-no-such-program"


def test_present_program_is_found(require: Callable[[str], Path]) -> None:
    """A program on the PATH is returned as a path to an existing file."""
    assert require("sh").is_file()


def test_absent_program_skips(
    require: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An absent program skips the test, and the reason names the program."""
    monkeypatch.delenv("IOPERMIT_REQUIRE_ALL", raising=False)
    with pytest.raises(pytest.skip.Exception, match=ABSENT):
        require(ABSENT)


def test_absent_program_fails_when_all_are_required(
    require: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With IOPERMIT_REQUIRE_ALL=1 an absent program fails the test."""
    monkeypatch.setenv("IOPERMIT_REQUIRE_ALL", "1")
    with pytest.raises(pytest.fail.Exception, match=ABSENT):
        require(ABSENT)
