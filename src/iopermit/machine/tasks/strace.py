"""Prints system calls, port accesses and signals in the style of strace(1)."""

from __future__ import annotations

import errno as errno_names
import signal
from typing import TYPE_CHECKING, Final, TextIO

from iopermit.machine.memory.areas import BadAddressError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.machine.tasks.process import SignalInfo, UserTask

_NUMBERS: Final = frozenset(
    [
        "fd",
        "dirfd",
        "oldfd",
        "newfd",
        "count",
        "size",
        "length",
        "level",
        "num",
        "pid",
        "tid",
        "who",
        "tgid",
        "uid",
        "euid",
        "suid",
        "gid",
        "egid",
        "sgid",
        "status",
        "signal",
        "offset",
        "whence",
        "mode",
        "turn_on",
        "nfds",
        "timeout",
        "value",
    ]
)
_STRINGS: Final = frozenset({"path", "target", "newpath"})
_TEXT_LIMIT: Final = 64
_BUFFER_LIMIT: Final = 32


class Strace:
    """Writes lines to a stream; nothing without a stream."""

    def __init__(self, stream: TextIO | None) -> None:
        """Write to `stream`, or nowhere."""
        self._stream = stream

    def enter(
        self, task: UserTask, name: str, parameters: Sequence[str], arguments: Sequence[int]
    ) -> None:
        """Note a system call: its name, and the names and the values of its arguments."""
        if self._stream is None:
            return
        values = dict(zip(parameters, arguments, strict=True))
        shown = [self._argument(task, parameter, values) for parameter in parameters]
        task.traced = f"{name}({', '.join(shown)})"

    def leave(self, task: UserTask, result: int | None) -> None:
        """Print a system call with its result (None: it does not return)."""
        if self._stream is None or task.traced is None:
            return
        text, task.traced = task.traced, None
        self._line(task, f"{text:<39} = {_result(result)}")

    def port_in(self, task: UserTask, port: int, width: int, value: int) -> None:
        """Print a read of a port."""
        if self._stream is not None:
            self._line(task, f"{f'in{_SUFFIX[width]}({port:#x})':<39} = {value:#0{2 + 2 * width}x}")

    def port_out(self, task: UserTask, port: int, width: int, value: int) -> None:
        """Print a write to a port."""
        if self._stream is not None:
            text = f"out{_SUFFIX[width]}({value:#0{2 + 2 * width}x}, {port:#x})"
            self._line(task, f"{text:<39} = 0")

    def signal(self, task: UserTask, info: SignalInfo) -> None:
        """Print a signal that is delivered."""
        if self._stream is None:
            return
        name = signal_name(info.number)
        where = f", si_addr={info.fields[0]:#x}" if info.trap and info.fields else ""
        self._line(task, f"--- {name} {{si_signo={name}, si_code={info.code}{where}}} ---")

    def end(self, task: UserTask, status: int) -> None:
        """Print how a task ended; `status` as in wait4(2)."""
        if self._stream is None:
            return
        if status & 0x7F:
            self._line(task, f"+++ killed by {signal_name(status & 0x7F)} +++")
        else:
            self._line(task, f"+++ exited with {status >> 8 & 0xFF} +++")

    def _line(self, task: UserTask, text: str) -> None:
        assert self._stream is not None
        self._stream.write(f"[{task.tid}] {text}\n")
        self._stream.flush()

    @staticmethod
    def _argument(task: UserTask, name: str, values: dict[str, int]) -> str:
        space, value = task.process.space, values[name]
        if name in _NUMBERS:
            narrow = value & 0xFFFF_FFFF
            return str(narrow - (1 << 32) if narrow >> 31 and value >> 63 | narrow >> 31 else value)
        try:
            if name in _STRINGS and value:
                return _quote(space.read_string(value, 4096))
            size = values.get("count", values.get("size"))
            if name == "data" and size is not None:
                data = space.read(value, min(size, _BUFFER_LIMIT))
                return _quote(data) + ("..." if size > _BUFFER_LIMIT else "")
        except BadAddressError:
            pass
        return f"{value:#x}" if value else ("NULL" if name not in _FLAGS else "0")


_SUFFIX: Final = {1: "b", 2: "w", 4: "l"}
_FLAGS: Final = frozenset({"flags", "options", "protection", "command", "request", "operation"})


def signal_name(number: int) -> str:
    """Return the name of a signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRT_{number - 32}"


def _quote(data: bytes) -> str:
    text = "".join(
        chr(c) if 32 <= c < 127 and c not in b'"\\' else _ESCAPES.get(c, f"\\{c:o}")
        for c in data[: max(_TEXT_LIMIT, _BUFFER_LIMIT)]
    )
    return f'"{text}"' + ("..." if len(data) > _TEXT_LIMIT else "")


_ESCAPES: Final = {10: "\\n", 13: "\\r", 9: "\\t", 34: '\\"', 92: "\\\\"}


def _result(result: int | None) -> str:
    if result is None:
        return "?"
    if -4095 <= result < 0:
        name = errno_names.errorcode.get(-result, str(-result))
        return f"-1 {name}"
    return str(result) if result < 1 << 20 else f"{result:#x}"
