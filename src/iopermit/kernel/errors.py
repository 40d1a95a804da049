"""What goes wrong with a kernel tree, a patch or a build, as one message that can be printed."""

from __future__ import annotations


class KernelTreeError(Exception):
    """A kernel tree, patch or build that cannot be used; the message says what, where and why."""
