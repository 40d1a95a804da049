"""What the tests of real kernel trees share: the unpacked trees and their builds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.kernel.trees import VERSIONS, build_cache, require_tree

from iopermit.kernel.build.builder import BuiltTree, build

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=VERSIONS)
def tree(request: pytest.FixtureRequest) -> Path:
    """Give each of Debian's kernel trees; nothing may write to them."""
    return require_tree(request.param)


@pytest.fixture
def built(tree: Path) -> BuiltTree:
    """Give each tree, built as it stands."""
    return build(tree, cache=build_cache())
