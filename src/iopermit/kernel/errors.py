"""What goes wrong with a kernel tree, a patch or a build, as one message that can be printed."""

from __future__ import annotations

from typing import ClassVar


class KernelTreeError(Exception):
    """A kernel tree, patch or build that cannot be used; the message says what, where and why."""

    code: ClassVar[str] = "bad-tree"
    """The code that the message is printed with; `iopermit explain` knows it."""


class PatchError(KernelTreeError):
    """A patch that cannot be read, or that does not apply."""

    code: ClassVar[str] = "bad-patch"


class BuildError(KernelTreeError):
    """A build that fails, or for which something is missing."""

    code: ClassVar[str] = "failed-build"
