"""Reads a verb's command line, as its function's annotated parameters declare it.

A library for this takes longer to import than a small check takes.
"""

from __future__ import annotations

import difflib
import inspect
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args, get_origin

if TYPE_CHECKING:
    from collections.abc import Callable

HELP: Final = ("-h", "--help")
_TYPES: Final = {int: "integer", float: "number"}


class UsageError(Exception):
    """The command line cannot be understood; `str()` says why."""

    def __init__(self, message: str, command: str) -> None:
        super().__init__(message)
        self.command = command


class HelpWanted(Exception):  # noqa: N818 - no error
    """The command line asks for help."""


class Option:
    """Declares an option: its names (that of the parameter if none) and what it is about."""

    def __init__(
        self,
        *names: str,
        about: str,
        metavar: str = "",
        least: float | None = None,
        most: float | None = None,
    ) -> None:
        self.names, self.about, self.metavar = names, about, metavar
        self.least, self.most = least, most

    @property
    def range(self) -> str:
        """The values that are allowed, or nothing."""
        if self.least is None:
            return ""
        return f"x>={self.least}" if self.most is None else f"{self.least}<=x<={self.most}"


@dataclass(frozen=True)
class Argument:
    """Declares an argument, which is given without a name."""

    metavar: str
    about: str = ""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a verb's function."""

    key: str
    declared: Option | Argument
    kind: type
    """The type of its value, or of each value if it is repeatable."""
    repeatable: bool
    default: Any
    """`inspect.Parameter.empty` if it must be given."""

    @classmethod
    def of(cls, parameter: inspect.Parameter) -> Parameter:
        """Read an annotation as `Annotated[list[str] | None, Option(...)]`."""
        kind, declared = get_args(parameter.annotation)
        choices = [each for each in get_args(kind) if each is not type(None)]
        kind = choices[0] if choices and get_origin(kind) is not list else kind
        repeatable = get_origin(kind) is list
        if repeatable:
            (kind,) = get_args(kind)
        return cls(parameter.name, declared, kind, repeatable, parameter.default)

    @property
    def names(self) -> tuple[str, ...]:
        """The names on the command line."""
        if isinstance(self.declared, Argument):
            return (self.declared.metavar,)
        return self.declared.names or (f"--{self.key.replace('_', '-')}",)

    def value(self, text: str) -> Any:  # noqa: ANN401 - of the parameter's type
        """Return the value that a text stands for. Raises ValueError, which says what is wrong."""
        if self.kind in _TYPES:
            try:
                number = self.kind(text)
            except ValueError as error:
                raise ValueError(f"{text!r} is not a valid {_TYPES[self.kind]}.") from error
            return self._in_range(number)
        return Path(text) if self.kind is Path else text

    def _in_range(self, number: float) -> float:
        declared = self.declared
        if isinstance(declared, Option) and declared.range:
            most = float("inf") if declared.most is None else declared.most
            # Written so that NaN is refused.
            if declared.least is None or not declared.least <= number <= most:
                raise ValueError(f"{number} is not in the range {declared.range}.")
        return number


class Verb:
    """A verb of the command, with the function that does it."""

    def __init__(self, name: str, function: Callable[..., Any], *, passes_on: bool = False) -> None:
        """With `passes_on`, all that follows the first argument are arguments."""
        self.name, self.function, self.passes_on = name, function, passes_on
        signature = inspect.signature(function, eval_str=True)
        self.parameters = [
            Parameter.of(each)
            for each in signature.parameters.values()
            if get_origin(each.annotation) is Annotated
        ]
        self.arguments = [p for p in self.parameters if isinstance(p.declared, Argument)]
        self.options = [p for p in self.parameters if isinstance(p.declared, Option)]
        self._by_name = {name: p for p in self.options for name in p.names}

    def parse(self, words: list[str]) -> dict[str, Any]:
        """Return the arguments of the function. Raises UsageError."""
        values = {p.key: p.default for p in self.parameters}
        given: list[str] = []
        left = deque(words)
        while left:
            word = left.popleft()
            if word == "--":
                given += left
                break
            if word.startswith("-") and word != "-":
                self._option(word, left, values)
                continue
            given.append(word)
            if self.passes_on:
                given += left
                break
        self._take(given, values)
        return values

    def _option(self, word: str, left: deque[str], values: dict[str, Any]) -> None:
        """Take an option, and its value from the same word or the next."""
        if word in HELP:
            raise HelpWanted
        name, equals, text = word.partition("=")
        if not word.startswith("--"):
            name, text = word[:2], word[2:]
            equals = text
        parameter = self._by_name.get(name)
        if parameter is None:
            close = difflib.get_close_matches(name, self._by_name, n=1)
            raise self._error(
                f"No such option: {name}" + "".join(f"; did you mean {each}?" for each in close)
            )
        if parameter.kind is bool:
            if not word.startswith("--") and text:
                left.appendleft(f"-{text}")
            elif equals:
                raise self._error(f"Option {name!r} does not take a value.")
            values[parameter.key] = True
            return
        if not equals and not left:
            raise self._error(f"Option {name!r} requires an argument.")
        self._set(parameter, name, text if equals else left.popleft(), values)

    def _take(self, given: list[str], values: dict[str, Any]) -> None:
        """Distribute what was given without a name."""
        left = deque(given)
        for parameter in self.arguments:
            name = parameter.names[0]
            if not left and parameter.default is inspect.Parameter.empty:
                raise self._error(f"Missing argument {name!r}.")
            while left:
                self._set(parameter, name, left.popleft(), values)
                if not parameter.repeatable:
                    break
        if left:
            raise self._error(f"Got unexpected extra argument ({' '.join(left)})")

    def _set(self, parameter: Parameter, name: str, text: str, values: dict[str, Any]) -> None:
        try:
            value = parameter.value(text)
        except ValueError as error:
            raise self._error(f"Invalid value for {name!r}: {error}") from error
        if parameter.repeatable:
            value = [*(values[parameter.key] or ()), value]
        values[parameter.key] = value

    def _error(self, message: str) -> UsageError:
        return UsageError(message, f"iopermit {self.name}")
