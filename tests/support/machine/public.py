"""A folder that everybody may search, unlike the temporary folders of pytest and of root."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def public_folder() -> Iterator[Path]:
    """Give an empty folder outside /tmp that an ordinary user can search and list."""
    folder = Path(tempfile.mkdtemp(prefix="iopermit-test-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
