"""The cache of builds: complete ones only."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from iopermit.kernel.build.cache import Cache, default_cache, prepare_kept
from iopermit.kernel.errors import KernelTreeError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_published_build_is_found(tmp_path: Path) -> None:
    """What is published under a key is found under it, and the workspace is gone."""
    cache = Cache(tmp_path)
    with cache.workspace() as workspace:
        (workspace / "objects").mkdir()
        (workspace / "objects/a.o").write_text("a")
        assert cache.find("key") is None
        path = cache.publish("key", workspace / "objects")
    assert cache.find("key") == path
    assert (path / "a.o").read_text() == "a"
    assert list(tmp_path.glob("build-*")) == []


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """A workspace is removed also when the build ends by an exception."""
    cache = Cache(tmp_path)

    def build() -> None:
        with cache.workspace() as workspace:
            (workspace / "objects").mkdir()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build()
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_killed_builds_are_removed(tmp_path: Path) -> None:
    """An old workspace that no process has locked is removed by the next build; a new one stays."""
    old, new = tmp_path / "build-old", tmp_path / "build-new"
    for path in (old, new):
        path.mkdir()
    os.utime(old, (0, 0))
    with Cache(tmp_path).workspace() as workspace:
        assert {path.name for path in tmp_path.iterdir()} == {"build-new", workspace.name}


def test_a_workspace_in_use_is_not_removed(tmp_path: Path) -> None:
    """A long build's workspace is left alone by other builds."""
    cache = Cache(tmp_path)
    with cache.workspace() as first:
        os.utime(first, (0, 0))
        with cache.workspace():
            assert first.is_dir()


def test_the_default_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """XDG_CACHE_HOME says where the cache is, if it is an absolute path; else it is in ~/.cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache() == tmp_path / "xdg/iopermit/kernel"
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert default_cache() == tmp_path / ".cache/iopermit/kernel"


def test_a_directory_with_something_in_it_is_not_used(tmp_path: Path) -> None:
    """A build is kept in a new or empty directory only."""
    assert prepare_kept(tmp_path / "new").is_dir()
    (tmp_path / "new/file").write_text("")
    with pytest.raises(KernelTreeError, match="is not empty"):
        prepare_kept(tmp_path / "new")
    with pytest.raises(KernelTreeError, match=r"cannot keep the build in .*/file: "):
        prepare_kept(tmp_path / "new/file")


def test_the_last_workspaces_last(tmp_path: Path) -> None:
    """A lasting workspace is there again next time; of many the ones used last are kept."""
    cache = Cache(tmp_path)
    for number in range(6):
        with cache.lasting_workspace(str(number)) as workspace:
            (workspace / "file").write_text("")
            os.utime(workspace, (number, number))
        with cache.lasting_workspace(str(number)) as workspace:
            assert (workspace / "file").is_file()
            os.utime(workspace, (number, number))
    left = sorted(path.name for path in tmp_path.glob("base-*") if path.is_dir())
    assert left == ["base-2", "base-3", "base-4", "base-5"]
