"""Code that a patch changes and that nothing executes is told, in whatever object it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.kernel.compiling import compiled

from iopermit.kernel.image.lines import Lines
from iopermit.kernel.image.linker import Image, link
from iopermit.kernel.image.unexecuted import unexecuted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SAMPLE = """\
long one(long a)
{
	a += 4;

	return a;
}
long two(long a)
{
	/* Not the same. */
	return a * 3;
}
"""
IN_ONE, BLANK_IN_ONE, COMMENT_IN_TWO, IN_TWO = 3, 4, 9, 10


@pytest.fixture
def file(require: Callable[[str], Path], tmp_path: Path) -> Path:
    """Compile the sample, and return its source."""
    compiled(tmp_path, SAMPLE, gcc=require("gcc"))
    return tmp_path / "sample.c"


def linked(file: Path) -> tuple[Image, Lines]:
    """Link the sample, and read its line table."""
    image = link([file.with_suffix(".o")], (), {})
    return image, Lines(image.placed, lambda _: SAMPLE)


def block(image: Image, name: str) -> tuple[int, int]:
    """Return a function as the basic block that it is."""
    found = image.function_at(image.address(name))
    assert found is not None
    return found.start, found.size


@pytest.mark.parametrize(
    ("changed", "removed", "missed"),
    [
        ({IN_ONE}, set(), []),
        ({IN_ONE, IN_TWO}, set(), [IN_TWO]),
        ({BLANK_IN_ONE}, {BLANK_IN_ONE}, []),
        ({COMMENT_IN_TWO}, set(), []),
        ({COMMENT_IN_TWO}, {COMMENT_IN_TWO}, [COMMENT_IN_TWO]),
    ],
)
def test_what_is_never_executed_is_told(
    file: Path, changed: set[int], removed: set[int], missed: list[int]
) -> None:
    """Lines with code, and places where code was taken away from a function that never runs."""
    image, lines = linked(file)
    places, gone = ({(str(file), number) for number in some} for some in (changed, removed))
    found = unexecuted([lines], places, gone, [block(image, "one")])
    assert [site.line for site in found] == missed


def test_code_of_an_object_that_is_only_looked_at_is_not_executed(file: Path) -> None:
    """It has a line table, and no instruction of it lies where something was executed."""
    image, lines = linked(file)
    nothing = Lines({}, lambda _: SAMPLE)
    beside = Lines({path: {} for path in image.placed}, lambda _: SAMPLE)
    changed, executed = {(str(file), IN_ONE)}, [block(image, "one")]
    assert [site.line for site in unexecuted([nothing, beside], changed, (), executed)] == [IN_ONE]
    assert unexecuted([nothing], changed, (), executed) == []
    assert unexecuted([lines, beside], changed, (), executed) == []
