"""A file system of a few kilobytes for tests, on which there really is no space left."""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.requirements import require_tool, skip_or_fail

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class SmallDisk:
    """A folder that is a file system of its own to the scripts that run there.

    Attributes:
        folder: where it is; what one script leaves in it the next one does not see.
        size: its bytes.
    """

    folder: Path
    size: int

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script for a shell, to which `iopermit` is the one that is tested.

        Needs bubblewrap; where it does not work the running test is skipped.
        """
        if self._ran("true").returncode:
            skip_or_fail(f"needs bubblewrap with a tmpfs: {self._ran('true').stderr.strip()}")
        command = f'iopermit() {{ {shlex.quote(sys.executable)} -m iopermit "$@"; }}\n'
        return self._ran(command + script)

    def filled(self, left: int = 0) -> str:
        """Return a command that fills it with a file `filler`, but for some bytes."""
        filler = shlex.quote(str(self.folder / "filler"))
        return f"cat /dev/zero >{filler} 2>/dev/null; truncate -s -{left} {filler}\n"

    def _ran(self, script: str) -> subprocess.CompletedProcess[str]:
        mount = ["--dev-bind", "/", "/", "--size", str(self.size), "--tmpfs", str(self.folder)]
        shell = ["--", "/bin/sh", "-c", script]
        return subprocess.run(
            [str(require_tool("bwrap")), *mount, *shell],
            capture_output=True,
            text=True,
            check=False,
        )
