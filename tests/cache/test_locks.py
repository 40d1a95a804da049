"""Locks between processes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from iopermit.cache.locks import locked

if TYPE_CHECKING:
    from pathlib import Path


def test_one_at_a_time(tmp_path: Path) -> None:
    """A lock that is held is not given to another, until it is free again."""
    with locked(tmp_path, "name") as mine:
        assert mine
        with locked(tmp_path, "name", wait=False) as second, locked(tmp_path, "other") as third:
            assert (second, third) == (False, True)
    with locked(tmp_path, "name", wait=False) as mine:
        assert mine


def test_a_lock_that_is_removed_while_held(tmp_path: Path) -> None:
    """Whoever waited for a file that is gone takes the lock of the new one, not of nothing."""
    held: list[bool] = []
    done = threading.Event()

    def wait() -> None:
        with locked(tmp_path, "name") as mine:
            held.append(mine)
            done.wait(30)

    with locked(tmp_path, "name"):
        thread = threading.Thread(target=wait)
        thread.start()
        (tmp_path / "name.lock").unlink()
    while not held:
        thread.join(0.01)
    with locked(tmp_path, "name", wait=False) as mine:
        assert not mine
    done.set()
    thread.join(30)
    assert not thread.is_alive()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A link in place of a lock is replaced, and where it leads nothing is made or cut."""
    (tmp_path / "precious").write_text("text")
    (tmp_path / "name.lock").symlink_to("precious")
    (tmp_path / "new.lock").symlink_to("made")
    with locked(tmp_path, "name"), locked(tmp_path, "new") as mine:
        assert mine
    assert (tmp_path / "precious").read_text() == "text"
    assert not (tmp_path / "made").exists()
