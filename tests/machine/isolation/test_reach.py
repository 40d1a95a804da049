"""No program reaches the host's kernel trees, processes, devices, network, or anyone's secrets."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.machine.cache import PROGRAMS, compiled
from tests.support.machine.kvm import BACKENDS, require_backend
from tests.support.machine.public import public_folder
from tests.support.machine.running import iopermit_run
from tests.support.requirements import require_tool

from iopermit.machine import run
from iopermit.machine.file_status import FileStatus
from iopermit.machine.isolation.broker import HostFiles
from iopermit.machine.isolation.walks import Answer, Walk
from iopermit.machine.tasks import own_trees

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK: Final = "iopermit-test-secret"
SHARED: Final = Path("/dev/shm")


@dataclass(frozen=True)
class Target:
    """What the test has put on the host: a folder, a process, and what to try."""

    folder: Path
    process: int
    attempts: list[str]


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    """Put secrets, links and a process on the host, and take them away again."""
    secret = SHARED / f"iopermit-test-{os.getpid()}"
    with (
        public_folder() as folder,
        subprocess.Popen([sys.executable, "-c", "input()", MARK], stdin=subprocess.PIPE,
                         env={MARK: MARK}) as process,
    ):  # fmt: skip
        mounts = [folder / "mounted-proc", folder / "mounted-shm", folder / "mounted-dev"]
        try:
            secret.write_text(MARK)
            fill(folder, secret)
            mounted = [bind(source, at) for source, at in zip(("/proc", SHARED, "/dev"), mounts,
                                                              strict=True)]  # fmt: skip
            assert any(mounted) or mounted == [False] * 3
            yield Target(folder, process.pid, attempts(folder, process.pid, secret))
        finally:
            for mount in mounts:
                subprocess.run(
                    [require_tool("umount"), "-l", mount], check=False, capture_output=True
                )
            secret.unlink()
            process.kill()


def fill(folder: Path, secret: Path) -> None:
    """Put files of root and of another user there, and links to what is forbidden.

    Who is not root cannot make them: then these files have nothing to hide.
    """
    root = os.geteuid() == 0
    for name, mode, owner in (("root", 0o600, 0), ("user", 0o600, 1234), ("group", 0o640, 0)):
        (folder / name).write_text(MARK if root else "nothing")
        (folder / name).chmod(mode)
        if root:
            os.chown(folder / name, owner, owner)
    closed = folder / "closed"
    closed.mkdir(0o700)
    (closed / "file").write_text(MARK if root else "nothing")
    for name, mode in (("run", 0o700), ("closed/run", 0o755)):
        (folder / name).write_text(f"#!/bin/sh\nexit {42 * root}\n")
        (folder / name).chmod(mode)
    links = {
        "proc": "/proc", "shm": str(SHARED), "secret": str(secret), "dev": "/dev", "sys": "/sys",
        "relative": "../" * 12 + str(secret).lstrip("/"), "chain": "shm", "loop": "loop",
        "dots": "closed/../../../../../../../dev/shm", "slash": "//dev//shm/", "kvm": "/dev/kvm",
        "self": "/proc/self/root", "hidden": "closed/file",
    }  # fmt: skip
    for name, leads_to in links.items():
        (folder / name).symlink_to(leads_to)
    os.mkfifo(folder / "fifo")
    if root:
        os.mknod(folder / "null", 0o666 | 0o020000, os.makedev(1, 3))
    (folder / "plain").mkdir()
    (folder / "plain" / "file").write_text("nothing")


def bind(source: object, at: Path) -> bool:
    """Mount a tree of the host once more; return whether that is possible here."""
    at.mkdir()
    done = subprocess.run(
        [require_tool("mount"), "--bind", str(source), at], check=False, capture_output=True
    )
    return done.returncode == 0


def attempts(folder: Path, process: int, secret: Path) -> list[str]:
    """Return what the program is to try."""
    name, home = secret.name, f"/proc/{process}"
    reads = [
        *(f"{start}{home}/{file}" for file in ("environ", "cmdline", "mem", "maps", "auxv")
          for start in ("", "/", "//", "/.", "/usr/..", "/tmp/..", f"{folder}/../../..")),
        *(f"{start}{secret}" for start in ("", "/", "//", "/./", "/tmp/..", "/proc/self/root",
                                           "/proc/self/cwd", "/dev/fd/..")),
        *(f"{folder}/{link}/{name}" for link in ("shm", "chain", "dots", "slash", "mounted-shm",
                                                "mounted-dev/shm", "dev/shm", "self/dev/shm")),
        *(f"{folder}/{file}" for file in ("root", "user", "group", "closed/file", "secret",
                                         "relative", "secret/", "relative/.", "plain/../root",
                                         "plain/../closed/../closed/file", "closed/", "hidden")),
        *(f"{folder}/{link}/{process}/environ" for link in ("proc", "mounted-proc", "self/proc")),
        f"{folder}/mounted-proc/{process}/root{folder}/root",
        f"{folder}/mounted-proc/self/cwd/root", f"/proc/{process}/cwd", f"{folder}/loop",
        f"/proc/{process}/fd/0", f"/proc/self/task/{process}/environ", str(SHARED), f"{SHARED}/",
        f"{folder}/mounted-shm", f"{folder}/shm/", "/etc/shadow", "/etc/gshadow",
    ]  # fmt: skip
    absent = [
        "/dev/kvm", "//dev/kvm", "/dev/../dev/kvm", f"{folder}/kvm", f"{folder}/dev/kvm",
        "/sys/kernel/notes", "//sys/kernel", f"{folder}/sys/kernel", "/sys/class", "/dev/sda",
        "/dev/net/tun", "/dev/fuse", "/proc/kcore", "//proc/kcore", "/proc/1", "/proc/1/root",
        "/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/kallsyms", "/dev/vda",
        f"/proc/{process}", f"/proc/{process}/../{process}/root", f"{folder}/mounted-proc/1",
        f"{folder}/mounted-dev/null", f"{folder}/mounted-proc/kcore",
    ]  # fmt: skip
    runs = ["run", "closed/run", "secret", "fifo", "null", "plain", "mounted-dev/null"]
    return [
        *(f"read:{path}" for path in reads),
        *(f"exist:{path}" for path in absent),
        *(f"exec:{folder}/{path}" for path in runs),
    ]


@pytest.mark.parametrize("cpu", BACKENDS)
@pytest.mark.parametrize("root", [(), ("--root", "/")], ids=["host", "root"])
@pytest.mark.parametrize("user", [(), ("--user",)], ids=["as-root", "as-user"])
@pytest.mark.parametrize("sandbox", ["auto", "off"])
def test_nothing_forbidden_is_reached(
    cpu: str, root: tuple[str, ...], user: tuple[str, ...], sandbox: str, target: Target
) -> None:
    """No spelling, link, mount, descriptor or system call does; nor without the sandbox."""
    require_backend(cpu)
    program = compiled(PROGRAMS / "reach.c", "-static")
    assert len(target.attempts) > 100
    ran = iopermit_run(
        "--cpu", cpu, *root, *user, "--sandbox", sandbox, "--timeout", "200",
        program, MARK, str(target.process), *target.attempts,
    )  # fmt: skip
    assert "REACHED" not in ran.output
    assert ran.output.endswith("things\n"), ran
    assert ran.status == 0


class UncheckedFiles(HostFiles):
    """An emulator that opens every path of the host itself: the policy is off."""

    def walk(self, walk: Walk) -> Answer:
        """Open the path as it is, as the process that runs this may."""
        path = "/" + "/".join(walk.path)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            found = os.fstat(descriptor)
            if stat.S_ISDIR(found.st_mode):
                entries = sorted((name, 1, 0) for name in os.listdir(descriptor))
                return Answer(path=list(walk.path), status=FileStatus.of(found), entries=entries)
        except OSError as error:
            return Answer(error.errno or errno.EIO)
        return Answer(path=list(walk.path), status=FileStatus.of(found), descriptor=descriptor)


@pytest.mark.parametrize("cpu", BACKENDS)
def test_the_sandbox_stops_the_same_attacks_without_the_policy(
    cpu: str, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the broker and the machine's own trees out of the way, nothing is reached either."""
    require_backend(cpu)
    monkeypatch.setattr(run, "HostFiles", UncheckedFiles)
    monkeypatch.setattr(own_trees, "set_up", lambda _machine: None)
    program = compiled(PROGRAMS / "reach.c", "-static")
    words: list[str | Path] = [program, MARK, str(target.process), *target.attempts]
    ran = iopermit_run("--cpu", cpu, "--sandbox", "on", "--timeout", "200", *words)
    assert "REACHED" not in ran.output
    assert ran.output.endswith("things\n"), ran
    if cpu == "unicorn":
        off = iopermit_run("--sandbox", "off", "--timeout", "200", *words)
        assert off.output.count("REACHED") > 50


def test_a_tree_of_its_own_shows_nothing_else(target: Target) -> None:
    """With --root DIR neither links nor dots lead out of the directory."""
    program = target.folder / "reach"
    program.write_bytes(compiled(PROGRAMS / "reach.c", "-static").read_bytes())
    program.chmod(0o755)
    outside = ["read:/etc/passwd", "exist:/bin/sh", "exist:/../../bin/sh", "exist:/usr",
               "exist:/plain/../../../../../../etc/passwd"]  # fmt: skip
    ran = iopermit_run(
        "--root", target.folder, "/reach", "root:x:0", str(target.process),
        *outside, *(attempt.replace(str(target.folder), "") for attempt in target.attempts),
    )  # fmt: skip
    assert "REACHED" not in ran.output
    assert ran.status == 0, ran


@pytest.mark.parametrize("user", [(), ("--user",)], ids=["as-root", "as-user"])
def test_what_is_renamed_while_it_is_walked_is_not_reached(
    user: tuple[str, ...], target: Target
) -> None:
    """A directory that becomes a link, or another directory, meanwhile leads nowhere forbidden."""
    folder = target.folder / "race"
    folder.mkdir(exist_ok=True)
    good, bad, name = folder / "good", folder / "bad", folder / "name"
    good.mkdir(exist_ok=True)
    (good / "file").write_text("nothing")
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            for leads_to in (good, target.folder / "closed", SHARED, Path("/proc/self")):
                bad.unlink(missing_ok=True)
                bad.symlink_to(leads_to)
                bad.replace(name)

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        program = compiled(PROGRAMS / "reach.c", "-static")
        secrets = [
            f"race:{name}/{file}" for file in ("file", f"iopermit-test-{os.getpid()}", "environ")
        ]
        ran = iopermit_run(
            *user, program, MARK, str(target.process), *secrets, environment={"X": "nothing"}
        )
    finally:
        over.set()
        swapping.join()
    assert "REACHED" not in ran.output
    assert ran.status == 0, ran


def test_the_host_is_not_written_to() -> None:
    """What a program makes, changes and removes in /tmp is gone at the end, on the host never."""
    name = f"iopermit-test-{os.getpid()}"
    script = (
        f"cd /tmp && mkdir {name} && echo text > {name}/file && mv {name}/file {name}/other && "
        f"cat {name}/other && rm -r {name} && echo more > {name} && cat {name} && "
        "{ echo x > /etc/new; } 2>&1 | grep -c Read-only"
    )
    ran = iopermit_run("/bin/bash", "-c", script)
    assert (ran.output, ran.status) == ("text\nmore\n1\n", 0), ran
    assert not Path("/tmp", name).exists()
    assert not Path("/etc/new").exists()


def test_a_file_that_only_root_may_read_is_shown_on_demand() -> None:
    """With --as-root-files, and without --user, such a file is read; otherwise it is not."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to read what only root may")
    with public_folder() as folder:
        secret = folder / "file"
        secret.write_text(MARK)
        secret.chmod(0o600)
        assert iopermit_run("--as-root-files", "/bin/cat", secret).output == MARK
        for options in ((), ("--user",), ("--user", "--as-root-files")):
            ran = iopermit_run(*options, "/bin/cat", secret)
            assert ran.output == ""
            assert "Permission denied" in ran.errors


def test_user_has_no_raw_io() -> None:
    """With --user ioperm fails with EPERM; the design refuses it, not the machine."""
    program = compiled(PROGRAMS / "string_io.c", "-static")
    ran = iopermit_run("--user", "--strace", program)
    assert "ioperm(0x80, 8, 1)                      = -1 EPERM" in ran.errors
    assert ran.status == 139
