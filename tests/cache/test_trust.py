"""Which directories can be trusted: nobody but the user and root can have written to them."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from iopermit.cache.errors import UntrustedError
from iopermit.cache.trust import safe_directory

if TYPE_CHECKING:
    from pathlib import Path

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def safe(path: Path, *, own: int = 1, create: bool = True) -> Path:
    """Return the real path of a directory that is to be trusted."""
    return safe_directory(path, own=own, create=create, variable="XDG_CACHE_HOME")


def test_what_is_missing_is_made_for_the_user_alone(tmp_path: Path) -> None:
    """Missing directories are made with mode 0700, whatever the umask allows."""
    before = os.umask(0)
    try:
        assert safe(tmp_path / "a/b/c") == (tmp_path / "a/b/c").resolve()
    finally:
        os.umask(before)
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b", "a/b/c")]
    assert modes == [0o700] * 3


def test_nothing_is_made_for_a_look(tmp_path: Path) -> None:
    """A look at a directory that does not exist makes none."""
    with pytest.raises(FileNotFoundError):
        safe(tmp_path / "a/b", create=False)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o720, 0o1777])
def test_the_directory_itself_is_written_by_the_user_only(tmp_path: Path, mode: int) -> None:
    """Group or others with write permission are named with the remedy; sticky does not help."""
    directory = tmp_path / "own"
    directory.mkdir()
    directory.chmod(mode)
    with pytest.raises(
        UntrustedError, match=r"own can be written by others; chmod go-w .*XDG_CACHE"
    ):
        safe(directory)


@pytest.mark.parametrize(("mode", "trusted"), [(0o770, False), (0o707, False), (0o1777, True)])
def test_parents(tmp_path: Path, mode: int, trusted: bool) -> None:
    """A parent that others can write to is refused unless it is sticky, like /tmp."""
    parent = tmp_path / "parent"
    (parent / "between/own").mkdir(parents=True, mode=0o700)
    parent.chmod(mode)
    if trusted:
        assert safe(parent / "between/own") == parent / "between/own"
    else:
        with pytest.raises(UntrustedError, match="parent can be written by others"):
            safe(parent / "between/own")


@needs_root
def test_another_users_directories(tmp_path: Path) -> None:
    """A directory of another user's is refused, as parent and as the directory itself."""
    (tmp_path / "home/.cache/iopermit").mkdir(parents=True, mode=0o700)
    for name in ("home/.cache/iopermit", "home"):
        os.chown(tmp_path / name, 1000, 1000)
        with pytest.raises(
            UntrustedError, match=f"{name} belongs to user 1000, and this is user 0"
        ):
            safe(tmp_path / "home/.cache/iopermit")
        os.chown(tmp_path / name, 0, 0)
    assert safe(tmp_path / "home/.cache/iopermit")


def test_another_user_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What belongs to this user is refused where another user runs."""
    safe(tmp_path / "own")
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(
        UntrustedError, match=f"belongs to user {owner}, and this is user {owner + 1}"
    ):
        safe(tmp_path / "own")


def test_links_of_the_user_are_followed_to_safe_places(tmp_path: Path) -> None:
    """A link above the own directories is followed; where it leads has to be safe as well."""
    (tmp_path / "disk/open").mkdir(parents=True)
    (tmp_path / "disk/safe").mkdir()
    (tmp_path / "disk/open").chmod(0o777)
    (tmp_path / "link").symlink_to("disk/../disk/safe")
    (tmp_path / "absolute").symlink_to(tmp_path / "link")
    (tmp_path / "bad").symlink_to(tmp_path / "disk/open")
    assert safe(tmp_path / "absolute/own") == tmp_path / "disk/safe/own"
    with pytest.raises(UntrustedError, match="disk/open can be written by others"):
        safe(tmp_path / "bad/own")


@needs_root
def test_a_link_of_another_user(tmp_path: Path) -> None:
    """A link that another user made in a sticky directory is not followed."""
    (tmp_path / "safe").mkdir()
    (tmp_path / "link").symlink_to("safe")
    os.chown(tmp_path / "link", 1000, 1000, follow_symlinks=False)
    with pytest.raises(UntrustedError, match="link belongs to user 1000"):
        safe(tmp_path / "link/own")


def test_the_own_directories_are_no_links(tmp_path: Path) -> None:
    """A link in place of the directory itself, as a restored archive may have it, is refused."""
    (tmp_path / "target/kernel").mkdir(parents=True)
    (tmp_path / "iopermit").symlink_to("target")
    for own, name in ((1, "iopermit"), (2, "iopermit/kernel")):
        with pytest.raises(UntrustedError, match="iopermit is a symbolic link"):
            safe(tmp_path / name, own=own)


def test_links_in_a_circle_and_files(tmp_path: Path) -> None:
    """Links without an end and files in the way are errors as they are elsewhere."""
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        safe(tmp_path / "circle/own")
    for name in ("file/own", "file"):
        with pytest.raises(NotADirectoryError):
            safe(tmp_path / name)
