"""The ways by which input comes into the command, one module each; a new one is entered here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tools.fuzz_inputs.entries.arguments import arguments
from tools.fuzz_inputs.entries.caches import caches
from tools.fuzz_inputs.entries.calls import calls
from tools.fuzz_inputs.entries.designs import designs
from tools.fuzz_inputs.entries.elf_files import elf_files
from tools.fuzz_inputs.entries.images import images
from tools.fuzz_inputs.entries.patches import patches
from tools.fuzz_inputs.entries.saved_files import saved_files
from tools.fuzz_inputs.entries.streams import streams
from tools.fuzz_inputs.entries.sweeps import sweeps
from tools.fuzz_inputs.entries.trees import trees

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hypothesis.strategies import SearchStrategy
    from tools.fuzz_inputs.attempt import Attempt

ENTRIES: Final[Mapping[str, Callable[[], SearchStrategy[Attempt]]]] = {
    "saved-files": saved_files,
    "arguments": arguments,
    "streams": streams,
    "designs": designs,
    "patches": patches,
    "trees": trees,
    "elf-files": elf_files,
    "calls": calls,
    "caches": caches,
    "images": images,
    "sweeps": sweeps,
}
"""For each a function that returns the strategy of its attempts."""
