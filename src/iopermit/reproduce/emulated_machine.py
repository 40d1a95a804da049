"""A virtual machine that leaves nothing behind: no process, no socket, no file.

The first file system is in memory only, the debugger's connection is a pair of sockets without a
name, and the kernel of the host ends QEMU when this process ends, whatever ended it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Final, Self

from iopermit.reproduce.errors import ReproduceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

QEMU: Final = "qemu-system-x86_64"
MEMORY: Final = 256
"""MiB of a virtual machine."""
_PR_SET_PDEATHSIG: Final = 1
_SHOWN: Final = 8
"""Lines of the console that a message has."""
_BASE_OPTIONS: Final = "console=ttyS0 quiet panic=-1 no_timer_check"
"""Without the last one a kernel panics at boot if the host is too busy to deliver its timer in time
(check_timer() in arch/x86/kernel/apic/io_apic.c)."""


class GuestSilentError(Exception):
    """The guest did not say what was waited for; ``str()`` says how it ended."""


def find_qemu() -> str:
    """Return the path of QEMU.

    Raises:
        ReproduceError: it is missing.
    """
    found = shutil.which(QEMU)
    if found is None:
        raise ReproduceError(
            f"reproduce needs {QEMU}; on Debian and Ubuntu: apt-get install qemu-system-x86"
        )
    return found


class EmulatedMachine:
    """QEMU with a kernel, its first file system, a serial console and a debugger's socket.

    A context manager: behind it QEMU has ended.
    """

    def __init__(self, image: Path, file_system: bytes, options: str, *, cpus: int) -> None:
        """Note what is to be booted.

        Args:
            image: the kernel, a bzImage.
            file_system: its first file system (initramfs).
            options: options of the kernel beside those that the console needs.
            cpus: how many CPUs it has.
        """
        self.image, self.file_system, self.cpus = image, file_system, cpus
        self.options = f"{_BASE_OPTIONS} {options}".strip()
        self.lines: list[str] = []
        """What the console showed."""
        self._rest = b""

    def __enter__(self) -> Self:
        """Start QEMU. Raises ReproduceError if it is missing."""
        qemu = find_qemu()
        self.debugger, theirs = socket.socketpair()
        memory = os.memfd_create("initramfs")
        try:
            with os.fdopen(os.dup(memory), "wb") as stream:
                stream.write(self.file_system)
            self._process = subprocess.Popen(
                self._command(qemu, memory, theirs.fileno()),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(memory, theirs.fileno()),
                # Ctrl-C is for iopermit, which ends QEMU then.
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - no thread was started here
            )
        except BaseException:
            self.debugger.close()
            raise
        finally:
            theirs.close()
            os.close(memory)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End QEMU and whatever it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self.debugger.close()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None  # both are pipes
            with contextlib.suppress(BrokenPipeError):
                stream.close()

    def _command(self, qemu: str, memory: int, debugger: int) -> list[str]:
        return [
            *(qemu, "-accel", "tcg", "-m", str(MEMORY), "-smp", str(self.cpus)),
            *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-serial", "stdio", "-kernel", str(self.image)),
            *("-initrd", f"/proc/self/fd/{memory}", "-append", self.options),
            *("-chardev", f"socket,id=debugger,fd={debugger}", "-gdb", "chardev:debugger"),
        ]

    def say(self, text: str) -> None:
        """Type a line on the console; if QEMU has ended, whoever waits for an answer learns it."""
        stream = self._process.stdin
        assert stream is not None  # a pipe
        with contextlib.suppress(BrokenPipeError):
            stream.write(f"{text}\n".encode())
            stream.flush()

    def wait_for(self, wanted: Callable[[str], bool], seconds: float) -> None:
        """Read the console up to a wanted line.

        Raises:
            GuestSilentError: QEMU ended before, or the line did not come in time.
        """
        end, seen = time.monotonic() + seconds, 0
        while True:
            for line in self.lines[seen:]:
                seen += 1
                if wanted(line):
                    return
            if not self._read(end):
                how = f"said nothing more within {seconds:.0f} s"
                if time.monotonic() < end:
                    self._process.wait()
                    how = f"stopped (QEMU's status {self._process.returncode})"
                raise GuestSilentError(f"{how}; the console ended with:\n{self.console_end()}")

    def console_end(self) -> str:
        """Return the last lines of the console, for a message."""
        lines = [line for line in [*self.lines, self._text(self._rest)] if line.strip()]
        return "\n".join(f"    {line}" for line in lines[-_SHOWN:]) or "    (it was empty)"

    def _read(self, end: float) -> bool:
        """Read what the console has; return whether there was more before the time was over."""
        stream = self._process.stdout
        assert stream is not None  # a pipe
        ready, _, _ = select.select([stream], [], [], max(end - time.monotonic(), 0))
        content = os.read(stream.fileno(), 1 << 16) if ready else b""
        *whole, self._rest = (self._rest + content).split(b"\n")
        self.lines += map(self._text, whole)
        return bool(content)

    @staticmethod
    def _text(line: bytes) -> str:
        return line.decode(errors="replace").rstrip("\r")


def _end_with_parent() -> None:
    """Let the kernel end QEMU if this process ends before it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
