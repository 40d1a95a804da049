"""What decides about verdicts besides scenarios: the checker's own code, designs, trees, patches.

Reports, the command line and this layer do not decide about verdicts: who changes them keeps the
results of earlier sweeps.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import platform
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

import iopermit
from iopermit.kernel.build.fingerprint import fingerprint
from iopermit.kernel.build.source import Source
from iopermit.kernel.build.toolchain import find_toolchain
from iopermit.kernel.build.tree import require_checkable
from iopermit.sweep.errors import SweepError

if TYPE_CHECKING:
    from iopermit.system.design import Design

_APART: Final = frozenset(
    {"certify", "cli", "explore", "machine", "report", "reproduce", "sweep", "__pycache__"}
)
"""The layers that do not decide about what `check` finds; a new layer counts."""
_LIBRARIES: Final = ("capstone", "llvmlite", "numpy", "pyelftools", "unicorn")
"""What they execute besides; an extra may be missing."""


@functools.cache
def checker() -> str:
    """Return a hash of what judges: iopermit's own code, the libraries under it, and Python."""
    package = Path(iopermit.__file__).parent
    total = hashlib.sha256(f"python {platform.python_version()}\n".encode())
    for name in _LIBRARIES:
        total.update(f"{name} {version_of(name)}\n".encode())
    for file in sorted(package.rglob("*")):
        place = file.relative_to(package)
        if file.is_file() and _APART.isdisjoint((place.parts[0], file.parent.name)):
            content = file.read_bytes()
            total.update(f"{place} {len(content)}\n".encode())
            total.update(content)
    return total.hexdigest()


def version_of(library: str) -> str:
    """Return the version of a library that is installed, or ``missing``."""
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "missing"


def versions() -> dict[str, str]:
    """Return what `checker()` is made of by name, for messages about what differs."""
    return {
        "version of iopermit": iopermit.__version__,
        "version of Python": platform.python_version(),
        **{f"version of {name}": version_of(name) for name in _LIBRARIES},
        # Last: it differs as well if one of the others does.
        "code of iopermit": checker(),
    }


def design_files(design: type[Design]) -> list[Path]:
    """Return the files that define a design, of itself and of what it is based on.

    The checker's hash has iopermit's own files; what comes with Python is no part of any.
    """
    files = {inspect.getfile(each) for each in design.__mro__ if each is not object}
    package = Path(iopermit.__file__).parent
    found = map(Path, sorted(files))
    return [file for file in found if package not in file.parents and file.is_file()]


def design_digest(design: type[Design]) -> str:
    """Return a hash of the files that define a design: its own and those of what it is based on."""
    total = hashlib.sha256(design.id.encode())
    for file in design_files(design):
        total.update(file.read_bytes())
    return total.hexdigest()


def tree_digest(tree: Path) -> str:
    """Return a hash of the files of a kernel tree that decide about what is built.

    Raises:
        KernelTreeError: it is no kernel tree, or none that can be checked.
    """
    source = Source(tree.absolute())
    require_checkable(source)
    return fingerprint(source)


@functools.cache
def compiler() -> str:
    """Return what identifies the compiler. Raises KernelTreeError if programs are missing."""
    return find_toolchain().compiler


def file_digest(file: Path) -> str:
    """Return a hash of a file.

    Raises:
        SweepError: it cannot be read.
    """
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise SweepError(f"cannot read {file}: {error.strerror}") from error
