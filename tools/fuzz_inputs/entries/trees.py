"""Kernel trees: directories that look like one, of which files are others, odd or missing."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st
from tools.fuzz_inputs.attempt import Attempt
from tools.fuzz_inputs.entries.changes import change_parts, changed_bytes, displace

MADE: Final[dict[str, str]] = {
    "Makefile": "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 7\nEXTRAVERSION =\nNAME = A Name\n",
    "Kbuild": "obj-y += kernel/\n",
    "Kconfig": 'source "arch/x86/Kconfig"\n',
    "arch/x86/Kconfig": "config 64BIT\n\tdef_bool y\n",
    "arch/x86/kernel/ioport.c": "".join(f"int port{number};\n" for number in range(40)),
    "arch/x86/kernel/process.c": "".join(f"int task{number};\n" for number in range(40)),
    "kernel/a.c": "".join(f"line {number}\n" for number in range(40)),
}
"""The few files by which a tree is recognised, and some to change."""
BOUNDS: Final = ("--cpus", "1", "--tasks", "1", "--timeout", "10")
ENVIRONMENT: Final = {"XDG_CACHE_HOME": "{here}/cache"}
_LINES: Final = (
    "VERSION = six\n", "VERSION = -1\n", f"VERSION = {'9' * 5000}\n", "VERSION =\n", "\0\n",
    "VERSION = 2\n", "PATCHLEVEL = 99999999999\n", "EXTRAVERSION = \x1b[2J\n", "\r\n",
    "SUBLEVEL = $(shell true)\n", "config X86_64\n", "all:\n", "include ../../etc/passwd\n",
    "olddefconfig:\n\t@true\n", "%:\n\t@true\n", "%:\n\t@sleep 0.01; false\n",
)  # fmt: skip
_TARGETS: Final = (".", "..", "/etc", "/dev/zero", "/dev/null", "Makefile", "none", "/proc/self/fd")


def kernel_tree() -> dict[str, str]:
    """Return the files of a tree, by path from the directory of the attempt."""
    return {f"tree/{path}": text for path, text in MADE.items()}


@st.composite
def trees(draw: st.DrawFn) -> Attempt:
    """Return the check of a tree that is odd in up to three places."""
    texts, links, pipes = kernel_tree(), dict[str, str](), list[str]()
    data: dict[str, bytes] = {}
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(sorted(kernel_tree())))
        if path not in texts:
            continue
        match draw(st.sampled_from(("lines", "lines", "bytes", "link", "pipe", "gone", "folder"))):
            case "lines":
                lines = texts[path].splitlines(keepends=True)
                change_parts(draw, lines, st.sampled_from(_LINES) | st.text(max_size=20))
                texts[path] = "".join(lines)
            case "bytes":
                data[path] = changed_bytes(draw, texts[path].encode())
            case "link" | "pipe" | "gone" as how:
                del texts[path]
                displace(draw, how, path, (links, pipes), _TARGETS)
            case "folder":
                del texts[path]
                texts[f"{path}/x"] = ""
    files = {path: text.encode("utf-8", "replace") for path, text in texts.items()}
    files |= {path: changed for path, changed in data.items() if path in files}
    sandbox = draw(st.sampled_from(("auto", "on")))
    words = ("check", "--kernel", "tree", "--sandbox", sandbox, *BOUNDS)
    return Attempt(words, files, links, tuple(pipes), environment=ENVIRONMENT)
