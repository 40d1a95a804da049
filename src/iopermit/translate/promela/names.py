"""Names of the fields of a model in Promela: short, readable, and unique."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.translate.model.nodes import Field

_PARTS = re.compile(r"(?<!\d)\.|\.(?!\d)")
"""The dots between the parts of a local variable's full name, not those of ``@line.column``."""


def field_names(fields: list[Field]) -> dict[Field, str]:
    """Return a Promela identifier for each field: its record and as little more as tells it apart.

    The full name of a local variable of a kernel function lists the calls that lead to it.
    """
    candidates = {field: list(_candidates(field)) for field in fields}
    complete = Counter(names[-1] for names in candidates.values())
    uses = Counter(name for names in candidates.values() for name in dict.fromkeys(names))
    result = {}
    for number, (field, names) in enumerate(candidates.items()):
        own = [name for name in names if uses[name] == 1 or name == names[-1]]
        result[field] = own[0] if complete[own[0]] < 2 else f"{own[0]}_{number}"  # noqa: PLR2004 - only its own
    return result


def _candidates(field: Field) -> Iterator[str]:
    """Yield names from short to long: the entry point, and ever more of the other parts."""
    first, *rest = _PARTS.split(field.name)
    for size in range(1, max(1, len(rest)) + 1):
        for outer in range(min(size, len(rest))):
            yield _identifier([field.record, first, *rest[:outer], *rest[outer - size :]])
    yield _identifier([field.record, first, *rest])


def _identifier(parts: list[str]) -> str:
    return re.sub(r"\W+", "_", "_".join(part.lstrip("@") for part in parts))
