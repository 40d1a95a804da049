"""Changes of texts and bytes: places are others, are missing, or are there twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTHS: Final = (1, 2, 4, 8)
"""Bytes of a number."""


def change_parts(draw: st.DrawFn, parts: list[str], others: st.SearchStrategy[str]) -> None:
    """Change one place of a text that is given in parts, such as lines."""
    if not parts:
        return
    at = draw(st.integers(0, len(parts) - 1))
    other = draw(st.integers(0, len(parts) - 1))
    match draw(st.sampled_from(("replace", "remove", "repeat", "swap", "insert"))):
        case "replace":
            parts[at] = draw(others)
        case "remove":
            del parts[at]
        case "repeat":
            parts.insert(at, parts[other])
        case "swap":
            parts[at], parts[other] = parts[other], parts[at]
        case "insert":
            parts.insert(at, draw(others))


def changed_bytes(draw: st.DrawFn, data: bytes, *, most: int = 3) -> bytes:
    """Return bytes of which up to ``most`` places are others, or a part is missing."""
    content = bytearray(data)
    for _ in range(draw(st.integers(1, most))):
        first = draw(st.integers(0, len(content)))
        match draw(st.sampled_from(("number", "bytes", "remove", "end"))):
            case "number":
                number = draw(numbers())
                content[first : first + len(number)] = number
            case "bytes":
                content[first:first] = draw(st.binary(max_size=12))
            case "remove":
                del content[first : first + draw(st.integers(1, 64))]
            case "end":
                del content[first:]
    return bytes(content)


def displace(
    draw: st.DrawFn,
    how: str,
    path: str,
    odd: tuple[dict[str, str], list[str]],
    targets: Sequence[str],
) -> None:
    """Put something else in place of a file: a link to one of the targets, a pipe, or nothing."""
    links, pipes = odd
    if how == "link":
        links[path] = draw(st.sampled_from(targets))
    elif how == "pipe":
        pipes.append(path)


@st.composite
def numbers(draw: st.DrawFn) -> bytes:
    """Return a number that is likely to be wrong, in bytes as the processor has it."""
    width = draw(st.sampled_from(WIDTHS))
    bits = 8 * width
    edges = (0, 1, (1 << bits) - 1, 1 << (bits - 1), (1 << (bits - 1)) - 1)
    value = draw(st.sampled_from(edges) | st.integers(0, (1 << bits) - 1))
    return value.to_bytes(width, "little")
