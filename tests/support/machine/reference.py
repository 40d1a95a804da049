"""What a real Linux says: the Linux selftests and the random scripts, run once per test session."""

from __future__ import annotations

import fcntl
import functools
import json
import os
import subprocess
import tempfile
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.machine.cache import PROGRAMS, compiled, linux_source
from tests.support.machine.packages import library_path
from tests.support.machine.real_linux import Ended, base_image, run_on_linux
from tests.support.machine.scripts import Script, random_script
from tests.support.requirements import require_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iopermit.reproduce.guest.initramfs import Initramfs

SCRIPTS = 2000
"""Number of scripts that run on one CPU."""
SCRIPTS_ON_TWO_CPUS = 100
"""Number of scripts that run on two CPUs, which QEMU takes far longer for."""
SELFTESTS = ("ioperm", "iopl")
KINDS: dict[str, tuple[str, ...]] = {
    "static64": ("-static",),
    "dynamic64": (),
    "static32": ("-m32", "-static"),
}
"""How selftests are compiled: gcc's options by a name."""

DIRECT = ("-A", "intel-conf1", "-H1")
"""Options of lspci: use ports 0xCF8 and 0xCFC, not what the kernel tells."""
DIRECT_ISA = ("--directisa", "--show", "--utc", "--noadjfile")
"""Options of hwclock: use ports 0x70 and 0x71, not the kernel's clock device."""

_SELFTESTS_FOLDER = "tools/testing/selftests/x86"
_SESSION = os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid.uuid4().hex


def scripts(cpus: int) -> list[Script]:
    """Return the scripts for so many CPUs."""
    count = SCRIPTS if cpus == 1 else SCRIPTS_ON_TWO_CPUS
    return [random_script(seed, cpus=cpus) for seed in range(count)]


def script_program(*options: str) -> Path:
    """Return the program that executes scripts, by default for x86-64."""
    return compiled(PROGRAMS / "scripts.c", "-static", *options)


def selftest(name: str, kind: str) -> Path:
    """Return a Linux selftest of Debian's kernel source, compiled unchanged."""
    members = [f"{_SELFTESTS_FOLDER}/{each}.c" for each in SELFTESTS]
    source = linux_source(*members) / _SELFTESTS_FOLDER / f"{name}.c"
    return compiled(source, *KINDS[kind])


@functools.cache
def selftests_on_linux() -> dict[tuple[str, str], Ended]:
    """Return what each selftest printed on the real kernel, by name and kind."""
    which = [(name, kind) for name in SELFTESTS for kind in KINDS]
    image = base_image()
    for name, kind in which:
        image.program(f"{name}-{kind}", selftest(name, kind))
    _add_libraries(image, selftest("ioperm", "dynamic64"))
    commands = [f"/{name}-{kind}" for name, kind in which]
    return dict(zip(which, _once("selftests", image, commands, cpus=1), strict=True))


@functools.cache
def scripts_on_linux(cpus: int) -> Ended:
    """Return what the scripts printed on the real kernel."""
    image, commands = _with_scripts(scripts(cpus))
    (ended,) = _once(f"scripts-{cpus}", image, commands, cpus=cpus)
    return ended


def run_scripts_on_linux(chosen: Sequence[Script], *, cpus: int) -> Ended:
    """Return what some scripts print on the real kernel, which is booted for them."""
    image, commands = _with_scripts(chosen)
    (ended,) = run_on_linux(image, commands, cpus=cpus)
    return ended


def _with_scripts(chosen: Sequence[Script]) -> tuple[Initramfs, list[str]]:
    image = base_image()
    image.program("scripts", script_program())
    image.file("input", "".join(script.line() for script in chosen).encode())
    return image, ["/scripts /input"]


def debian_programs_on_linux(lspci: Path, hwclock: Path) -> list[Ended]:
    """Return how a real kernel answers an ordinary user who runs lspci and hwclock."""
    image = base_image()
    for program in (lspci, hwclock):
        image.program(program.name, program)
    _add_libraries(image, lspci, hwclock)
    commands = [f"user /lspci {' '.join(DIRECT)}", f"user /hwclock {' '.join(DIRECT_ISA)}"]
    return _once("debian", image, commands, cpus=1)


def _add_libraries(image: Initramfs, *programs: Path) -> None:
    """Put what dynamically linked programs need where the interpreter looks for it."""
    for library in sorted({path for program in programs for path in _libraries(program)}):
        folder = "lib64" if library.name.startswith("ld-linux") else "lib"
        image.program(f"{folder}/{library.name}", library)


def _libraries(program: Path) -> list[Path]:
    """Return what a dynamically linked program needs, as its own interpreter finds it."""
    command = [str(require_tool("ldd")), str(program)]
    environment = os.environ | library_path(program)
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    paths = (word for word in done.stdout.split() if word.startswith("/"))
    return [Path(path) for path in paths if not path.endswith(":")]


def _once(name: str, image: Initramfs, commands: list[str], *, cpus: int) -> list[Ended]:
    """Boot, unless another test process of this session has done so."""
    return [
        Ended(**each)
        for each in once_per_session(
            name, lambda: [asdict(each) for each in run_on_linux(image, commands, cpus=cpus)]
        )
    ]


def once_per_session(name: str, make: Callable[[], Any]) -> Any:  # noqa: ANN401 - JSON
    """Return what `make` returns, or has returned in another test process of this session."""
    folder = Path(tempfile.gettempdir()) / f"iopermit-reference-{_SESSION}"
    folder.mkdir(exist_ok=True)
    result = folder / f"{name}.json"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not result.exists():
            result.write_text(json.dumps(make()), encoding="utf-8")
    return json.loads(result.read_text(encoding="utf-8"))
