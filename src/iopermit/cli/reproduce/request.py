"""Which kernel is booted, and what is done with it: what `reproduce` and `check` have in common."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iopermit.cli.errors import BadInputError
from iopermit.cli.kernel import sandbox_choice, source_text
from iopermit.cli.output import complain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.engine.verdict import Verdict
    from iopermit.report.reproduction.facts import Reproduction
    from iopermit.reproduce.image.kernel_image import KernelImage

ImageOption = Annotated[
    Path | None,
    typer.Option("--image", metavar="VMLINUZ", help="The kernel to boot, a bzImage with BTF."),
]
AppendOption = Annotated[
    str,
    typer.Option(
        "--append", metavar="OPTIONS", help="Add these options to the kernel's command line."
    ),
]
ControlPatchOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--control-patch",
        metavar="FILE",
        help="Also boot the tree with this repair, as a control. Repeatable.",
    ),
]
ControlImageOption = Annotated[
    Path | None,
    typer.Option(
        "--control-image", metavar="VMLINUZ", help="Also boot this repaired kernel, as a control."
    ),
]


@dataclass(frozen=True)
class ReproductionRequest:
    """A kernel, given or to be built, and how often it is booted."""

    image: Path | None = None
    tree: Path | None = None
    patches: tuple[Path, ...] = ()
    append: str = ""
    control_patches: tuple[Path, ...] = ()
    control_image: Path | None = None
    sandbox: str | None = None
    runs: int = 1
    seconds: float = 120
    """After which a machine that is silent is given up."""
    controls: bool = True
    free: int | None = None
    """How often the tasks are left alone, if nothing is to be forced."""
    quiet: bool = False

    def __post_init__(self) -> None:
        """Refuse what does not fit together. Raises BadInputError."""
        if self.control_patches and self.tree is None:
            raise BadInputError("--control-patch needs --kernel TREE")
        if self.control_patches and self.control_image is not None:
            raise BadInputError("give one of --control-patch FILE and --control-image VMLINUZ")
        controlled = self.control_patches or self.control_image
        if self.free is not None and (controlled or self.runs > 1 or not self.controls):
            raise BadInputError("--free takes no --runs and no controls: nothing is forced")
        if controlled and not self.controls:
            raise BadInputError("--no-controls excludes --control-patch and --control-image")

    def require_usable(self) -> None:
        """Make sure, before any work, that there is QEMU, and that images and patches can be used.

        Raises:
            ReproduceError: there is none, or an image cannot be used.
            KernelTreeError: the repair does not apply behind the patches.
            MissingExtraError: a library that unpacks an image is not installed.
            OSError: an image cannot be read.
        """
        from iopermit.reproduce.emulated_machine import find_qemu  # only now needed

        find_qemu()
        for image in (self.image, self.control_image):
            if image is not None:
                _read(image)
        if self.tree is not None and self.control_patches:
            from iopermit.kernel.build.patches.patch import apply_patches  # as above
            from iopermit.kernel.build.source import Source

            apply_patches(Source(self.tree), [*self.patches, *self.control_patches])

    def reproduced(self, verdict: Verdict) -> Reproduction:
        """Execute a counterexample on the kernel.

        Raises:
            ReproduceError: a tool is missing, or a kernel does not boot.
            KernelTreeError: the tree, a patch or the build cannot be used.
        """
        from iopermit.reproduce.reproduction import (  # as above
            Wanted,
            reproduce,
            reproduce_free,
            unforceable,
        )

        found = unforceable(verdict)
        if found is not None:
            return found
        self.require_usable()
        is_repaired = self.control_patches or self.control_image
        wanted = Wanted(
            self._kernel(self.image, self.patches),
            self.append,
            self.runs,
            self.seconds,
            controls=self.controls,
            repaired=self.repaired if is_repaired else None,
        )
        if self.free is not None:
            return reproduce_free(verdict, wanted, self.free, self.tell)
        return reproduce(verdict, wanted, self.tell)

    def repaired(self) -> KernelImage:
        """Return the kernel with the repair; it is built if it is a tree."""
        return self._kernel(self.control_image, (*self.patches, *self.control_patches))

    def _kernel(self, image: Path | None, patches: Sequence[Path]) -> KernelImage:
        if image is not None:
            return _read(image)
        from iopermit.reproduce.image.tree import build_image  # as above

        assert self.tree is not None  # one of both
        choice = sandbox_choice(self.sandbox)
        return build_image(self.tree, patches, sandbox=choice, say=self.tell, warn=complain)

    def tell(self, text: str) -> None:
        """Tell what is done next, unless nothing is to be told."""
        if not self.quiet:
            complain(f"iopermit: {text}")


def page_of(found: Reproduction) -> str:
    """Return the page of HTML about a counterexample, and what was seen of it."""
    from iopermit.report.html.rendering import verdict_html  # imports Jinja
    from iopermit.report.reproduction.page import reproduction_page

    return verdict_html(reproduction_page(found, source_text(found.verdict.kernel)))


@functools.cache
def _read(image: Path) -> KernelImage:
    """Return a kernel that was built elsewhere; reading it takes seconds."""
    from iopermit.reproduce.image.kernel_image import read_image  # as above

    return read_image(image)
