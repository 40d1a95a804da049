"""Standard streams keep their numbers; memory, pipes and time are limited, whatever waits."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from tests.support.machine.cache import cached, compiled
from tests.support.machine.running import iopermit_run

if TYPE_CHECKING:
    from pathlib import Path

BAD_INPUT, UNDETERMINED = 2, 3
MAIN = "import sys; from iopermit.cli import main; sys.exit(main())"


def program(name: str, code: str) -> Path:
    """Return a static program with a main function of `code`."""
    heads = ("errno", "fcntl", "signal", "stdio", "stdlib", "string", "unistd", "sys/mman")
    source = "#define _GNU_SOURCE\n" + "".join(f"#include <{head}.h>\n" for head in heads)
    source += f"int main(void)\n{{\n{code}\n}}\n"

    def write(folder: Path) -> None:
        (folder / f"{name}.c").write_text(source)

    return compiled(cached(f"source-{name}", [source], write) / f"{name}.c", "-static")


def command(*words: str | Path) -> list[str]:
    """Return the command line of `iopermit run`, as another process."""
    return [sys.executable, "-c", MAIN, "run", *map(str, words)]


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (0, 1, 2)])
def test_streams_keep_their_numbers(closed: tuple[int, ...], tmp_path: Path) -> None:
    """A stream that is closed when iopermit begins is closed for the program, no other one is."""
    states = program(
        "states",
        "int s = 0; for (int i = 0; i < 6; i++) s |= (fcntl(i, F_GETFD) < 0) << i; _exit(s);",
    )
    log = tmp_path / "log"

    def close() -> None:
        for number in closed:
            os.close(number)

    done = subprocess.run(
        command("--io-log", log, states),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=close, check=False,
    )  # fmt: skip
    assert done.returncode == 0b111000 | sum(1 << number for number in closed)
    assert log.read_text() == ""


def test_timeout_while_a_write_blocks() -> None:
    """--timeout ends a program whose output nobody reads."""
    talker = program("talker", 'for (;;) write(1, "x", 1);')
    start = time.monotonic()
    with subprocess.Popen(
        command("--timeout", "0.5", talker), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stderr is not None
        assert running.stderr.read() == b"iopermit: the program did not end within 0.5 s\n"
        assert running.wait() == UNDETERMINED
    assert time.monotonic() - start < 60


def test_an_interrupt_while_a_write_blocks() -> None:
    """Ctrl-C ends such a program too."""
    talker = program("talker", 'for (;;) write(1, "x", 1);')
    with subprocess.Popen(
        command(talker), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stdout.read(1) == b"x"
        time.sleep(0.3)
        running.send_signal(2)
        assert running.wait(60) == UNDETERMINED


def test_a_large_write_arrives_whole() -> None:
    """What does not fit at once is written when there is room, by the same call."""
    sizes = (
        "char *d = malloc(500000); memset(d, 'a', 500000); _exit(write(1, d, 500000) != 500000);"
    )
    done = subprocess.run(command(program("large", sizes)), stdout=subprocess.PIPE, check=False)
    assert (done.returncode, len(done.stdout)) == (0, 500000)


@pytest.mark.parametrize("value", ["inf", "nan", "-1", "0", "1e400"])
def test_a_timeout_is_a_number_of_seconds(value: str) -> None:
    """Infinity, what is no number, and what is not positive are wrong usage."""
    ran = iopermit_run("--timeout", value, "/bin/true")
    assert ran.status == BAD_INPUT
    assert "--timeout" in ran.errors


EATERS = {
    "pipes": """int p[2]; long n = 0;
        while (!pipe(p)) {
            static char z[65536];
            fcntl(p[1], F_SETFL, O_NONBLOCK);
            if (write(p[1], z, 65536) < 0)
                break;
            n++;
        }
        _exit(errno == ENOMEM && n > 50 && n < 256 ? 42 : 43);""",
    "files": """int f = memfd_create("x", 0); static char z[65536];
        while (write(f, z, 65536) == 65536);
        _exit(errno == ENOSPC ? 42 : 43);""",
    "names": """char n[64]; long i = 0;
        for (;; i++) {
            sprintf(n, "/tmp/%ld", i);
            int f = open(n, O_CREAT | O_WRONLY, 0600);
            if (f < 0)
                break;
            close(f);
        }
        _exit((errno == ENOSPC || errno == ENOMEM) && i > 1000 && i < 16384 ? 42 : 43);""",
    "memory": """int plain = MAP_PRIVATE | MAP_ANONYMOUS;
        char *m = mmap(0, 64L << 30, PROT_NONE, plain, -1, 0);
        char *n = mmap(0, 1L << 30, PROT_READ | PROT_WRITE, plain, -1, 0);
        _exit(m != MAP_FAILED && n == MAP_FAILED ? 42 : 43);""",
}


@pytest.mark.parametrize("name", EATERS)
def test_what_the_kernel_keeps_counts_against_the_memory(name: str) -> None:
    """Pipes, files and names in memory end with the memory; what is only reserved is free."""
    eater = program(f"eat-{name}", EATERS[name])
    ran = iopermit_run("--memory", "16M", "--timeout", "100", eater)
    assert (ran.errors, ran.status) == ("", 42)
