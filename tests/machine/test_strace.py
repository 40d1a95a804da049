"""The lines of --strace and the records of --io-log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.support.machine.cache import PROGRAMS, compiled
from tests.support.machine.running import iopermit_run

if TYPE_CHECKING:
    from pathlib import Path


def test_strace_lines() -> None:
    """System calls, port accesses, signals and the end appear in strace's style, on stderr."""
    program = compiled(PROGRAMS / "string_io.c", "-static")
    ran = iopermit_run("--strace", program, check=True)
    lines = ran.errors.splitlines()
    assert "[1001] ioperm(0x80, 8, 1)                      = 0" in lines
    assert "[1001] outb(0x10, 0x80)                        = 0" in lines
    assert "[1001] outl(0x1b1a1918, 0x84)                  = 0" in lines
    assert "[1001] inb(0x80)                               = 0xa5" in lines
    assert lines[-1] == "[1001] +++ exited with 0 +++"
    written = next(line for line in lines if "write(1," in line)
    assert '"outsb: moved 3 left 0\\n' in written


def test_strace_of_failures_and_signals() -> None:
    """An error has its name, a path is a string, a deadly signal is told."""
    ran = iopermit_run("--strace", "/bin/sh", "-c", "cd /nonexistent; kill -9 $$")
    assert 'chdir("/nonexistent")' in ran.errors
    assert "= -1 ENOENT" in ran.errors
    assert ran.errors.splitlines()[-1] == "[1001] +++ killed by SIGKILL +++"
    assert ran.status == 128 + 9


def test_strace_does_not_change_what_happens() -> None:
    """The program's output is the same, and on stdout."""
    plain = iopermit_run("/bin/ls", "/")
    assert plain.output == iopermit_run("--strace", "/bin/ls", "/").output
    assert plain.errors == ""


def test_io_log(tmp_path: Path) -> None:
    """Every access is one JSON object with time, task, CPU, direction, port, width and value."""
    log = tmp_path / "log"
    program = compiled(PROGRAMS / "string_io.c", "-static")
    iopermit_run("--io-log", log, program, check=True)
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(records) > 10
    for record in records:
        assert set(record) == {
            "time",
            "pid",
            "tid",
            "cpu",
            "direction",
            "port",
            "width",
            "value",
        }
        assert (record["pid"], record["tid"], record["cpu"]) == (1001, 1001, 0)
    times = [record["time"] for record in records]
    assert times == sorted(set(times))


def test_io_log_on_a_full_disk() -> None:
    """The program goes on to its end; then the file that is not whole is named, status 2."""
    program = compiled(PROGRAMS / "string_io.c", "-static")
    plain = iopermit_run(program, check=True)
    ran = iopermit_run("--io-log", "/dev/full", program)
    assert (ran.status, ran.output) == (2, plain.output)
    message = "cannot write /dev/full: No space left on device"
    assert ran.errors == f"iopermit: error: {message} [bad-program]\n"


def test_serial_port_goes_to_a_file(tmp_path: Path) -> None:
    """What the program sends by the serial port is in the file, and not on stdout."""
    source = tmp_path / "serial.c"
    source.write_text(
        "#include <sys/io.h>\n"
        "int main(void) { ioperm(0x3f8, 8, 1); outb('h', 0x3f8); outb('i', 0x3f8); return 0; }\n"
    )
    program = compiled(source, "-static")
    target = tmp_path / "target"
    assert iopermit_run("--serial", target, program, check=True).output == ""
    assert target.read_bytes() == b"hi"
    assert iopermit_run(program, check=True).output == "hi"
