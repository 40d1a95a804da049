"""Saved verdicts that can be moved: paths in them are relative to the file that has them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Object = dict[str, Any]


def portable(saved: Object, directory: Path) -> Object:
    """Return a verdict for a file in a directory: absolute paths become relative to it."""
    return _with_paths(saved, lambda path: os.path.relpath(path, os.path.realpath(directory)))


def located(saved: Object, directory: Path) -> Object:
    """Return a verdict of a file in a directory with absolute paths again.

    Its members are of the right types (`iopermit.report.saved`). Absolute paths stay.
    """
    return _with_paths(saved, lambda path: os.path.normpath(directory.resolve() / path))


def _with_paths(saved: Object, changed: Callable[[str], str]) -> Object:
    result = saved | {
        "design": _design(saved["design"], changed),
        "also": [_with_paths(other, changed) for other in saved["also"]],
    }
    kernel = saved.get("kernel")
    if kernel is not None:
        patches = [changed(patch) for patch in kernel["patches"]]
        result["kernel"] = kernel | {"tree": changed(kernel["tree"]), "patches": patches}
    return result


def _design(design: Object, changed: Callable[[str], str]) -> Object:
    """Return where a design is. The id of a listed one is its name, wherever iopermit is."""
    file, colon, name = str(design["name"]).rpartition(":")
    moved = {"name": f"{changed(file)}:{name}"} if colon and file else {}
    return design | moved | ({"file": changed(design["file"])} if design["file"] else {})
