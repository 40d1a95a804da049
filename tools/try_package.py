"""Builds the wheel, and tries it in clean environments: its size, its verbs, its missing extras.

Needs a package index for what the wheel depends on. Interpreters: those given, else every Python
that is on the PATH and that the package admits.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
MOST_MEGABYTES: Final = 280
"""What designs may take on disk, with all libraries."""
READ_ONLY: Final = "/sys"
"""A home directory in which nobody can make a file, not even root."""
_NEWEST_MINOR: Final = 20
"""Pythons are looked for up to 3.20."""


class Try(NamedTuple):
    """A command line, with the status and a part of the output that it must have."""

    arguments: tuple[str, ...]
    status: int
    text: str


CORE: Final = (
    Try(("--version",), 0, "iopermit "),
    Try(("list",), 0, "linux-v2-06"),
    Try(("check", "linux-v2-06"), 1, "BUG: port leak in linux-v2-06"),
    Try(("check", "linux-6.16", "--cpus", "1", "--tasks", "1", "--longs", "1"), 0, "HOLDS: "),
    Try(("cost", "linux-6.16"), 0, "switch-in"),
    Try(("check", "--kernel", "."), 2, "iopermit[kernel]"),
    Try(("run", "/bin/true"), 2, "iopermit[run]"),
    Try(("cost", "linux-6.16", "--plot", "costs.svg"), 2, "iopermit[plot]"),
    Try(("check", "linux-6.16", "--obligations"), 2, "iopermit[prove]"),
    Try(("cost", "linux-6.16", "--html", "costs.html"), 2, "iopermit[web]"),
    Try(("explore", "linux-6.16"), 2, "iopermit[web]"),
    Try(("reproduce", "saved.json", "--image", "vmlinuz"), 2, "iopermit[reproduce]"),
    Try(
        ("check", "linux-6.16", "--cpus", "1", "--disk", "states", "--cluster", "auto"),
        2,
        "iopermit[cluster]",
    ),
)
"""What works without extras, and what names one."""
EVERYTHING: Final = (
    Try(("run", "/bin/true"), 0, ""),
    Try(("check", "--kernel", "."), 2, "is not a Linux kernel source tree"),
    Try(("cost", "linux-6.16", "--plot", "/dev/null"), 0, "switch-in"),
    Try(("check", "linux-6.16", "--cpus", "1", "--tasks", "1", "--obligations"), 0, "z3"),
)
"""What works with the extra `all`."""


def main(arguments: list[str]) -> int:
    """Build, try with each interpreter, and return the exit status."""
    pythons = arguments or interpreters()
    with tempfile.TemporaryDirectory(prefix="iopermit-package-") as name:
        folder = Path(name)
        wheel = built(folder / "dist")
        for number, python in enumerate(pythons):
            problems = tried(python, wheel, folder / str(number), everything=number == 0)
            if problems:
                print("\n".join(problems))
                return 1
    return 0


def interpreters() -> list[str]:
    """Return the Pythons on the PATH that the package admits, oldest first."""
    names = [f"python3.{minor}" for minor in range(11, _NEWEST_MINOR + 1)]
    found = [path for path in map(shutil.which, names) if path is not None]
    # A version manager may have a name on the PATH for what it would not start.
    return [path for path in found if _runs([path, "-c", ""])] or [sys.executable]


def _runs(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def built(folder: Path) -> Path:
    """Return the wheel, built from the source distribution, with metadata that an index accepts."""
    subprocess.run([sys.executable, "-m", "build", "-n", "-o", folder, ROOT], check=True)
    files = sorted(folder.iterdir())
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *files], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def tried(python: str, wheel: Path, folder: Path, *, everything: bool) -> list[str]:
    """Install the wheel for a Python, run it, and return what is wrong."""
    subprocess.run([python, "-m", "venv", str(folder / "venv")], check=True)
    before = megabytes(folder / "venv")
    install = [str(folder / "venv/bin/pip"), "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*install, str(wheel)], check=True)
    size = megabytes(folder / "venv") - before
    print(f"{python}: iopermit takes {size:.0f} MB, of at most {MOST_MEGABYTES}")
    problems = [f"{python}: {size:.0f} MB are too many"] if size > MOST_MEGABYTES else []
    problems += checked(folder, CORE)
    if everything and not problems:
        subprocess.run([*install, f"{wheel}[all]"], check=True)
        print(f"{python}: with all extras {megabytes(folder / 'venv') - before:.0f} MB")
        problems += checked(folder, EVERYTHING)
    return [f"{python}: {problem}" for problem in problems]


def megabytes(folder: Path) -> float:
    """Return the space that a directory takes on disk, as `du` counts it."""
    kept = {each.stat(follow_symlinks=False).st_ino: each for each in folder.rglob("*")}
    return sum(each.stat(follow_symlinks=False).st_blocks for each in kept.values()) * 512 / 2**20


def checked(folder: Path, tries: tuple[Try, ...]) -> list[str]:
    """Run the installed command from another directory without a home; return what is wrong."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    environment = {"HOME": READ_ONLY, "PATH": os.defpath}
    problems = []
    for arguments, status, text in tries:
        ran = subprocess.run(
            [folder / "venv/bin/iopermit", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=elsewhere,
            env=environment,
        )
        if ran.returncode != status or text not in ran.stdout + ran.stderr:
            shown = " ".join(arguments)
            problems.append(f"iopermit {shown}: status {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return problems


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
