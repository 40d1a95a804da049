"""Design files: right ones, of which tokens or lines are others, are missing or are there twice."""

from __future__ import annotations

import io
import keyword
import tokenize
from typing import Final, NamedTuple

from hypothesis import strategies as st
from tools.fuzz_designs.generation.generate import generate
from tools.fuzz_inputs.attempt import Attempt
from tools.fuzz_inputs.entries.changes import changed_bytes
from tools.fuzz_inputs.entries.programs import Call, program

_BASES: Final = 200
"""Random right designs, of seed 0, that are changed."""
_TOKENS: Final = (
    "None", "True", "False", "0", "1", "-1", "9" * 400, "10**9", "1.5", "''", "...", "self", "cpu",
    "task", "prev", "super()", "lambda: 0", "yield", "await x", "return", "return None", "raise",
    "while True:", "for i in range(10**9):", "if", "else", "not", "in", "is", "assert", "del",
    "global x", "pass", "break", "continue", "(", ")", "[", "]", "{", "}", ":", ",", ".", "=", "==",
    "<", "+", "-", "*", "**", "//", "%", "&", "|", "^", "~", "<<", ">>", "@", ":=", "->", "#",
    "Ref[Task]", "Bitmap", "int", "range(4)", "len(self)", "max(1, 2)", "min(1)", "self.allocate()",
    "self.free(task)", "copy_from", "extent()", "task.io_bitmap", "cpu.current", "self.globals",
    "\x00", "\x1b[2J", "\u202e", "\n", "\t", " ", "\\", '"""', "\udcff",
)  # fmt: skip
_VERBS: Final = (
    ("check", "--max-states", "2000"),
    ("check", "--all", "--max-states", "2000"),
    ("check", "--json", "--max-states", "2000"),
    ("export", "promela"),
    ("cost",),
    ("run", "--timeout", "3", "--design"),
)
_PROGRAM: Final = program(
    (
        Call(173, (0x80, 1, 1)),  # ioperm
        Call(172, (3,)),  # iopl
        Call(57),  # fork: the child goes on in the same way
        Call(24),  # sched_yield
        Call(173, (0x81, 3, 1)),
        Call(172, (0,)),
        Call(173, (0x80, 1, 0)),
    )
)
"""What calls every hook that a program can."""


_ALIKE: Final = (
    frozenset({"==", "!=", "<", "<=", ">", ">=", "is", "in"}),
    frozenset({"+", "-", "*", "//", "%", "&", "|", "^", "<<", ">>", "and", "or"}),
    frozenset({"=", "+=", "-=", "|=", "&="}),
    frozenset({"True", "False", "None"}),
    frozenset({"break", "continue", "return", "pass", "raise"}),
)
"""Tokens that can mostly stand for one another."""


class _Token(NamedTuple):
    """A token with the blanks before it, and its kind."""

    text: str
    kind: int

    @property
    def word(self) -> str:
        """The token without blanks."""
        return self.text.strip()

    def alike(self, parts: list[_Token]) -> list[str]:
        """Return tokens that can stand for it: of its group, or names and numbers of the text."""
        for group in _ALIKE:
            if self.word in group:
                return sorted(group)
        if keyword.iskeyword(self.word) or self.kind not in (tokenize.NAME, tokenize.NUMBER):
            return []
        same = {each.word for each in parts if each.kind == self.kind}
        return sorted(word for word in same if not keyword.iskeyword(word))


def _tokens(text: str) -> list[_Token]:
    """Return a text in its tokens."""
    lines = text.splitlines(keepends=True)
    parts, row, column = [], 1, 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        end_row, end_column = token.end
        if (end_row, end_column) <= (row, column) or end_row > len(lines):
            continue
        before = [lines[row - 1][column:], *lines[row : end_row - 1]] if end_row > row else []
        first = 0 if end_row > row else column
        parts.append(_Token("".join(before) + lines[end_row - 1][first:end_column], token.type))
        row, column = end_row, end_column
    return parts


def _other_token(draw: st.DrawFn, parts: list[_Token]) -> None:
    """Let a token be another one, mostly one that can stand there: the text stays Python."""
    at = draw(st.integers(0, len(parts) - 1))
    alike = parts[at].alike(parts)
    if not alike and draw(st.integers(0, 9)):
        return
    old = parts[at]
    blank = old.text[: len(old.text) - len(old.text.lstrip(" "))]
    words: st.SearchStrategy[str] = st.sampled_from(_TOKENS)
    if alike and draw(st.integers(0, 9)) > 0:
        words = st.sampled_from(alike)
    parts[at] = _Token(blank + draw(words), old.kind)


def _other_line(draw: st.DrawFn, lines: list[str]) -> None:
    """Let a line be missing, be there twice, or change places with one that is as far in."""
    at = draw(st.integers(0, len(lines) - 1))
    depth = len(lines[at]) - len(lines[at].lstrip())
    alike = [i for i, line in enumerate(lines) if len(line) - len(line.lstrip()) == depth]
    other = draw(st.sampled_from(alike))
    match draw(st.sampled_from(("swap", "repeat", "replace", "remove"))):
        case "swap":
            lines[at], lines[other] = lines[other], lines[at]
        case "repeat":
            lines.insert(at, lines[other])
        case "replace":
            lines[at] = lines[other]
        case "remove" if len(lines) > 1:
            del lines[at]


@st.composite
def designs(draw: st.DrawFn) -> Attempt:
    """Return a verb and a right design that was changed in up to four places."""
    text = generate(0, draw(st.integers(0, _BASES - 1))).source
    parts = _tokens(text)
    for _ in range(draw(st.integers(0, 6))):
        _other_token(draw, parts)
    text = "".join(part.text for part in parts)
    lines = text.splitlines(keepends=True)
    for _ in range(draw(st.sampled_from((0, 0, 1, 2)))):
        _other_line(draw, lines)
    data = "".join(lines).encode("utf-8", "surrogatepass")
    if not draw(st.integers(0, 9)):
        data = changed_bytes(draw, data)
    verb, *options = draw(st.sampled_from(_VERBS))
    if verb == "run":
        words = (verb, *options, "design.py", "./program")
        return Attempt(words, files={"design.py": data, "program": _PROGRAM}, own_status=True)
    limit = ("--timeout", "10") if verb == "check" else ()
    bounds = () if verb == "cost" else ("--cpus", "1", "--tasks", "1", "--longs", "1")
    before = tuple(options[:1]) if verb == "export" else ()
    after = tuple(options[len(before) :])
    words = (verb, *before, "design.py", *after, *bounds, *limit)
    return Attempt(words, files={"design.py": data})
