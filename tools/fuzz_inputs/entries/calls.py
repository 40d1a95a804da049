"""System calls: programs that make some, with and without `--strace`, by both ways into Linux."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st
from tools.fuzz_inputs.attempt import Attempt
from tools.fuzz_inputs.entries.programs import DATA, PAGE, Call, program

_PATHS: Final = (
    b"/proc/self/maps", b"/proc/self/fd/3", b"/proc/self/exe", b"/etc/passwd", b"/tmp/file",
    b"/tmp/dir", b"/dev/shm/x", b"/dev/null", b"/dev/zero", b"/dev/port", b"/dev/mem",
    b"/dev/nvram", b"", b".", b"..", b"/tmp/\xff\xfe", b"/tmp/dir/", b"/proc", b"/", b"/dev/fd/4",
    b"/proc/self/environ", b"/usr/bin/env", b"./program", b"x" * 300, b"/" * 70,
)  # fmt: skip
_ROOM: Final = 512
"""Bytes for each path; behind them come zeroes, to the end of the data."""
_DATA: Final = b"".join(path.ljust(_ROOM, b"\0") for path in _PATHS)
_END: Final = DATA + 4 * PAGE
_NUMBERS: Final = 470
"""Of calls; the kernel has some fewer."""
_FREQUENT: Final = (
    0, 1, 2, 3, 5, 8, 9, 10, 11, 12, 13, 16, 20, 22, 32, 33, 41, 56, 57, 59, 72, 78, 79, 80, 82, 83,
    87, 89, 101, 157, 158, 165, 172, 173, 202, 213, 217, 231, 257, 262, 281, 283, 284, 288, 290,
    302, 316, 318, 319, 322, 332, 334, 425, 435, 437, 439,
)  # fmt: skip
_OPTIONS: Final = ((), ("--strace",), ("--user",), ("--strace", "--user"), ("--memory", "24M"))


def _values() -> st.SearchStrategy[int]:
    """Return what arguments can be: pointers, descriptors, sizes, flags, and numbers too large."""
    path = st.integers(0, len(_PATHS) - 1).map(lambda index: DATA + _ROOM * index)
    buffer = st.integers(0, 64).map(lambda index: DATA + len(_DATA) + 8 * index)
    edge = st.integers(-16, 16).map(lambda offset: _END + offset)
    power = st.integers(0, 63).map(lambda bit: 1 << bit)
    return (
        st.integers(-5, 40)
        | path
        | buffer
        | edge
        | power
        | power.map(lambda value: value - 1)
        | st.integers(0, 9).map(lambda pages: pages * PAGE)
        | st.integers(0, (1 << 64) - 1)
        | st.sampled_from((0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x100000000, -100))
    )


def _calls() -> st.SearchStrategy[Call]:
    number = st.sampled_from(_FREQUENT) | st.integers(-2, _NUMBERS)
    arguments = st.lists(_values(), max_size=6).map(tuple)
    return st.builds(Call, number, arguments, st.sampled_from((False, False, False, True)))


@st.composite
def calls(draw: st.DrawFn) -> Attempt:
    """Return a run of a program that makes up to twenty calls."""
    made = draw(st.lists(_calls(), min_size=1, max_size=20))
    words = ("run", *draw(st.sampled_from(_OPTIONS)), "--timeout", "3", "./program")
    return Attempt(words, files={"program": program(made, _DATA)}, own_status=True)
