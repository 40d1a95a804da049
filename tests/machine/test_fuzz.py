"""System calls at random, and damaged programs, never end a run with a fault of iopermit."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest
from tests.support.machine.cache import PROGRAMS, compiled
from tests.support.machine.running import iopermit_run

if TYPE_CHECKING:
    from pathlib import Path

UNDETERMINED, INTERNAL_ERROR = 3, 4
SEED = int(os.environ.get("IOPERMIT_FUZZ_SEED", random.SystemRandom().randrange(1 << 31)))
"""Fresh for each run of the tests, and shown by each failure."""


@pytest.mark.parametrize(
    "option", [(), ("--strace",), ("--user",)], ids=["plain", "strace", "user"]
)
@pytest.mark.parametrize("number", range(2))
def test_random_system_calls(option: tuple[str, ...], number: int) -> None:
    """The program comes to its end, or waits for ever for itself; iopermit does not fail."""
    seed = SEED + number
    program = compiled(PROGRAMS / "fuzz_calls.c", "-static")
    ran = iopermit_run(*option, "--timeout", "100", program, str(seed), "1500")
    waits = ran.status == UNDETERMINED and "deadlock" in ran.errors
    assert ran.status == 0 or waits, f"IOPERMIT_FUZZ_SEED={seed}: {ran.errors[-1000:]}"


def mutants(seed: int, count: int) -> list[bytes]:
    """Return damaged programs and odd scripts."""
    chance = random.Random(seed)
    whole = compiled(PROGRAMS / "string_io.c", "-static").read_bytes()
    lines = (b"/bin/sh", b"/bin/cat -n x", b" /bin/echo\t\0\xff", b"/" + b"x" * 500, b"\xff", b"")
    made = []
    for _ in range(count):
        content, kind = bytearray(whole), chance.random()
        for _ in range(chance.choice((1, 1, 2, 8))):
            width = chance.choice((1, 2, 4, 8))
            values = (0, 1, (1 << 8 * width) - 1, 1 << 8 * width - 1, chance.getrandbits(8 * width))
            at = chance.randrange(64 + 56 * 12)
            content[at : at + width] = chance.choice(values).to_bytes(width, "little")
        if kind < 0.15:
            content = content[: chance.randrange(1, 5000)]
        elif kind < 0.3:
            content = bytearray(b"#!" + chance.choice(lines) + chance.choice((b"\n", b"", b" \n")))
        made.append(bytes(content))
    return made


def test_damaged_programs(tmp_path: Path) -> None:
    """A damaged program is refused, or runs as far as it comes; iopermit does not fail."""
    file = tmp_path / "program"
    for content in mutants(SEED, 12):
        file.write_bytes(content)
        file.chmod(0o755)
        ran = iopermit_run("--timeout", "20", file)
        assert 0 <= ran.status != INTERNAL_ERROR, f"IOPERMIT_FUZZ_SEED={SEED}: {ran.errors[-1000:]}"
        assert "Traceback" not in ran.errors, f"IOPERMIT_FUZZ_SEED={SEED}"
