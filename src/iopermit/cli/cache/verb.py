"""`iopermit cache`: what is kept between runs, where, and how to be rid of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer

from iopermit.cache.errors import UntrustedError
from iopermit.cache.eviction import Kept, entries, remove
from iopermit.cache.key import SealingKey, sealing_key
from iopermit.cache.locations import Shelf, cache_directory, kernel_builds, machine_code
from iopermit.cli.errors import BadInputError
from iopermit.cli.exit_codes import ExitCode
from iopermit.cli.output import print_result
from iopermit.kernel.shelf import kernel_verdicts
from iopermit.report.json import to_text

SCHEMA: Final = "iopermit/cache/1"
_MEGABYTE: Final = 1_000_000


class CacheAction(enum.StrEnum):
    """What to do."""

    SHOW = "show"
    CLEAR = "clear"
    PATH = "path"


@dataclass(frozen=True)
class _Content:
    """What is on a shelf: its entries, or why it is not used."""

    kind: str
    shelf: Shelf
    kept: list[Kept]
    problem: str = ""

    @property
    def size(self) -> int:
        return sum(entry.size for entry in self.kept)

    @property
    def text(self) -> str:
        if self.problem:
            return f"not used: {self.problem}"
        size, limit = self.size / _MEGABYTE, self.shelf.limit // _MEGABYTE
        return f"{_counted(len(self.kept))}, {size:.1f} of at most {limit} MB"


def cache(
    action: Annotated[
        CacheAction,
        typer.Argument(help="show: what there is; clear: remove it; path: where it is."),
    ] = CacheAction.SHOW,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> ExitCode:
    """Show or clear what is kept between runs: machine code, builds and verdicts of kernel trees.

    Everything in it is made anew when it is missing, or not as it was left. Builds that another
    process works in are not removed.
    Exit status: 0 done, 2 the directory cannot be used, read or cleared.
    """
    try:
        path = cache_directory()
        if action is CacheAction.PATH:
            text, result = f"{path}\n", dict[str, Any]()
        else:
            text, result = _show() if action is CacheAction.SHOW else _clear()
    except UntrustedError as error:
        raise BadInputError(f"the cache is not used: {error}", "system-refused") from error
    except OSError as error:
        raise BadInputError(
            f"cannot {action} the cache: {error.filename}: {error.strerror}", "system-refused"
        ) from error
    answer = {"schema": SCHEMA, "action": action.value, "path": str(path), **result}
    print_result(to_text(answer) if as_json else text)
    return ExitCode.HOLDS


def _contents() -> list[_Content]:
    shelves = {
        "machine code": machine_code(),
        "kernel builds": kernel_builds(),
        "tree verdicts": kernel_verdicts(),
    }
    return [_content(kind, shelf) for kind, shelf in shelves.items()]


def _content(kind: str, shelf: Shelf) -> _Content:
    try:
        directory = shelf.ready(create=False)
    except FileNotFoundError:
        return _Content(kind, shelf, [])
    except UntrustedError as error:
        return _Content(kind, shelf, [], str(error))
    return _Content(kind, shelf, entries(directory, directories=shelf.holds_directories))


def _show() -> tuple[str, dict[str, Any]]:
    contents, (key, problem) = _contents(), _key()
    lines = [str(cache_directory())]
    lines += [f"  {each.kind:14} {each.text}" for each in contents]
    lines.append(f"  {'key':14} {problem or (f'{key.id}, of {key.source}' if key else 'none yet')}")
    return "".join(f"{line}\n" for line in lines), {
        "contents": [_described(each) for each in contents],
        "key": {"id": key.id, "source": key.source} if key else None,
        "key_problem": problem or None,
    }


def _described(content: _Content) -> dict[str, Any]:
    return {
        "kind": content.kind,
        "entries": len(content.kept),
        "bytes": content.size,
        "limit": content.shelf.limit,
        "problem": content.problem or None,
    }


def _key() -> tuple[SealingKey | None, str]:
    """Return the key, and why there is none that can be used."""
    try:
        return sealing_key(create=False), ""
    except FileNotFoundError:
        return None, ""
    except UntrustedError as error:
        return None, f"not used: {error}"


def _clear() -> tuple[str, dict[str, Any]]:
    contents = _contents()
    for each in contents:
        if each.problem:
            # Removing in a directory that others change could remove something else.
            raise UntrustedError(each.problem)
    kept = [entry for each in contents for entry in each.kept]
    gone = [entry for entry in kept if remove(entry.path)]
    size, busy = sum(entry.size for entry in gone), len(kept) - len(gone)
    text = f"removed {_counted(len(gone))}, {size / _MEGABYTE:.1f} MB"
    text += f"; {busy} in use by other processes" if busy else ""
    return f"{text}\n", {"removed": len(gone), "bytes": size, "in_use": busy}


def _counted(number: int) -> str:
    return f"{number} {'entry' if number == 1 else 'entries'}"
