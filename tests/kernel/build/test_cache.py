"""The cache of builds: complete ones only, and only what is as it was left."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.cache.keys import KEY, OTHER_KEY

from iopermit.cache import errors
from iopermit.cache.entry import Origin
from iopermit.kernel.build.cache import Cache, open_cache, prepare_kept
from iopermit.kernel.errors import KernelTreeError

if TYPE_CHECKING:
    from collections.abc import Callable

BUILD = Origin("kernel build", "b" * 32, "gcc 12")
WORKSPACE = Origin("kernel workspace", "c" * 32, "gcc 12")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """Give an empty cache."""
    root = tmp_path / "kernel"
    root.mkdir(0o700)
    return Cache(root, KEY, 1 << 30)


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test see the lines that a process says once."""
    monkeypatch.setattr(errors, "_said", set())


def published(cache: Cache, origin: Origin = BUILD, text: str = "code") -> Path:
    """Publish a build of two objects."""
    with cache.workspace() as workspace:
        (workspace / "objects/kernel").mkdir(parents=True)
        (workspace / "objects/kernel/a.o").write_text(text)
        (workspace / "objects/b.o").write_text(text)
        return cache.publish(origin, workspace / "objects")


def names(cache: Cache) -> list[str]:
    """Return what is in the cache but for locks."""
    return sorted(path.name for path in cache.root.iterdir() if path.suffix != ".lock")


def test_a_published_build_is_found(cache: Cache) -> None:
    """What is published is found by its origin, and the workspace is gone."""
    assert cache.find(BUILD) is None
    path = published(cache)
    assert cache.find(BUILD) == path
    assert (path / "kernel/a.o").read_text() == "code"
    assert names(cache) == [BUILD.made_of]


def test_a_build_that_fails_leaves_nothing(cache: Cache) -> None:
    """A workspace is removed also when the build ends by an exception."""

    def build() -> None:
        with cache.workspace() as workspace:
            (workspace / "objects").mkdir()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build()
    assert list(cache.root.iterdir()) == []


def test_leftovers_of_killed_builds_are_removed(cache: Cache) -> None:
    """An old workspace that no process has locked is removed by the next build; a new one stays."""
    old, new = cache.root / "build-old", cache.root / "build-new"
    for path in (old, new):
        path.mkdir()
    os.utime(old, (0, 0))
    with cache.workspace() as workspace:
        assert {path.name for path in cache.root.iterdir()} == {"build-new", workspace.name}


def test_a_workspace_in_use_is_not_removed(cache: Cache) -> None:
    """A long build's workspace is left alone by other builds."""
    with cache.workspace() as first:
        os.utime(first, (0, 0))
        with cache.workspace():
            assert first.is_dir()


def replace_by_pipe(path: Path) -> None:
    """Put a pipe in place of an object."""
    (path / "b.o").unlink()
    os.mkfifo(path / "b.o")


def replace_by_link(path: Path) -> None:
    """Put a link in place of a build."""
    path.symlink_to(path.rename(path.parent.parent / "away"))


def relink(path: Path) -> None:
    """Let the link of a workspace lead elsewhere."""
    (path / "source").unlink()
    (path / "source").symlink_to("/tmp")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: (path / "b.o").write_bytes(b""),
    "flipped": lambda path: (path / "b.o").write_text("cod\x64"),
    "another's": lambda path: (path / "b.o").write_text("more"),
    "missing": lambda path: (path / "b.o").unlink(),
    "added": lambda path: (path / "c.o").write_text("code"),
    "pipe": replace_by_pipe,
    "open to others": lambda path: path.chmod(0o777),
    "link": replace_by_link,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_build_is_made_anew(
    cache: Cache, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A build that is not what was published is not found, with one line; the next replaces it."""
    path = published(cache)
    DAMAGE[damage](path)
    assert [cache.find(BUILD), cache.find(BUILD)] == [None, None]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"iopermit: a cached build ({BUILD.made_of}) is not used: ")
    assert published(cache) == cache.find(BUILD) == path
    assert path.is_dir()
    assert not path.is_symlink()
    assert names(cache) == [BUILD.made_of]


@pytest.mark.parametrize(
    "other",
    [
        BUILD._replace(made_of="d" * 32),
        BUILD._replace(toolchain="gcc 13"),
        BUILD._replace(kind="kernel workspace"),
    ],
)
def test_another_build_under_this_name(cache: Cache, other: Origin) -> None:
    """The build of another tree or compiler is not taken for this one."""
    path = published(cache, other)
    path.rename(cache.root / BUILD.made_of)
    assert cache.find(BUILD) is None


def test_builds_of_another_key(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    """What another key sealed, as in a restored cache, is neither used nor executed."""
    other = replace(cache, key=OTHER_KEY)
    published(other)
    with other.lasting_workspace(WORKSPACE) as workspace:
        (workspace / "fixdep").write_text("a program")
    assert cache.find(BUILD) is None
    with cache.lasting_workspace(WORKSPACE) as workspace:
        assert list(workspace.iterdir()) == []
    (line,) = capsys.readouterr().err.splitlines()
    assert "sealed with another key; it is made anew" in line


def test_the_oldest_builds_go_first(cache: Cache) -> None:
    """Beyond the limit builds are removed, but for those that were used just now."""
    small = replace(cache, limit=1000)
    for number in range(5):
        path = published(small, BUILD._replace(made_of=str(number)))
        if number != 3:
            os.utime(path, (number, number))
    assert names(small) == ["3", "4"]


def test_a_directory_with_something_in_it_is_not_used(tmp_path: Path) -> None:
    """A build is kept in a new or empty directory only."""
    assert prepare_kept(tmp_path / "new").is_dir()
    (tmp_path / "new/file").write_text("")
    with pytest.raises(KernelTreeError, match="is not empty"):
        prepare_kept(tmp_path / "new")
    with pytest.raises(KernelTreeError, match=r"cannot keep the build in .*/file: "):
        prepare_kept(tmp_path / "new/file")


def left(workspace: Path) -> None:
    """Leave in a workspace what a build leaves: a program, a link."""
    (workspace / "fixdep").write_text("a program")
    (workspace / "fixdep").chmod(0o755)
    (workspace / "source").symlink_to("/usr/src")


def test_the_last_workspaces_last(cache: Cache) -> None:
    """A lasting workspace is there again next time; of many the ones used last are kept."""
    for number in range(6):
        origin = WORKSPACE._replace(made_of=str(number))
        with cache.lasting_workspace(origin) as workspace:
            left(workspace)
        with cache.lasting_workspace(origin) as workspace:
            assert (workspace / "fixdep").is_file()
        os.utime(workspace, (number, number))
    with cache.lasting_workspace(WORKSPACE._replace(made_of="5")):
        pass
    assert names(cache) == ["base-2", "base-3", "base-4", "base-5"]


TAMPERING: dict[str, Callable[[Path], object]] = {
    "program": lambda path: (path / "fixdep").write_text("another"),
    "link": relink,
    "added": lambda path: (path / "GNUmakefile").write_text("all:"),
    "open to others": lambda path: path.chmod(0o777),
}


@pytest.mark.parametrize("tampering", TAMPERING)
def test_a_workspace_that_was_changed_is_emptied(cache: Cache, tampering: str) -> None:
    """Kbuild's own programs are executed: of a changed workspace nothing is left."""
    with cache.lasting_workspace(WORKSPACE) as workspace:
        left(workspace)
    TAMPERING[tampering](workspace)
    with cache.lasting_workspace(WORKSPACE) as workspace:
        assert list(workspace.iterdir()) == []
        assert stat.S_IMODE(workspace.stat().st_mode) == 0o700


def test_a_workspace_that_is_a_link(cache: Cache, tmp_path: Path) -> None:
    """A link in place of a workspace is removed; where it leads nothing is changed."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").touch()
    (cache.root / f"base-{WORKSPACE.made_of}").symlink_to(tmp_path / "precious")
    with cache.lasting_workspace(WORKSPACE) as workspace:
        left(workspace)
    assert [path.name for path in (tmp_path / "precious").iterdir()] == ["file"]


def test_an_interrupted_workspace_is_emptied(cache: Cache) -> None:
    """After Ctrl-C nobody knows what is in a workspace; after a compiler error one does."""

    def end(error: type[BaseException]) -> None:
        with cache.lasting_workspace(WORKSPACE) as workspace:
            left(workspace)
            raise error

    for error, kept in ((KernelTreeError, True), (KeyboardInterrupt, False)):
        with pytest.raises(error):
            end(error)
        with cache.lasting_workspace(WORKSPACE) as workspace:
            assert (workspace / "fixdep").exists() == kept
            (workspace / "fixdep").unlink(missing_ok=True)
            (workspace / "source").unlink(missing_ok=True)


def test_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default builds are in the user's cache, sealed with the account's key."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("IOPERMIT_CACHE_KEY", raising=False)
    opened = open_cache()
    assert opened.root == tmp_path / "xdg/iopermit/kernel"
    assert opened.key.source == str(tmp_path / "state/iopermit/cache.key")


def test_a_directory_that_others_write_to_is_not_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Instead a directory of this process alone is used, with a key of its own; a line says so."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    opened = open_cache(tmp_path / "open")
    assert f"the cache is not used: {tmp_path}/open can be written by" in capsys.readouterr().err
    assert opened.root.parent != tmp_path
    assert stat.S_IMODE(opened.root.stat().st_mode) == 0o700
    assert opened.key.source == "this process"
    assert published(opened) == opened.find(BUILD)
    assert list((tmp_path / "open").iterdir()) == []


def test_the_directory_of_one_process_goes_with_it(tmp_path: Path) -> None:
    """A directory for one process is removed when that ends, not when a child of it does."""
    code = (
        "import os, sys\nfrom pathlib import Path\n"
        "from iopermit.kernel.build.cache import open_cache\n"
        "opened = open_cache(Path(sys.argv[1]))\n"
        "if os.fork() == 0: sys.exit()\n"
        "os.wait()\nprint(opened.root.is_dir(), opened.root)\n"
    )
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    command = [sys.executable, "-c", code, str(tmp_path / "open")]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    there, root = ran.stdout.split()
    assert there == "True"
    assert not Path(root).exists()


def test_nowhere_to_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If others can write to the directory for temporary files, too, nothing is built."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "open"))
    with pytest.raises(KernelTreeError, match=r"no directory to build in: .*open can be written"):
        open_cache(tmp_path / "open")
