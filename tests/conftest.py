"""What all tests share: external programs that may be absent, and Hypothesis profiles."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings

# Timings on a shared machine say nothing about a property, hence no deadline. In continuous
# integration the examples are the same at every run.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


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


@pytest.fixture(scope="session")
def require() -> Callable[[str], Path]:
    """Give tests `require("spin")`: the path of the program, or a skip (see `require_tool`)."""
    return require_tool
