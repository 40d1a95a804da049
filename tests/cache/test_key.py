"""The key of seals: from the environment, or the account's own, outside of the cache."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from iopermit.cache import key as keys
from iopermit.cache.errors import UntrustedError
from iopermit.cache.files import write_own
from iopermit.cache.key import fresh_key, sealing_key

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the file of a key that does not exist yet, and no secret in the environment."""
    monkeypatch.delenv("IOPERMIT_CACHE_KEY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "iopermit/cache.key"


def test_the_accounts_own_key(state: Path) -> None:
    """It is made once, for the user alone, outside of the cache, and not shown by repr()."""
    first, second = sealing_key(), sealing_key()
    assert first == second
    assert first.source == str(state)
    assert state.stat().st_mode & 0o777 == 0o600
    assert len(first.secret) == 32
    assert repr(first.secret) not in repr(first)
    assert fresh_key().secret != first.secret
    assert first.id != fresh_key().id


def test_no_key_is_made_for_a_look(state: Path) -> None:
    """Whoever only looks makes none."""
    with pytest.raises(FileNotFoundError):
        sealing_key(create=False)
    assert not state.parent.exists()


@pytest.mark.parametrize("damage", [b"", b"abcd\n", b"z" * 65, bytes(range(200, 256))])
def test_a_damaged_key_is_replaced(state: Path, damage: bytes) -> None:
    """A key that is no key any more is made anew, once."""
    before = sealing_key()
    state.write_bytes(damage)
    after = sealing_key()
    assert after != before
    assert after == sealing_key()


def test_a_key_that_others_can_read_is_replaced(state: Path) -> None:
    """A key that others could have read is none any more."""
    before = sealing_key()
    state.chmod(0o640)
    assert sealing_key() != before
    assert state.stat().st_mode & 0o777 == 0o600


def test_a_link_in_place_of_the_key(state: Path, tmp_path: Path) -> None:
    """A link in place of the key is not followed, and the line names it."""
    state.parent.mkdir(mode=0o700)
    (tmp_path / "known").write_bytes(b"0" * 64)
    state.symlink_to(tmp_path / "known")
    with pytest.raises(UntrustedError, match=r"key cannot be kept in .*cache.key: Too many levels"):
        sealing_key()


def test_where_no_key_can_be_kept(state: Path, tmp_path: Path) -> None:
    """A file in the way, or a directory that others write to, is a reason not to use the cache."""
    (tmp_path / "iopermit").touch()
    with pytest.raises(UntrustedError, match=r"its key cannot be kept in .*; set XDG_STATE_HOME"):
        sealing_key()
    state.parent.unlink()
    state.parent.mkdir()
    state.parent.chmod(0o777)
    with pytest.raises(UntrustedError, match=r"can be written by others.*XDG_STATE_HOME"):
        sealing_key()


def test_two_processes_at_once_have_one_key() -> None:
    """Processes that need a key at the same time all get the same."""
    code = "from iopermit.cache.key import sealing_key; print(sealing_key().id)"
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    assert len({process.communicate()[0] for process in started}) == 1
    assert {process.returncode for process in started} == {0}


def test_a_slower_process_takes_the_key_of_the_faster(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If another key appears just before this one is kept, that one is used."""
    other = "ab" * 32

    def late(file: Path, content: bytes, *, replace: bool = True) -> None:
        if not replace:
            write_own(file, other.encode())
        write_own(file, content, replace=replace)

    monkeypatch.setattr(keys, "write_own", late)
    assert sealing_key().secret == bytes.fromhex(other)
    assert state.read_text() == other


def test_a_secret_in_the_environment(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret is used instead of the account's key, which is not made; others are other keys."""
    found = []
    for secret in ("s" * 32, "t" * 32):
        monkeypatch.setenv("IOPERMIT_CACHE_KEY", secret)
        found.append(sealing_key())
    assert found[0].source == "IOPERMIT_CACHE_KEY"
    assert found[0].id != found[1].id
    assert not state.exists()
    monkeypatch.setenv("IOPERMIT_CACHE_KEY", "")
    assert sealing_key().source == str(state)


def test_a_secret_that_is_too_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that could be found by trying is refused, with a way to make one."""
    monkeypatch.setenv("IOPERMIT_CACHE_KEY", "s" * 31)
    with pytest.raises(UntrustedError, match="has 31 characters, and needs 32 or more; make one"):
        sealing_key()


def test_a_read_only_directory(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be written the cache is not used, and the line says why."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, os.strerror(13), str(state))

    monkeypatch.setattr(keys, "write_own", refuse)
    with pytest.raises(UntrustedError, match=f"cannot be kept in {state}: Permission denied"):
        sealing_key()
