"""A table of a TOML file whose keys are taken one by one: what is left over is a mistake."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, Final

from iopermit.sweep.errors import SweepError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_HEADER: Final = re.compile(r"\s*\[{1,2}\s*([^\[\]]*?)\s*\]{1,2}\s*(?:#.*)?$")
_KEY: Final = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*[=.]""")


class TomlTable:
    """A table of a file, and where it stands there.

    Attributes:
        name: of the table, empty at the top level.
    """

    def __init__(
        self, file: Path, text: str, data: dict[str, Any], name: str = "", number: int = 0
    ) -> None:
        """Take the data of the table with that name, the `number`-th of its name from 0."""
        self.file, self.text, self.name, self.number = file, text, name, number
        self._data = dict(data)
        self._known: list[str] = []

    def error(self, key: str, what: str) -> SweepError:
        """Return a mistake that names the file, the line of a key where it is found, and itself."""
        line = self.line(key)
        return SweepError(f"{self.file}{f':{line}' if line else ''}: {what}")

    def line(self, key: str) -> int:
        """Return the line of a key, counted from 1; that of the table if the key is not found."""
        number, name, header = -1, "", 0
        for at, text in enumerate(self.text.splitlines(), 1):
            if found := _HEADER.match(text):
                name = found[1].strip("\"'")
                number += name == self.name
                if self._is_here(name, number):
                    header = at
            elif self._is_here(name, number) and key in _keys(text):
                return at
            if name == key and not self.name:
                return at
        return header

    def _is_here(self, name: str, number: int) -> bool:
        return name == self.name and (not name or number == self.number)

    def text_of(self, key: str, default: str | None = None) -> str:
        """Return a text.

        Raises:
            SweepError: it is none, it is empty, or it is missing and has no default.
        """
        value = self._take(key, default)
        if not isinstance(value, str) or (not value and default != ""):
            raise self.error(key, f"{self._named(key)} has to be a text; it is {value!r}")
        return value

    def flag_of(self, key: str, *, default: bool) -> bool:
        """Return `true` or `false`. Raises SweepError for anything else."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self.error(key, f"{self._named(key)} has to be true or false; it is {value!r}")
        return value

    def texts_of(self, key: str, default: Collection[str] | None = None) -> tuple[str, ...]:
        """Return a list of texts.

        Raises:
            SweepError: it is none, or it is missing and has no default.
        """
        value = self._take(key, default)
        if not isinstance(value, list | tuple) or not all(isinstance(v, str) and v for v in value):
            raise self.error(key, f"{self._named(key)} has to be a list of texts; it is {value!r}")
        return tuple(dict.fromkeys(value))

    def count_of(self, key: str, default: int | None) -> int | None:
        """Return a whole number from 1 on, or the default. Raises SweepError for anything else."""
        value = self._optional(key)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            message = f"{self._named(key)} has to be a whole number from 1 on; it is {value!r}"
            raise self.error(key, message)
        return value

    def seconds_of(self, key: str) -> float | None:
        """Return a number of seconds, or None if it is missing. Raises SweepError."""
        value = self._optional(key)
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 1e9:  # noqa: PLR2004 - see the message
            message = f"{self._named(key)} has to be seconds, more than 0; it is {value!r}"
            raise self.error(key, message)
        return float(value)

    def either_of(self, key: str, default: str) -> str | tuple[str, ...]:
        """Return a text, or a list of texts. Raises SweepError for anything else."""
        value = self._data.get(key, default)
        return self.text_of(key, default) if isinstance(value, str) else self.texts_of(key)

    def tables_of(self, key: str) -> list[TomlTable]:
        """Return the tables ``[[key]]``. Raises SweepError if it is anything else."""
        value = self._optional(key) or []
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise self.error(key, f"{key!r} has to be tables, each headed by [[{key}]]")
        return [
            TomlTable(self.file, self.text, each, key, number) for number, each in enumerate(value)
        ]

    def table_of(self, key: str) -> TomlTable:
        """Return the table ``[key]``, empty if it is missing. Raises SweepError otherwise."""
        value = self._optional(key) or {}
        if not isinstance(value, dict):
            raise self.error(key, f"{key!r} has to be a table, headed by [{key}]")
        return TomlTable(self.file, self.text, value, key)

    def finish(self) -> None:
        """Refuse the keys that nobody took. Raises SweepError."""
        for key in self._data:
            if key not in self._known:
                close = difflib.get_close_matches(key, self._known, n=1)
                hint = f"did you mean {close[0]}?" if close else "remove it, or choose from: "
                names = "" if close else ", ".join(self._known)
                raise self.error(key, f"unknown key {self._named(key)}; {hint}{names}")

    def _optional(self, key: str) -> Any:  # noqa: ANN401 - any value of TOML
        self._known.append(key)
        return self._data.get(key)

    def _take(self, key: str, default: object) -> Any:  # noqa: ANN401 - any value of TOML
        self._known.append(key)
        if key not in self._data and default is None:
            raise self.error(key, f"{self._named(key)} is missing")
        return self._data.get(key, default)

    def _named(self, key: str) -> str:
        return f"{key!r} in [{self.name}]" if self.name else f"{key!r}"


def _keys(line: str) -> tuple[str | None, ...]:
    """Return the key with which a line begins, if it does."""
    found = _KEY.match(line)
    return found.groups() if found else ()
