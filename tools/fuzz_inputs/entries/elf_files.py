"""ELF files: small programs of which bytes are others or missing, and scripts."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st
from tools.fuzz_inputs.attempt import Attempt
from tools.fuzz_inputs.entries.changes import changed_bytes, numbers
from tools.fuzz_inputs.entries.programs import HEADERS, program

_OPTIONS: Final = (
    (), ("--strace",), ("--user",), ("--json",), ("--memory", "16M"), ("--design", "linux-5.4"),
)  # fmt: skip
_INTERPRETERS: Final = (
    b"/bin/sh", b"/bin/cat -n x", b" /bin/echo\t\0\xff", b"/" + b"x" * 500, b"\xff", b"",
    b"./program", b"/proc/self/exe", b"/bin/true",
)  # fmt: skip


@st.composite
def elf_files(draw: st.DrawFn) -> Attempt:
    """Return a run of a damaged program, or of a script that names an interpreter."""
    interpreted = draw(st.sampled_from((b"", b"", b"/lib64/ld-linux-x86-64.so.2\0", b"./x\0")))
    content = program([], interpreter=interpreted, wide=draw(st.booleans()))
    match draw(st.sampled_from(("headers", "headers", "anywhere", "script", "noise"))):
        case "headers":
            damaged = bytearray(content)
            for _ in range(draw(st.integers(1, 4))):
                at, number = draw(st.integers(0, HEADERS)), draw(numbers())
                damaged[at : at + len(number)] = number
            content = bytes(damaged)
        case "anywhere":
            content = changed_bytes(draw, content)
        case "script":
            ends = draw(st.sampled_from((b"\n", b"", b" \n", b"\r\n")))
            content = b"#!" + draw(st.sampled_from(_INTERPRETERS)) + ends
        case "noise":
            content = b"\x7fELF" + draw(st.binary(max_size=200))
    options = draw(st.sampled_from(_OPTIONS))
    words = ("run", *options, "--timeout", "5", "./program")
    return Attempt(words, files={"program": content}, own_status=True)
