"""What a checkpoint says: of what it is, how far the search was, and which files count how far."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from iopermit.scale.checkpoint.marks import FileMark, PartitionMark
from iopermit.scale.counters import Counters
from iopermit.scale.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT: Final = 1
"""Version of the format. Another one is refused."""


@dataclass(frozen=True)
class SearchAttempt:
    """Under which assumptions a search is made; if one is wrong, another attempt follows."""

    number: int
    assumed: tuple[int, ...]
    """Numbers of the assumptions of the merging of steps, in the order of the model's."""
    goals: tuple[str, ...]
    """The kinds of violations that count."""
    known_maps: bytes = b""
    """Which hidden maps were known when it began."""


@dataclass(frozen=True)
class SearchPosition:
    """How far a search is, but for its states."""

    depth: int
    seconds: float
    """Time that it took, in all its processes."""
    counters: Counters
    first_levels: Mapping[int, int] = field(default_factory=dict)
    """For each kind and statement that was seen, the level of the first violating state."""


@dataclass(frozen=True)
class Manifest:
    """What a checkpoint says."""

    identity: Mapping[str, str]
    """What is searched and by what, under the names by which a difference is told."""
    on_disk: bool
    """Whether states were kept in files only."""
    attempt: SearchAttempt
    position: SearchPosition
    partitions: tuple[PartitionMark, ...]

    def to_text(self) -> str:
        """Return it as JSON, with a checksum."""
        content = asdict(self) | {"format": FORMAT}
        text = json.dumps(content, default=bytes.hex, sort_keys=True)
        return json.dumps({"sha256": _digest(text), "checkpoint": json.loads(text)}) + "\n"

    @classmethod
    def of_text(cls, text: str, name: str) -> Manifest:
        """Return what `to_text()` gave. Raises CheckpointError, which tells the file's name."""
        try:
            whole = json.loads(text)
            content, digest = whole["checkpoint"], whole["sha256"]
            version = content["format"]
        except (ValueError, TypeError, KeyError) as error:
            raise CheckpointError(f"{name} is no checkpoint, or a damaged one") from error
        if version != FORMAT:
            raise CheckpointError(
                f"{name} has format {version} of checkpoints; this version of iopermit reads "
                f"format {FORMAT}"
            )
        if _digest(json.dumps(content, sort_keys=True)) != digest:
            raise CheckpointError(f"{name} is corrupted: its checksum is not that of its content")
        return _manifest(content)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _manifest(content: Mapping[str, Any]) -> Manifest:
    attempt, position = content["attempt"], content["position"]
    counters = position["counters"]
    return Manifest(
        content["identity"],
        content["on_disk"],
        SearchAttempt(
            attempt["number"],
            tuple(attempt["assumed"]),
            tuple(attempt["goals"]),
            bytes.fromhex(attempt["known_maps"]),
        ),
        SearchPosition(
            position["depth"],
            position["seconds"],
            Counters(
                counters["transitions"],
                tuple(counters["totals"]),
                bytes.fromhex(counters["covered"]),
            ),
            {int(code): level for code, level in position["first_levels"].items()},
        ),
        tuple(map(_partition, content["partitions"])),
    )


def _partition(content: Mapping[str, Any]) -> PartitionMark:
    spilled = content["spilled"]
    return PartitionMark(
        content["number"],
        FileMark(**content["states"]),
        tuple(content["levels"]),
        content["following"],
        None if spilled is None else FileMark(**spilled),
    )
