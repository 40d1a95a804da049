"""Builds in bubblewrap: what they can reach, and what is said where it does not work."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.requirements import require_sandbox, require_tool

from iopermit.kernel.build.kbuild import Kbuild
from iopermit.kernel.build.sandbox import BuildSandbox, find_sandbox
from iopermit.kernel.build.toolchain import Toolchain
from iopermit.kernel.errors import KernelTreeError

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.fixture
def sandbox() -> BuildSandbox:
    """Give a sandbox, or skip the test, saying why there is none."""
    return require_sandbox()


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """Give the directory of a build, beside other ones."""
    for name in ("build/tmp", "tree", "secrets"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "tree/Makefile").write_text("all:\n")
    (tmp_path / "secrets/key").write_text("secret\n")
    return tmp_path / "build"


def inside(sandbox: BuildSandbox, build: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Execute a command as a build does."""
    tree = build.parent / "tree"
    prefix = sandbox.command([tree], build, build / "tmp", {"PATH": os.environ["PATH"]})
    return subprocess.run([*prefix, *command], capture_output=True, text=True, check=False)


def test_a_build_writes_to_its_directory_only(sandbox: BuildSandbox, build: Path) -> None:
    """Its own directory and its own /tmp take files; the tree, the system and / do not."""
    for place in (build, "/tmp"):
        assert inside(sandbox, build, "sh", "-c", f"echo x > {place}/new").returncode == 0
    assert (build / "new").exists()
    assert (build / "tmp/new").exists()
    for place in (build.parent / "tree", "/usr", "/", "/etc", "/dev/shm", "/var"):
        done = inside(sandbox, build, "sh", "-c", f"echo x > {place}/new")
        assert done.returncode != 0, place
    assert sorted(entry.name for entry in build.parent.iterdir()) == ["build", "secrets", "tree"]


def test_a_build_sees_the_tree_and_no_other_files(sandbox: BuildSandbox, build: Path) -> None:
    """The tree can be read; what lies beside it, home directories and passwords are not there."""
    assert inside(sandbox, build, "cat", str(build.parent / "tree/Makefile")).stdout == "all:\n"
    for path in (build.parent / "secrets/key", Path.home(), "/etc/passwd", "/run", "/sys"):
        done = inside(sandbox, build, "ls", str(path))
        assert (done.returncode != 0, done.stdout) == (True, ""), path


def test_a_build_reaches_no_network(sandbox: BuildSandbox, build: Path) -> None:
    """A server of the host, which others reach, cannot be reached."""
    require_tool("bash")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        command = ["bash", "-c", f"echo x > /dev/tcp/127.0.0.1/{port}"]
        assert subprocess.run(command, check=False).returncode == 0
        assert inside(sandbox, build, *command).returncode != 0


def test_a_build_sees_no_variable_of_the_caller(
    sandbox: BuildSandbox, build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token in the environment is not handed on; the home directory is the build's."""
    monkeypatch.setenv("TOKEN", "secret")
    shown = inside(sandbox, build, "env").stdout
    assert "secret" not in shown
    assert f"HOME={build}\n" in shown


def test_a_build_sees_no_process_of_the_host(sandbox: BuildSandbox, build: Path) -> None:
    """/proc shows what was started in the sandbox, and nothing else."""
    done = inside(sandbox, build, "sh", "-c", "cat /proc/[0-9]*/comm")
    assert set(done.stdout.split()) <= {"bwrap", "sh", "cat"}
    assert "sh" in done.stdout


def test_make_runs_in_the_sandbox(sandbox: BuildSandbox, tmp_path: Path) -> None:
    """The tree's own Makefile is executed there: it can write to its build only."""
    require_tool("make")
    for name in ("source", "build"):
        (tmp_path / name).mkdir()
    (tmp_path / "source/Makefile").write_text(
        f"x.o:\n\techo built > $(O)/x.o\n\techo out > {tmp_path}/out || true\n"
    )
    kbuild = Kbuild(tmp_path / "source", tmp_path / "build", Toolchain("cc", ()), sandbox)
    assert kbuild.build(["x.o"]) is None
    assert kbuild.read("x.o") == b"built\n"
    assert not (tmp_path / "out").exists()


def a_bwrap_that_fails(directory: Path) -> str:
    """Write a bwrap that works as little as where user namespaces are forbidden."""
    (directory / "bwrap").write_text("#!/bin/sh\necho 'bwrap: No permissions' >&2\nexit 1\n")
    (directory / "bwrap").chmod(0o755)
    return str(directory)


@pytest.mark.parametrize("has", [True, False])
def test_where_bubblewrap_does_not_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has: bool
) -> None:
    """By default it builds without and says why; with `on` it does not build."""
    monkeypatch.setenv("PATH", a_bwrap_that_fails(tmp_path) if has else str(tmp_path))
    why = "does not work here: bwrap: No permissions" if has else "apt-get install bubblewrap"
    found = find_sandbox("auto")
    assert (found.program, why in found.why_not) == (None, True)
    assert found.command([tmp_path], tmp_path, tmp_path, {}) == []
    with pytest.raises(KernelTreeError, match=f"--sandbox on: .*{why}"):
        find_sandbox("on")


def test_no_sandbox_is_wanted() -> None:
    """With `off` nothing is looked for, and nothing said."""
    assert find_sandbox("off") == BuildSandbox()


def shown(arguments: Sequence[str]) -> set[str]:
    """Return what a command line of bubblewrap shows read-only."""
    return {arguments[at + 1] for at, word in enumerate(arguments) if word == "--ro-bind"}


def test_a_compiler_of_ones_own_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory that a compiler was installed to is shown, but never a home directory."""
    monkeypatch.setenv("HOME", str(tmp_path))
    bwrap = tmp_path / "bwrap"
    bwrap.write_text("#!/bin/sh\n")
    bwrap.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    programs = [tmp_path / "gcc-14/bin/gcc", tmp_path / "bin/ld", tmp_path / "make"]
    found = find_sandbox("on", programs)
    seen = shown(found.command([], tmp_path / "b", tmp_path / "b/tmp", {}))
    assert {str(tmp_path / "gcc-14"), str(tmp_path / "bin"), str(tmp_path / "make")} <= seen
    assert str(tmp_path) not in seen
