"""What cannot be run is refused with one message; what misbehaves gets its signal or limit."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.support.machine.cache import cached, compiled
from tests.support.machine.kvm import BACKENDS, require_backend
from tests.support.machine.running import iopermit_run

BAD_INPUT, UNDETERMINED = 2, 3


def program(name: str, code: str, *options: str) -> Path:
    """Return a static program with a main function of `code`."""
    source = f"#include <unistd.h>\n#include <errno.h>\nint main(void)\n{{\n{code}\n}}\n"

    def write(folder: Path) -> None:
        (folder / f"{name}.c").write_text(source)

    return compiled(cached(f"source-{name}", [source], write) / f"{name}.c", "-static", *options)


def executable(folder: Path, name: str, content: bytes) -> Path:
    """Return an executable file."""
    file = folder / name
    file.write_bytes(content)
    file.chmod(0o755)
    return file


def refused(file: Path, *words: str) -> None:
    """Check that a file is refused with one message that has `words`."""
    ran = iopermit_run(file)
    assert (ran.output, ran.status) == ("", BAD_INPUT)
    assert ran.errors.startswith("iopermit: error: ")
    assert len(ran.errors.splitlines()) == 1
    for word in (*words, str(file)):
        assert word in ran.errors


def test_text_and_scripts(tmp_path: Path) -> None:
    """A text file, a script without an interpreter and an empty file are no programs."""
    refused(executable(tmp_path, "text", b"hello\n"), "not an ELF file")
    refused(executable(tmp_path, "script", b"#!\n"), "names no interpreter")
    refused(executable(tmp_path, "other", b"#!/no/such\n"), "/no/such", "No such file")
    refused(executable(tmp_path, "empty", b""), "an empty file")


@pytest.mark.parametrize("size", [10, 30, 63, 200, 3000])
def test_truncated(tmp_path: Path, size: int) -> None:
    """An ELF file that was cut off anywhere is said to be truncated."""
    content = Path("/bin/ls").read_bytes()[:size]
    refused(executable(tmp_path, "cut", content), "truncated")


def test_other_processors(tmp_path: Path) -> None:
    """An ARM program is refused by the name of its processor."""
    content = bytearray(Path("/bin/ls").read_bytes())
    content[18] = 0x28
    refused(executable(tmp_path, "arm", bytes(content)), "ARM", "x86-64 and i386")


def test_missing_interpreter(tmp_path: Path) -> None:
    """A dynamic program without its interpreter is refused, and the interpreter is named."""
    content = Path("/bin/ls").read_bytes()
    assert b"/lib64/ld-linux" in content
    changed = content.replace(b"/lib64/ld-linux", b"/lib99/ld-linux", 1)
    refused(executable(tmp_path, "noint", changed), "/lib99/ld-linux", "interpreter")


def test_absent_and_not_executable(tmp_path: Path) -> None:
    """A file that is absent, a directory, or not executable is refused with the reason."""
    refused(tmp_path / "absent", "No such file")
    refused(tmp_path, "not a file")
    plain = tmp_path / "plain"
    shutil.copyfile("/bin/ls", plain)
    refused(plain, "not executable")


def test_not_on_the_path() -> None:
    """A name without a slash is looked up in PATH."""
    ran = iopermit_run("no-such-program")
    assert ran.status == BAD_INPUT
    assert "PATH" in ran.errors


@pytest.mark.parametrize("backend", BACKENDS)
def test_jump_to_unmapped_memory(backend: str) -> None:
    """A jump to nowhere is SIGSEGV: status 139, as a shell says it."""
    require_backend(backend)
    ran = iopermit_run("--cpu", backend, program("jump", "((void (*)(void))0x123456789000)();"))
    assert (ran.output, ran.errors, ran.status) == ("", "", 139)


@pytest.mark.parametrize("backend", BACKENDS)
def test_endless_loop(backend: str) -> None:
    """--timeout ends an endless loop with status 3 and a message."""
    require_backend(backend)
    ran = iopermit_run("--cpu", backend, "--timeout", "0.3", program("spin", "for (;;);"))
    assert (ran.output, ran.status) == ("", UNDETERMINED)
    assert ran.errors == "iopermit: the program did not end within 0.3 s\n"


def test_endless_loop_of_system_calls() -> None:
    """--timeout ends a program too that is hardly ever in user mode."""
    ran = iopermit_run("--timeout", "0.3", program("calls", "for (;;) getppid();"))
    assert ran.status == UNDETERMINED


def test_fork_bomb() -> None:
    """Fork fails with EAGAIN when --max-tasks are alive, in every task."""
    code = "for (;;) { int p = fork(); if (p < 0) _exit(errno == EAGAIN ? 42 : 43); }"
    ran = iopermit_run("--max-tasks", "12", "--cpus", "2", program("bomb", code))
    assert (ran.errors, ran.status) == ("", 42)


def test_deadlock() -> None:
    """A program that waits for what cannot happen ends the run with status 3."""
    code = "int p[2]; char c; pipe(p); read(p[0], &c, 1);"
    ran = iopermit_run(program("deadlock", code))
    assert ran.status == UNDETERMINED
    assert "deadlock" in ran.errors


def test_calls_that_are_not_served_are_named_once() -> None:
    """A system call without a service is ENOSYS and named on stderr, once."""
    code = "for (int i = 0; i < 3; i++) if (syscall(250) != -1 || errno != ENOSYS) return 1;"
    ran = iopermit_run(program("enosys", code))
    assert (ran.status, ran.errors) == (0, "iopermit: system call 250 is not served (ENOSYS)\n")


def test_memory_is_limited() -> None:
    """A program that wants more memory than there is gets ENOMEM or dies, and nothing else."""
    code = "for (;;) { char *p = malloc(1 << 20); if (!p) return 5; memset(p, 1, 1 << 16); }"
    headers = ("-include", "stdlib.h", "-include", "string.h")
    ran = iopermit_run("--memory", "24M", "--timeout", "60", program("hog", code, *headers))
    assert ran.status in (5, 137)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--cpu", "z80"), "z80"),
        (("--design", "linux-9"), "linux-9"),
        (("--cpus", "0"), "--cpus"),
        (("--option", "nope"), "nope"),
        (("--io-log", "/nonexistent/log"), "/nonexistent"),
    ],
)
def test_wrong_options(arguments: tuple[str, ...], word: str) -> None:
    """A wrong option is status 2 and one message that names it."""
    ran = iopermit_run(*arguments, "/bin/true")
    assert ran.status == BAD_INPUT
    assert word in ran.errors
    assert "Traceback" not in ran.errors


@pytest.mark.parametrize("link", ["/proc/self/exe", "/proc/thread-self/exe", "/proc/self/fd/0"])
def test_an_interpreter_that_is_the_program_itself(tmp_path: Path, link: str) -> None:
    """Before the first process there is no /proc/self: a script cannot name it as interpreter."""
    script = executable(tmp_path, "script", f"#!{link}\n".encode())
    refused(script, "needs the interpreter", link, "No such file")
