"""The schedule: reproducible by its seed, different with another one, and fair enough."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.support.machine.cache import cached, compiled
from tests.support.machine.running import iopermit_run
from tests.support.requirements import require_tool

if TYPE_CHECKING:
    from pathlib import Path

CODE = """
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    for (int i = 0; i < 3; i++)
        if (!fork()) {
            for (int k = 0; k < 4; k++) {
                for (volatile int n = 0; n < 200000; n++);
                putchar('a' + i);
            }
            _exit(0);
        }
    while (wait(NULL) > 0);
    putchar(10);
    return 0;
}
"""


@pytest.fixture(scope="module")
def letters() -> Path:
    """Return a program whose three children print a letter after each stretch of work."""

    def write(folder: Path) -> None:
        (folder / "letters.c").write_text(CODE)

    return compiled(cached("source-letters", [CODE], write) / "letters.c", "-static")


def order(program: Path, seed: int, cpus: int = 1) -> str:
    """Return the letters that a run prints."""
    return iopermit_run("--seed", str(seed), "--cpus", str(cpus), program, check=True).output


@pytest.mark.parametrize("cpus", [1, 2])
def test_the_same_seed_gives_the_same_run(letters: Path, cpus: int, tmp_path: Path) -> None:
    """Output, virtual time and switches are the same whenever the seed is."""
    summaries = []
    for name in ("first", "second"):
        file = tmp_path / name
        iopermit_run("--seed", "7", "--cpus", str(cpus), "--json", file, letters, check=True)
        summaries.append(json.loads(file.read_text()))
    assert order(letters, 7, cpus) == order(letters, 7, cpus)
    assert summaries[0] == summaries[1]
    assert summaries[0]["schema"] == "iopermit/run/1"
    assert summaries[0]["switches"] > 3


def test_other_seeds_give_other_orders(letters: Path) -> None:
    """Tasks that never leave user mode for long are preempted, at places that the seed chooses."""
    orders = {order(letters, seed) for seed in range(4)}
    assert len(orders) > 1
    assert all(sorted(text) == sorted("aaaabbbbcccc\n") for text in orders)
    assert any("ab" in text[:8] or "ba" in text[:8] for text in orders)


def test_time_is_virtual() -> None:
    """Sleep takes no real time, and the clock shows that it was slept."""
    require_tool("date")
    script = "a=$(date +%s); sleep 1000; b=$(date +%s); echo $((b - a >= 1000 && b - a < 1010))"
    assert iopermit_run("--timeout", "60", "/bin/sh", "-c", script, check=True).output == "1\n"
