"""Runs the tree's own Kbuild in the overlay: the configuration, then the wanted objects."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from iopermit.kernel.errors import KernelTreeError
from iopermit.kernel.toolchain import Toolchain

CONFIGURATION = """\
CONFIG_64BIT=y
CONFIG_SMP=y
CONFIG_EXPERT=y
CONFIG_PREEMPT=y
CONFIG_X86_IOPL_IOPERM=y
CONFIG_PRINTK=y
CONFIG_BUG=y
CONFIG_DEBUG_KERNEL=y
CONFIG_DEBUG_INFO=y
CONFIG_DEBUG_INFO_DWARF4=y
CONFIG_UNWINDER_FRAME_POINTER=y
CONFIG_INIT_STACK_NONE=y
"""
"""What is on beyond `allnoconfig`; a symbol that a tree does not have is ignored by Kconfig."""

WANTED = ("64BIT", "SMP", "PREEMPT", "DEBUG_INFO")

# objtool checks and rewrites objects for booting; the objects here are executed unlinked and need
# none of it, nor the libelf that objtool is built with.
_WITHOUT_OBJTOOL = ("CONFIG_OBJTOOL=", "CONFIG_STACK_VALIDATION=", "objtool=true")

# Variables of the caller's own kernel builds must not change what is built here.
_FOREIGN = re.compile(
    r"^(MAKE.*|MFLAGS|GNUMAKEFLAGS|KBUILD.*|KCONFIG.*|K[CAR].*FLAGS|[CA]FLAGS.*|LDFLAGS.*|ARCH|SUBARCH|O|V|W|C|M"
    r"|LOCALVERSION.*|INSTALL.*|CONFIG_.*|HOST.*|CPATH|C_INCLUDE_PATH|GCC_.*|LANG(UAGE)?|LC_.*)$"
)


@dataclass(frozen=True)
class Kbuild:
    """The tree's build system, set up for one overlay and one directory of products.

    Attributes:
        source: The overlay.
        output: Where it builds.
        toolchain: With what.
    """

    source: Path
    output: Path
    toolchain: Toolchain

    def configure(self) -> set[str]:
        """Make the configuration and return the symbols that are `y` in it.

        Raises:
            KernelTreeError: Kconfig fails, or does not give what the check needs.
        """
        wanted = self.output / "iopermit.config"
        wanted.write_text(CONFIGURATION)
        self._make([f"KCONFIG_ALLCONFIG={wanted}", "allnoconfig"], "configuring the kernel failed")
        text = (self.output / ".config").read_text()
        enabled = set(re.findall(r"^CONFIG_(\w+)=y$", text, re.MULTILINE))
        missing = [name for name in WANTED if name not in enabled]
        if missing:
            raise KernelTreeError(
                f"the tree's Kconfig does not allow CONFIG_{missing[0]}=y, which the check needs. "
                f"Configured from allnoconfig with {wanted.name}: "
                + ", ".join(CONFIGURATION.split())
            )
        return enabled

    def build(self, objects: Sequence[str]) -> None:
        """Build the objects that can be built.

        Raises:
            KernelTreeError: make itself fails, before it comes to the objects.
        """
        maps = f"-fdebug-prefix-map={self.source}/= -fdebug-prefix-map={self.output}=."
        self._make([f"KCFLAGS={maps}", *_WITHOUT_OBJTOOL, *objects], "building failed")

    def _make(self, arguments: Sequence[str], failure: str) -> None:
        command = [
            "make", "-C", str(self.source), f"O={self.output}", "ARCH=x86_64", "V=1",
            f"-j{os.cpu_count() or 1}", "--output-sync=target", "--no-print-directory",
            *self.toolchain.make_arguments, *arguments,
        ]  # fmt: skip
        temporary = self.output / "tmp"
        temporary.mkdir(exist_ok=True)
        environment = {k: v for k, v in os.environ.items() if not _FOREIGN.match(k)}
        environment |= {"LC_ALL": "C", "TMPDIR": str(temporary)}
        status, output = run(command, environment)
        if status != 0:
            raise KernelTreeError(f"{failure}\n{output[-3000:]}\ncommand: {' '.join(command)}")


def run(command: Sequence[str], environment: dict[str, str]) -> tuple[int, str]:
    """Run a program with all its descendants in a group that ends with this function.

    Returns:
        The exit status, and what it wrote to stdout and stderr.
    """
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            output, _ = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, output


Progress = Callable[[str], None]
