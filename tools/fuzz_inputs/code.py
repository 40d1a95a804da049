"""What code the inputs of an entry go through: what was tried with other code does not count."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grimp
from tools.fuzz_designs.ledger import ROOT

import iopermit
from iopermit.cli.app import VERBS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from grimp import ImportGraph

ENTRY_VERBS: Final[Mapping[str, tuple[str, ...]]] = {
    "saved-files": ("replay",),
    "designs": ("check", "cost", "export", "run"),
    "patches": ("check",),
    "trees": ("check",),
    "elf-files": ("run",),
    "calls": ("run",),
    "caches": ("check", "cache"),
    "images": ("reproduce",),
    "sweeps": ("sweep",),
}
"""The verbs that an entry tries; all for one that is not listed. A test sees that it is so."""


def code_of(entry: str) -> str:
    """Return a digest of the code that the inputs of an entry go through, and that makes them.

    Python of iopermit: all that the command and the entry's verbs import, at once or later. In the
    folders of these modules every file that is not Python. Of the tool: what the entry imports.
    """
    product, tools = (grimp.build_graph(name, cache_dir=None) for name in ("iopermit", "tools"))
    verbs = [VERBS[verb][0] for verb in ENTRY_VERBS.get(entry, VERBS)]
    modules = ["iopermit.__main__", *(f"iopermit.cli.{module}" for module in verbs)]
    module = f"tools.fuzz_inputs.entries.{entry.replace('-', '_')}"
    own = ["tools.fuzz_inputs.attempt", "tools.fuzz_inputs.warming", module]
    files = {*_files(product, modules), *_files(tools, own)}
    folders = {file.parent for file in files} - {Path(iopermit.__file__).parent}
    files |= {file for folder in folders for file in folder.rglob("*") if _is_data(file)}
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _files(graph: ImportGraph, modules: Iterable[str]) -> set[Path]:
    """Return the files of modules, of what they import, and of the packages of all these."""
    every = set(modules).union(*(graph.find_upstream_modules(module) for module in modules))
    packages = {name.rsplit(".", n)[0] for name in every for n in range(1, name.count(".") + 1)}
    found = [importlib.util.find_spec(name) for name in every | packages]
    # A namespace package has no file.
    return {Path(spec.origin) for spec in found if spec is not None and spec.origin is not None}


def _is_data(file: Path) -> bool:
    return file.is_file() and file.suffix not in (".py", ".pyc")
