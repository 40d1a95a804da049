"""The table of system calls: numbers as Linux has them, and the documentation up to date."""

from __future__ import annotations

import inspect
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.support.machine.cache import cached
from tests.support.requirements import skip_or_fail

from iopermit.machine.syscalls import QUIET, SERVICES
from tools import generate_syscalls

if TYPE_CHECKING:
    from pathlib import Path

I386_NAMES = {
    "getuid16": "getuid",
    "geteuid16": "geteuid",
    "getgid16": "getgid",
    "getegid16": "getegid",
    "getrlimit": "ugetrlimit",
    "select": "_newselect",
}
"""How the header for i386 calls what goes by another name here."""


def kernel_numbers(option: str) -> dict[str, int]:
    """Return the numbers in the headers of the kernel, as the compiler sees them."""
    from tests.support.requirements import require_tool  # noqa: PLC0415 - next to its use

    gcc = require_tool("gcc")

    def expand(folder: Path) -> None:
        command = [
            str(gcc),
            option,
            "-dM",
            "-E",
            "-include",
            "asm/unistd.h",
            "-x",
            "c",
            "/dev/null",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        (folder / "defines").write_text(done.stdout)

    text = (cached(f"unistd{option}", [option], expand) / "defines").read_text()
    found = {m[1]: int(m[2]) for m in re.finditer(r"#define __NR_(\w+) (\d+)", text)}
    if not found:
        skip_or_fail(f"needs the kernel's headers for {option}")
    return found


@pytest.mark.parametrize(("abi", "option"), [(64, "-m64"), (32, "-m32")])
def test_numbers(abi: int, option: str) -> None:
    """Every service has the number that the kernel's own header gives its name."""
    numbers = kernel_numbers(option)
    for (its_abi, number), service in SERVICES.items():
        if its_abi != abi:
            continue
        # On i386 some names are the calls with 16-bit ids; those with 32-bit ids have a suffix.
        names = [service.name]
        if abi == 32:
            names += [f"{service.name}32", I386_NAMES.get(service.name, "")]
        assert number in [numbers.get(name) for name in names], service.name
    for (its_abi, number), name in QUIET.items():
        if its_abi == abi and name in numbers:
            assert numbers[name] == number


def test_arguments() -> None:
    """Each handler takes as many arguments as the table names."""
    for service in SERVICES.values():
        parameters = list(inspect.signature(service.handler).parameters.values())[1:]
        if any(p.kind is p.VAR_POSITIONAL for p in parameters):
            continue
        assert len(parameters) == len(service.arguments), service.name
        assert len(parameters) <= 6


def test_the_page_is_generated() -> None:
    """The table in docs/running-programs.md is what the code has now (else: `make docs`)."""
    page = generate_syscalls.PAGE.read_text(encoding="utf-8")
    assert generate_syscalls.with_table(page) == page
    assert "| ioperm | 173 | 101 | served by the design |" in page


def test_a_page_without_a_place_is_refused() -> None:
    """The generator does not write a table anywhere else."""
    with pytest.raises(ValueError, match="no place"):
        generate_syscalls.with_table("text")
