"""Runs the build of a tree in bubblewrap: without network, and with one directory to write to.

A build executes what is in the tree: Makefiles, scripts, programs that are compiled on the way. In
the sandbox it sees the tree, the compiler and the system's programs and libraries, can write to the
directory of the build and nowhere else, and reaches neither the network nor other processes nor the
sockets that services of the host listen at.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from iopermit.kernel.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SandboxChoice = Literal["auto", "on", "off"]
"""`on`: no build without a sandbox; `auto`: with one where it works."""

_SYSTEM: Final = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store"),
    *("/gnu/store", "/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf"),
    *("/etc/ld.so.conf.d",),
)
"""What programs and compilers need. Elsewhere are secrets, and the sockets of services."""
_HIDDEN: Final = ("/", "/home", "/root", "/etc", "/run", "/tmp", "/var", "/proc", "/sys", "/dev")  # noqa: S108 - not written to
_ISOLATED: Final = ("--unshare-all", "--die-with-parent", "--cap-drop", "ALL", "--clearenv")
_PASSED_ON: Final = ("PATH", "LC_ALL", "TMPDIR", "SOURCE_DATE_EPOCH")
"""Variables that the build sees; others may hold secrets, which a compiler's message would show."""
_PROBE_SECONDS: Final = 20


@dataclass(frozen=True)
class BuildSandbox:
    """How builds are run.

    Attributes:
        program: bubblewrap; `None` to run builds as they are.
        tools: Directories of programs outside of the system's, such as a cross compiler's.
        why_not: Why there is none although one is wanted; else empty.
    """

    program: Path | None = None
    tools: tuple[Path, ...] = ()
    why_not: str = ""

    def command(
        self,
        visible: Iterable[Path],
        writable: Path,
        temporary: Path,
        environment: Mapping[str, str],
    ) -> list[str]:
        """Return what to put in front of a command.

        Args:
            visible: Directories that the command sees, without links on the way to them.
            writable: The directory that it can write to, the same.
            temporary: A directory in it, which the command also sees as /tmp: make takes no other.
            environment: The variables of the environment.
        """
        if self.program is None:
            return []
        seen = [argument for path in (*self.tools, *visible) for argument in _shown(path)]
        passed = {name: environment[name] for name in _PASSED_ON if name in environment}
        variables = [x for item in {**passed, "HOME": str(writable)}.items() for x in item]
        pairs = zip(variables[::2], variables[1::2], strict=True)
        return [
            *(str(self.program), *_ISOLATED, *_system(), "--proc", "/proc", "--dev", "/dev"),
            *("--bind", str(temporary), "/tmp"),  # noqa: S108 - nobody else sees this one
            *seen,
            *("--bind", str(writable), str(writable), "--remount-ro", "/", "--remount-ro", "/dev"),
            *(x for name, value in pairs for x in ("--setenv", name, value)),
            *("--chdir", str(writable), "--"),
        ]


def find_sandbox(choice: SandboxChoice, programs: Iterable[Path] = ()) -> BuildSandbox:
    """Return how builds are to be run, as far as that works here.

    Args:
        choice: What the user wants.
        programs: Programs that the build needs, wherever they are.

    Raises:
        BuildError: A sandbox must be there, and does not work here; the message says why.
    """
    if choice == "off":
        return BuildSandbox()
    found = shutil.which("bwrap")
    sandbox = BuildSandbox(Path(found), _tools(programs)) if found else BuildSandbox()
    why_not = _problem(sandbox)
    if why_not and choice == "on":
        raise BuildError(
            f"--sandbox on: {why_not}. Let it build with your own rights by --sandbox off"
        )
    return BuildSandbox(why_not=why_not) if why_not else sandbox


def _problem(sandbox: BuildSandbox) -> str:
    """Return why a sandbox does not work; empty if it does."""
    if sandbox.program is None:
        return "bwrap is not on the PATH (on Debian and Ubuntu: apt-get install bubblewrap)"
    inside = sandbox.command((), Path("/usr"), Path("/usr"), {"PATH": os.defpath})
    # The directory to write to is bound read-only here: nothing is to be written.
    command = ["--ro-bind" if word == "--bind" else word for word in inside]
    try:
        done = subprocess.run(
            [*command, "true"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bwrap cannot be run: {error}"
    if done.returncode == 0:
        return ""
    said = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
    return f"bwrap does not work here: {said or f'it ends with status {done.returncode}'}"


def _system() -> list[str]:
    """Return the arguments that show the system's programs, as they are laid out here."""
    arguments = []
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink() and path.parent == Path("/"):
            arguments += ["--symlink", str(path.readlink()), name]
        elif path.exists():
            arguments += ["--ro-bind", name, name]
    return arguments


def _shown(path: Path) -> list[str]:
    return ["--ro-bind", str(path), str(path)]


def _tools(programs: Iterable[Path]) -> tuple[Path, ...]:
    """Return what to show besides the system's directories, so that programs can be executed."""
    shown = dict.fromkeys(
        _prefix(path) for program in programs for path in (program, program.resolve())
    )
    return tuple(path for path in shown if not _is_system(path))


def _prefix(program: Path) -> Path:
    """Return the directory that a program was installed to: the one above `bin`, if it has one."""
    directory = program.parent
    above = directory.parent
    if directory.name == "bin" and not _is_private(above):
        return above
    return program if _is_private(directory) else directory


def _is_private(directory: Path) -> bool:
    """Return whether a directory has more in it than programs."""
    return str(directory) in _HIDDEN or directory == Path.home()


def _is_system(path: Path) -> bool:
    return any(path.is_relative_to(name) for name in _SYSTEM)
