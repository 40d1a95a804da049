"""Images of kernels: packed ones and their types, damaged, in front of an emulator that babbles."""

from __future__ import annotations

import functools
import json
from typing import Final

from hypothesis import strategies as st
from tests.support.reproduce.images import PACKERS, bz_image, elf_file, kernel_types
from tools.fuzz_inputs.attempt import Attempt
from tools.fuzz_inputs.entries.changes import change_parts, changed_bytes

from iopermit.designs import find
from iopermit.report.json import verdict_json
from iopermit.search.check import check
from iopermit.system.events import event_named
from iopermit.system.scenario import Scenario

_CONSOLE: Final = (
    "VERSION Linux", "CMDLINE quiet", "PREEMPT none (full)", "SYMBOL ffffffff81000000 function",
    "TASK B uid 1000", "RESULT 0 0 1 0 0 0 0 0 0", "RESULT 1 3 1 0 0 7 1 2 3", "FAILED x", "END",
    "READY",
)  # fmt: skip
"""What the guest tells; in front of READY the kernel boots."""


@functools.cache
def _saved() -> bytes:
    """Return a saved violation that can be forced."""
    events = frozenset({event_named("ioperm"), event_named("preempt")})
    verdict = check(find("linux-6.16"), Scenario(1, 2, 1, events))
    return json.dumps(verdict_json(verdict)).encode()


@st.composite
def images(draw: st.DrawFn) -> Attempt:
    """Return a reproduction with a damaged image, or with an emulator that says anything."""
    types, console = kernel_types().section(), list(_CONSOLE)
    kernel = elf_file(types)
    damaged = draw(st.sampled_from(("types", "kernel", "image", "packed", "console")))
    if damaged == "types":
        kernel = elf_file(changed_bytes(draw, types))
    elif damaged == "kernel":
        kernel = changed_bytes(draw, kernel)
    packed = PACKERS[draw(st.sampled_from(sorted(PACKERS)))](kernel)
    if damaged == "packed":
        packed = changed_bytes(draw, packed)
    image = bz_image(packed, len(kernel))
    if damaged == "image":
        image = changed_bytes(draw, image)
    for _ in range(draw(st.integers(0, 4)) if damaged == "console" else 0):
        change_parts(
            draw, console, st.sampled_from(_CONSOLE) | st.text("RESULT 0123-\xff", max_size=30)
        )
    lines = "\n".join(line.replace("'", "") for line in console)
    emulator = f"#!/bin/sh\necho '{lines}'\n".encode()
    return Attempt(
        ("reproduce", "leak.json", "--image", "vmlinuz", "--timeout", "1", "--quiet"),
        files={"leak.json": _saved(), "vmlinuz": image, "qemu-system-x86_64": emulator},
        environment={"PATH": "{here}:/usr/bin:/bin"},
    )
