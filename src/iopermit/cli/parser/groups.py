"""In which group of the help each option stands."""

from __future__ import annotations

from typing import Final

OPTIONS: Final = "Options"
OUTPUT: Final = "Output"

_GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "Subject": (
        "--kernel", "--patch", "--reverse", "--keep-build", "--design", "--option", "--no-options",
        "--every-access", "--sandbox", "--config", "--root",
        "--as-root-files", "--user",
    ),
    "Booted kernel": (
        "--reproduce", "--image", "--append", "--controls", "--control-patch", "--control-image",
        "--violation", "--runs", "--free",
    ),
    "Scenario": (
        "--events", "--without", "--cpus", "--tasks", "--longs", "--all", "--full", "--max-depth",
        "--cpu", "--seed", "--bisect",
    ),
    "Limits": (
        "--max-states", "--max-memory", "--timeout", "--threads", "--processes", "--max-tasks",
        "--memory", "--jobs",
    ),
    "Beyond one memory": ("--checkpoint", "--every", "--resume", "--disk", "--cluster"),
    "Reductions": (
        "--no-symmetry", "--no-merging", "--no-counter-renaming", "--no-dead-fields",
        "--no-late-arguments", "--no-hidden-maps", "--savings", "--obligations",
    ),
    OPTIONS: ("--help", "--version", "--install-completion", "--show-completion"),
}  # fmt: skip

NAMES: Final = (*_GROUPS, OUTPUT)
_OF_OPTION: Final = {option: group for group, options in _GROUPS.items() for option in options}


def group_of(option: str) -> str:
    """Return the group of an option; what is in no other one says what becomes of the result."""
    return _OF_OPTION.get(option, OUTPUT)


def ordered(groups: set[str]) -> list[str]:
    """Return groups in the order of the help: what, how far, what for, and at last the general."""
    order = [name for name in NAMES if name != OPTIONS] + [OPTIONS]
    return [name for name in order if name in groups]
