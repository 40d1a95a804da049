"""Runs the tree's own Kbuild in the overlay: the configuration, then the wanted objects."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iopermit.cache.key import KEY_VARIABLE
from iopermit.engine.interruption import SIGNALS
from iopermit.kernel.build.beneath import read_beneath, unlink_beneath
from iopermit.kernel.build.configuration import FULL, Configuration
from iopermit.kernel.build.sandbox import BuildSandbox
from iopermit.kernel.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from iopermit.kernel.build.toolchain import Toolchain

IMAGE_TARGET = "bzImage"
IMAGE = "arch/x86/boot/bzImage"
"""The image, in the directory of products."""

# objtool checks objects and prepares them for booting. These are executed unlinked and need none of
# it, nor libelf, with which objtool is built.
_WITHOUT_OBJTOOL = ("CONFIG_OBJTOOL=", "CONFIG_STACK_VALIDATION=", "objtool=true")

# Variables of the caller's own builds, which must not change what is built here, and the secret
# that a tree's own scripts have no business with.
_FOREIGN = re.compile(
    r"(MAKE.*|MFLAGS|GNUMAKEFLAGS|KBUILD.*|KCONFIG.*|K[CAR].*FLAGS|[CA]FLAGS.*|LDFLAGS.*|ARCH|SUBARCH"
    r"|[OVWCM]|LOCALVERSION.*|INSTALL.*|CONFIG_.*|HOST.*|C_INCLUDE_PATH|CPATH|GCC_.*|LANG.*|LC_.*"
    rf"|{KEY_VARIABLE})"
)
_FAILED = re.compile(r"\*\*\* \[([^\]]+)\] Error")
_NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded")
_MOST_OUTPUT = 64 << 20
"""Bytes that a build may print: many times what one does that fails."""
_LONGEST_LINE = 4000
"""Characters of a line of it that are looked at."""


@dataclass(frozen=True)
class Failure:
    """What stopped make.

    Attributes:
        target: The file that could not be made; empty if make failed before.
        message: What the compiler, or make, says; paths are relative to the tree.
        command: The command that failed; empty if it is not known.
    """

    target: str
    message: str
    command: str


@dataclass(frozen=True)
class Kbuild:
    """The tree's build system, set up for one overlay and one directory of products.

    Attributes:
        source: The overlay.
        output: Where it builds.
        toolchain: With what.
        sandbox: How the tree's programs are kept from everything else.
        tree: The tree that the overlay has links to, if it has any.
        configuration: What the tree is to be configured to.
    """

    source: Path
    output: Path
    toolchain: Toolchain
    sandbox: BuildSandbox = field(default_factory=BuildSandbox)
    tree: Path | None = None
    configuration: Configuration = FULL

    def configure(
        self, text: str | None = None, needed: Collection[str] | None = None
    ) -> Failure | None:
        """Make the configuration.

        Args:
            text: What is on beyond `allnoconfig`, if it is not what the code is executed with.
            needed: Symbols of it without which the build would be of no use.

        Returns:
            What failed, if something did.

        Raises:
            BuildError: There is no space.
        """
        text = self.configuration.text if text is None else text
        needed = self.configuration.required if needed is None else needed
        wanted = self.output / "iopermit.config"
        wanted.write_text(text)
        failure = self._make([f"KCONFIG_ALLCONFIG={wanted}", "allnoconfig"])
        if failure:
            return failure
        enabled = self._text(".config").splitlines()
        missing = [name for name in needed if f"CONFIG_{name}=y" not in enabled]
        if not missing:
            return None
        asked = " ".join(text.split())
        return Failure(
            ".config", f"Kconfig does not allow CONFIG_{missing[0]}=y besides {asked}", ""
        )

    def build(self, objects: Sequence[str]) -> Failure | None:
        """Build all objects that can be built.

        Returns:
            What failed first, if something did; other objects may have been built.

        Raises:
            BuildError: There is no space.
        """
        maps = f"-fdebug-prefix-map={self.source}/= -fdebug-prefix-map={self.output}=."
        return self._make(["-k", f"KCFLAGS={maps}", f"KAFLAGS={maps}", *_WITHOUT_OBJTOOL, *objects])

    def build_image(self, *variables: str) -> Failure | None:
        """Build the image that a boot loader loads, with all that is in it.

        Args:
            variables: Assignments for make.

        Returns:
            What failed, if something did.

        Raises:
            BuildError: There is no space.
        """
        return self._make([*variables, IMAGE_TARGET])

    def forget(self, target: str) -> None:
        """Remove an object and what Kbuild has noted about it."""
        directory, _, name = target.rpartition("/")
        for path in (target, f"{directory}/.{name}.cmd"):
            unlink_beneath(self.output, path)

    def read(self, target: str) -> bytes | None:
        """Return the bytes of a regular file that was built; `None` if there is none.

        Raises:
            BuildError: It is too large.
        """
        return read_beneath(self.output, target)

    def unpatched(self, target: str, changed: Collection[str]) -> str | None:
        """Return a changed file of which an object includes the old form, by a link and `..`."""
        for path in self._noted(target):
            wanted: str = os.path.normpath(path)
            if (
                ".." in path
                and wanted in changed
                and not (self.source / path).samefile(self.source / wanted)
            ):
                return wanted
        return None

    def skipped(self, target: str, skipped: Collection[str]) -> str | None:
        """Return a file that an object includes, of those to which no patch was applied."""
        used = (os.path.normpath(path) for path in self._noted(target))
        return next((path for path in used if path in skipped), None)

    def _noted(self, target: str) -> list[str]:
        """Return the files of the tree that Kbuild has noted as what an object is made of."""
        directory, _, name = target.rpartition("/")
        top = f"{self.source}/"
        noted = self._text(f"{directory}/.{name}.cmd" if directory else f".{name}.cmd").split()
        return [word.removeprefix(top) for word in noted if word.startswith(top)]

    def _text(self, path: str) -> str:
        return (self.read(path) or b"").decode("utf-8", "replace")

    def _make(self, arguments: Sequence[str]) -> Failure | None:
        command = [
            *("make", "-C", str(self.source), f"O={self.output}", "ARCH=x86_64", "V=1"),
            *(f"-j{len(os.sched_getaffinity(0))}", "--output-sync=target", "--no-print-directory"),
            *(*self.toolchain.make_arguments, *arguments),
        ]
        temporary = self.output / "tmp"
        temporary.mkdir(exist_ok=True)
        environment = {k: v for k, v in os.environ.items() if not _FOREIGN.fullmatch(k)}
        environment |= {"LC_ALL": "C", "TMPDIR": str(temporary)}
        visible = [path for path in (self.source, self.tree) if path is not None]
        inside = self.sandbox.command(visible, self.output, temporary, environment)
        status, output = run([*inside, *command], environment)
        if _NO_SPACE.search(output):
            raise no_space(self.output)
        if status == 0:
            return None
        lines = [line[:_LONGEST_LINE] for line in output.splitlines()]
        return self._failure(lines, " ".join(command))

    def _failure(self, lines: Sequence[str], make: str) -> Failure:
        """Find what failed first; make has kept the lines of a target together."""
        for end, line in enumerate(lines):
            match = _FAILED.search(line)
            if match is None:
                continue
            # In front of the target make names the place of the rule: `Makefile:250: kernel/b.o`.
            target = match[1].rpartition(": ")[2]
            begin = end - 1
            while begin >= 0 and not (lines[begin].startswith("  ") and target in lines[begin]):
                begin -= 1
            if begin < 0:
                return Failure(target, self._in_tree(lines[max(0, end - 20) : end]), make)
            # The command goes on behind the semicolon with what Kbuild notes about it.
            command = lines[begin].split(";")[0].strip().replace(f"{self.source}/", "../source/")
            return Failure(target, self._in_tree(lines[begin + 1 : end]), command)
        return Failure("", self._in_tree(lines[-20:]), make)

    def _in_tree(self, lines: Sequence[str]) -> str:
        """Return what the compiler says, with paths relative to the tree."""
        return "\n".join(lines).replace(f"{self.source}/", "")


def no_space(directory: Path) -> BuildError:
    """Return the error that says where there is no space left."""
    return BuildError(
        f"no space left in {directory}; make room (a build takes about 50 MB, what is kept of it "
        f"5 MB), or set XDG_CACHE_HOME to a directory on another file system"
    )


def run(command: Sequence[str], environment: dict[str, str]) -> tuple[int, str]:
    """Run a program; when this function ends, also by an exception, all its descendants are dead.

    Returns:
        The exit status, and what it wrote to stdout and stderr.

    Raises:
        BuildError: It writes more than a build does.
    """
    # A program started must not be lost to a Ctrl-C that comes before it is known here.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A process group of its own: Ctrl-C does not reach it, but all of it can be killed.
            start_new_session=True,
        )
        with process:
            try:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
                output = _all_of(process)
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return process.returncode, output.decode("utf-8", "replace")


def _all_of(process: subprocess.Popen[bytes]) -> bytes:
    """Return what a program writes until it ends."""
    assert process.stdout is not None  # it is a pipe
    output = process.stdout.read(_MOST_OUTPUT + 1)
    if len(output) > _MOST_OUTPUT:
        raise BuildError(f"the build prints more than {_MOST_OUTPUT >> 20} MB, and was ended")
    return output
