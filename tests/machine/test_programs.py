"""Programs print on the machine what they print on the Linux that runs the tests."""

from __future__ import annotations

import functools
import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.support.machine.cache import PROGRAMS, compiled
from tests.support.machine.kvm import BACKENDS, require_backend
from tests.support.machine.running import Ran, iopermit_run
from tests.support.requirements import skip_or_fail

from iopermit.designs import designs

if TYPE_CHECKING:
    from pathlib import Path

KINDS = {
    "static": ("-static", "-pthread"),
    "dynamic": ("-pthread",),
    "i386": ("-m32", "-static", "-pthread"),
}


@functools.cache
def on_host(program: Path) -> Ran:
    """Return what a program does on the host itself."""
    try:
        done = subprocess.run([program], capture_output=True, text=True, check=False, timeout=60)
    except OSError as error:
        skip_or_fail(f"the host cannot execute {program}: {error}")
        raise
    return Ran(done.stdout, done.stderr, done.returncode)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("cpus", "seed"), [(1, 0), (3, 5)])
def test_posix(kind: str, cpus: int, seed: int) -> None:
    """Signals, threads, processes and pipes work as on the host, whatever the schedule."""
    program = compiled(PROGRAMS / "posix.c", *KINDS[kind])
    ran = iopermit_run("--cpus", str(cpus), "--seed", str(seed), "--timeout", "120", program)
    assert ran == on_host(program)


@pytest.mark.parametrize("cpus", ["1", "3"])
@pytest.mark.parametrize("kind", ["static", "i386"])
def test_events_and_files_in_memory(kind: str, cpus: str) -> None:
    """epoll, eventfd, timerfd, socket pairs, memfd and the tree of /tmp work as on the host."""
    program = compiled(PROGRAMS / "events.c", *KINDS[kind])
    ran = iopermit_run("--cpus", cpus, "--timeout", "120", program)
    assert ran.output.splitlines() == on_host(program).output.splitlines()
    assert (ran.errors, ran.status) == ("", 0)


@pytest.mark.parametrize("kind", ["static", "dynamic"])
def test_posix_on_kvm(kind: str) -> None:
    """They do on the KVM back end too."""
    require_backend("kvm")
    program = compiled(PROGRAMS / "posix.c", *KINDS[kind])
    assert iopermit_run("--cpu", "kvm", "--cpus", "2", program) == on_host(program)


@pytest.mark.parametrize("options", [("--cpus", "1"), ("--cpus", "4"), ("--cpu", "kvm")])
def test_ends_of_processes_with_threads(options: tuple[str, ...]) -> None:
    """Threads that never leave user mode end when another one executes, exits or faults."""
    require_backend(options[1])
    program = compiled(PROGRAMS / "ends.c", "-static", "-pthread")
    ran = iopermit_run(*options, "--timeout", "60", program)
    lines = ["executed by a thread", "exit 0 signal 0", "exit 6 signal 0", "exit 0 signal 11"]
    assert (ran.output.splitlines(), ran.status) == (lines, 0)


@pytest.mark.parametrize("design", designs(), ids=str)
def test_every_design_runs_programs(design: str) -> None:
    """A single user of ports does not meet the faults of any design but one, which crashes."""
    ran = iopermit_run("--design", design, compiled(PROGRAMS / "string_io.c", "-static"))
    if design == "linux-060aa16f":
        crash = "iopermit: BUG: kernel crash in linux-060aa16f: null pointer dereference"
        assert (ran.errors.partition(": NULL")[0], ran.status) == (crash, 1)
    else:
        assert ran.output.endswith("in 78 ff78 ffffff78\n")
        assert (ran.errors, ran.status) == ("", 0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_shell_with_a_pipeline(backend: str) -> None:
    """The host's shell forks, executes programs and connects them by pipes."""
    require_backend(backend)
    script = "echo one two | tr a-z A-Z; (exit 3); echo $?; ls /nonexistent || exit 9"
    ran = iopermit_run("--cpu", backend, "--cpus", "2", "/bin/sh", "-c", script)
    assert (ran.output, ran.status) == ("ONE TWO\n3\n", 9)
    assert "No such file or directory" in ran.errors


def test_arguments_after_the_program_belong_to_it() -> None:
    """Options behind the program's name are its own."""
    ran = iopermit_run("/bin/echo", "--cpus", "7", "--help")
    assert (ran.output, ran.status) == ("--cpus 7 --help\n", 0)


def test_the_environment_is_passed_on() -> None:
    """The program has the environment of iopermit, but not the secret that its cache rests on."""
    variables = {"IOPERMIT_X": "seen", "IOPERMIT_CACHE_KEY": "s" * 32}
    command = "echo $IOPERMIT_X$IOPERMIT_CACHE_KEY"
    ran = iopermit_run("/bin/sh", "-c", command, environment=variables)
    assert ran.output == "seen\n"


@pytest.mark.parametrize("backend", BACKENDS)
def test_string_instructions(backend: str, tmp_path: Path) -> None:
    """INS and OUTS of all widths access the ports that the SDM says, and move memory."""
    require_backend(backend)
    program = compiled(PROGRAMS / "string_io.c", "-static")
    log = tmp_path / "log"
    ran = iopermit_run("--cpu", backend, "--io-log", log, program, check=True)
    lines = ran.output.splitlines()
    assert lines[0] == "outsb: moved 3 left 0"
    assert lines[1] == "outsl: moved 0 left 0"
    assert lines[2].startswith("insb: a5 a5 a5 a5 14 15")
    assert lines[3].startswith("insw: a5 a5 a5 a5 ff ff 16")

    entries = [json.loads(line) for line in log.read_text().splitlines()]
    accesses = [(e["direction"], e["port"], e["width"], e["value"]) for e in entries]
    assert accesses[:5] == [
        ("out", 0x80, 1, 0x10),
        ("out", 0x80, 1, 0x11),
        ("out", 0x80, 1, 0x12),
        ("out", 0x84, 4, 0x1B1A1918),
        ("out", 0x84, 4, 0x17161514),
    ]
    assert accesses[6:10] == [("in", 0x80, 1, 0xA5)] * 4
