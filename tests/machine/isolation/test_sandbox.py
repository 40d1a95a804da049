"""The sandbox by itself: what a taken-over emulator, whose policy is off, can still not do."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.requirements import skip_or_fail

from iopermit.machine.isolation import sandbox
from iopermit.machine.isolation.sandbox import Protection

if TYPE_CHECKING:
    from collections.abc import Callable

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_ATTACH, SYS_PTRACE, SYS_PIDFD_OPEN, SYS_OPENAT2 = 16, 101, 434, 437
SYS_PROCESS_VM_READV, SYS_IO_URING_SETUP, SYS_BPF, SYS_MOUNT = 310, 425, 321, 165
SYS_OPEN_BY_HANDLE, SYS_UNSHARE, SYS_IOPL, SYS_IOPERM = 304, 272, 172, 173


def call(number: int, *arguments: object) -> None:
    """Make a system call. Raises OSError."""
    if LIBC.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")


def openat2(path: str) -> None:
    """Open a file by the newest system call for that. Raises OSError."""
    how = (ctypes.c_uint64 * 3)(0, 0, 0)
    call(SYS_OPENAT2, -100, path.encode(), how, 24)


def tcp(port: int) -> None:
    """Connect to a port of the host. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        # As bytes, so that no codec has to be imported.
        connection.connect((b"127.0.0.1", port))


def file_attacks(path: str, folder: str) -> dict[str, Callable[[], object]]:
    """Return attempts to reach files, which Landlock and seccomp both stop."""
    return {
        **{f"open {name}": lambda name=name: os.open(name, os.O_RDONLY)  # type: ignore[misc]  # name
           for name in (path, "/etc/passwd", "/proc/self/environ", f"/proc/{os.getppid()}/environ",
                        f"/proc/{os.getppid()}/mem", "/sys/kernel/notes", "/dev/null", "/dev/shm",
                        "/proc/self/fd", "/proc/self/root/etc/passwd", "///etc/passwd", "/")},
        "list": lambda: os.listdir("/"),
        "make": lambda: os.open(f"{folder}/new", os.O_CREAT | os.O_WRONLY),
        "openat2": lambda: openat2("/etc/passwd"),
        "mkdir": lambda: os.mkdir(f"{folder}/new"),
        "unlink": lambda: os.unlink(path),
        "rename": lambda: os.rename(path, path + "2"),
        "symlink": lambda: os.symlink("/", f"{folder}/link"),
        "execute": lambda: os.execv("/bin/true", ["true"]),
    }  # fmt: skip


def other_attacks(host: int, port: int) -> dict[str, Callable[[], object]]:
    """Return attempts to reach anything else, which seccomp stops."""
    return {
        "stat": lambda: os.stat("/etc/passwd"),
        "readlink": lambda: os.readlink("/proc/self/exe"),
        "chdir": lambda: os.chdir("/"),
        "access": lambda: os.access("/etc/passwd", os.F_OK) or (_ for _ in ()).throw(OSError),
        "fork": os.fork,
        "kill": lambda: os.kill(host, 0),
        "ptrace": lambda: call(SYS_PTRACE, PTRACE_ATTACH, host, 0, 0),
        "process_vm_readv": lambda: call(SYS_PROCESS_VM_READV, host, 0, 0, 0, 0, 0),
        "pidfd_open": lambda: call(SYS_PIDFD_OPEN, host, 0),
        "io_uring": lambda: call(SYS_IO_URING_SETUP, 1, ctypes.create_string_buffer(128)),
        "bpf": lambda: call(SYS_BPF, 0, 0, 0),
        "mount": lambda: call(SYS_MOUNT, b"proc", b"/mnt", b"proc", 0, 0),
        "open_by_handle_at": lambda: call(SYS_OPEN_BY_HANDLE, -100, 0, 0),
        "unshare": lambda: call(SYS_UNSHARE, 0),
        "iopl": lambda: call(SYS_IOPL, 0),
        "ioperm": lambda: call(SYS_IOPERM, 0x80, 1, 1),
        "tcp": lambda: tcp(port),
        **{f"socket {family}": lambda family=family: socket.socket(family, socket.SOCK_DGRAM)  # type: ignore[misc]  # family
           for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)},
        "more memory": lambda: bytearray(8 << 30),
        "more descriptors": lambda: [os.dup(0) for _ in range(5000)],
        "write to a terminal's input": lambda: fcntl.ioctl(0, 0x5412, b"x"),
        "become root": lambda: os.setresuid(0, 0, 0),
    }  # fmt: skip


def inside(attacks: dict[str, Callable[[], object]], **layers: bool) -> tuple[Protection, set[str]]:
    """Enter the sandbox in a child and try the attacks; return what is in force, what succeeded."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        report: list[Any] = []
        try:
            protection = sandbox.enter(kvm=False, **layers)
            report = [protection.__dict__, [name for name in attacks if succeeds(attacks[name])]]
        except Exception as error:  # noqa: BLE001 - the parent tells what went wrong
            report = [None, repr(error)]
        finally:
            os.write(writer, json.dumps(report).encode())
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        report = json.loads(stream.read())
    os.waitpid(child, 0)
    assert report[0] is not None, report[1]
    return Protection(**report[0]), set(report[1])


def succeeds(attack: Callable[[], object]) -> bool:
    """Return whether an attack is not refused."""
    try:
        attack()
    except (OSError, MemoryError):
        return False
    return True


@pytest.fixture
def victim(tmp_path: Path) -> str:
    """Give a file of the host that everybody may read and write."""
    file = tmp_path / "file"
    file.write_text("contents")
    return str(file)


def test_nothing_of_the_host_is_reached_without_the_policy(tmp_path: Path, victim: str) -> None:
    """With the policy off, as if the emulator were taken over, every attack is refused."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        attacks = file_attacks(victim, str(tmp_path)) | other_attacks(os.getpid(), port)
        assert len(attacks) > 40
        protection, succeeded = inside(attacks)
    if protection.missing():
        skip_or_fail(f"this host has no {', no '.join(protection.missing())}")
    assert succeeded == set()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert Path(victim).read_text() == "contents"


def test_landlock_alone_stops_every_attack_on_files(tmp_path: Path, victim: str) -> None:
    """Without seccomp no file is opened, listed, made, renamed, removed or executed."""
    protection, succeeded = inside(file_attacks(victim, str(tmp_path)), seccomp=False)
    if not protection.landlock:
        skip_or_fail("this host has no Landlock")
    assert (protection.seccomp, succeeded) == (False, set())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_seccomp_alone_stops_every_attack(tmp_path: Path, victim: str) -> None:
    """Without Landlock every attack is refused as well."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        attacks = file_attacks(victim, str(tmp_path)) | other_attacks(os.getpid(), port)
        protection, succeeded = inside(attacks, landlock=False)
    if not protection.seccomp:
        skip_or_fail("this host has no seccomp")
    assert (protection.landlock, succeeded) == (0, set())


def test_without_the_sandbox_the_attacks_work(tmp_path: Path, victim: str) -> None:
    """The attacks are real: outside the sandbox most of them succeed."""
    reading = [name for name in file_attacks(victim, str(tmp_path)) if name.startswith("open ")]
    attacks = file_attacks(victim, str(tmp_path))
    worked = [name for name in reading if succeeds(attacks[name])]
    assert f"open {victim}" in worked
    assert len(worked) > len(reading) // 2
    assert succeeds(lambda: os.kill(os.getpid(), 0))
    assert succeeds(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close())


def test_only_a_single_thread_can_enter() -> None:
    """Another thread would keep its rights, so that the sandbox refuses to be entered."""
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        with pytest.raises(RuntimeError, match="second thread"):
            sandbox.enter(kvm=False)
    finally:
        over.set()
        thread.join()


def test_other_descriptors_are_closed() -> None:
    """Of the descriptors that iopermit inherited only those that it needs stay open."""
    reader, writer = os.pipe()
    extra = os.dup(reader)
    child = os.fork()
    if child == 0:
        sandbox.keep_only([writer])
        kept = (0, 1, 2, writer, reader, extra)
        states = [Path(f"/proc/self/fd/{fd}").exists() for fd in kept]
        os.write(writer, bytes(states))
        os._exit(0)
    os.close(writer)
    assert os.read(reader, 16) == bytes([1, 1, 1, 1, 0, 0])
    os.waitpid(child, 0)
    os.close(reader)
    os.close(extra)
