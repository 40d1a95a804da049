"""Where the cache is, by the XDG base directory specification."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from iopermit.cache.errors import UntrustedError
from iopermit.cache.locations import (
    cache_directory,
    kernel_builds,
    machine_code,
    state_directory,
)


def test_absolute_variables_say_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """XDG_CACHE_HOME and XDG_STATE_HOME say where cache and key are."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert cache_directory() == machine_code().path == tmp_path / "cache/iopermit"
    assert kernel_builds().path == tmp_path / "cache/iopermit/kernel"
    assert state_directory() == tmp_path / "state/iopermit"


@pytest.mark.parametrize("value", ["", "relative", "./here"])
def test_relative_variables_are_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """A path that is not absolute is ignored, as the specification says."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    monkeypatch.setenv("XDG_STATE_HOME", value)
    assert cache_directory() == tmp_path / ".cache/iopermit"
    assert state_directory() == tmp_path / ".local/state/iopermit"


@pytest.mark.parametrize("home", [None, "", "relative"])
def test_without_home_the_account_says_where(
    monkeypatch: pytest.MonkeyPatch, home: str | None
) -> None:
    """Without a usable HOME the home directory is the account's."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME")
    if home is not None:
        monkeypatch.setenv("HOME", home)
    account = pwd.getpwuid(os.geteuid())
    assert cache_directory() == Path(account.pw_dir) / ".cache/iopermit"


def test_no_home_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without HOME and without an account has no cache, and is told what to set."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000_000)
    with pytest.raises(UntrustedError, match="no home directory; set HOME or XDG_CACHE_HOME"):
        cache_directory()


def test_all_together_keep_500_megabytes() -> None:
    """The limits of the shelves add up to 500 MB."""
    assert machine_code().limit + kernel_builds().limit == 500_000_000
