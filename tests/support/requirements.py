"""What tests need and may not find: programs, and a directory that is kept between runs."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

from iopermit.kernel.build.sandbox import BuildSandbox, find_sandbox


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the running test; with IOPERMIT_REQUIRE_ALL=1 in the environment let it fail."""
    if os.environ.get("IOPERMIT_REQUIRE_ALL") == "1":
        pytest.fail(f"{reason}, and IOPERMIT_REQUIRE_ALL=1 forbids skipping")
    pytest.skip(reason)


def shared_cache() -> Path:
    """Return the directory that tests keep between runs: $IOPERMIT_TEST_CACHE, or a default."""
    named = os.environ.get("IOPERMIT_TEST_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "iopermit-tests"


def require_tool(tool_name: str) -> Path:
    """Return the path of an external program, or skip the running test, saying what is missing.

    With IOPERMIT_REQUIRE_ALL=1 in the environment the test fails instead.
    """
    path = shutil.which(tool_name)
    if path is None:
        skip_or_fail(f"needs the program {tool_name!r}, which is not on the PATH")
    return Path(path)


def require_sandbox() -> BuildSandbox:
    """Return a sandbox for builds, or skip the running test, saying why there is none.

    With IOPERMIT_REQUIRE_ALL=1 in the environment the test fails instead.
    """
    require_tool("bwrap")
    found = find_sandbox("auto")
    if found.program is None:
        skip_or_fail(f"needs a sandbox: {found.why_not}")
    return found
