"""Loads a design by its id, or from a user's own file, and refuses what is no design."""

from __future__ import annotations

import ast
import difflib
import hashlib
import inspect
import linecache
import os
import sys
import types
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeGuard

from iopermit.designs import designs, find
from iopermit.designs.trial import failure_of, kept
from iopermit.system.design import Design
from iopermit.system.events.hooks import HOOKS, Hook
from iopermit.system.layout_check import layout_fault
from iopermit.system.machine_state import Cpu, Task, Tss, TssLayout
from iopermit.system.options import with_options
from iopermit.system.records import Globals
from iopermit.system.site import Site
from iopermit.translate.frontend import source
from iopermit.translate.frontend.input_file import read_input
from iopermit.translate.frontend.source import (
    DesignError,
    class_site,
    find_method,
    is_overridden,
    not_in_the_language,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_LONGEST: Final = 4 << 20
"""Bytes of a design's file, of which the longest known has some ten thousand."""


class DesignLoadError(DesignError):
    """A file that holds no design that iopermit can load; line 0 is the file as a whole."""

    def _text(self) -> str:
        site = self.site
        place = f"{site.file}:{site.line}:{site.column + 1}" if site.line else site.file
        lines = [f"{place}: error: {self.message}"]
        if site.line and site.text.strip():
            code = site.text.rstrip()
            caret = "".join("\t" if c == "\t" else " " for c in code[: site.column])
            lines += [f"    {code}", f"    {caret}^"]
        return "\n".join([*lines, f"  remedy: {self.remedy}"])


_PRIMITIVES: Final = ("allocate", "free", "next_sequence", "refcount_dec_and_test")
"""Methods of every design that are operations of the language."""


def load_design(
    text: str, options: Sequence[str] = (), *, seconds: float | None = None
) -> type[Design]:
    """Return a design: `text` is an id, `file.py`, or `file.py:Class` (or `file.py:id`).

    `options` are the switches to set (see `Design.options`). A class of a file that has no id
    of its own gets its name as id. A file is imported in a child process first; that may take
    so many `seconds`.

    Raises:
        UnknownDesignError: there is no design with this id.
        DesignError: the file is not a design, or the design lacks an option.
        ImportTimeoutError: importing the file takes too long.
    """
    file, name = _file_and_class(text)
    design = find(text) if file is None else _from_file(file, name, seconds)
    return _with_options(design, options)


def _file_and_class(text: str) -> tuple[str | None, str]:
    if text in designs():
        return None, ""
    file, colon, name = text.rpartition(":")
    if colon and (file.endswith(".py") or os.path.isfile(file)):  # noqa: PTH113 - as below
        return file, name
    # A name that no file can have, as one that is too long, is simply not there.
    there = os.path.exists(text)  # noqa: PTH110 - a Path of such a name raises an exception
    looks_like_file = text.endswith(".py") or "/" in text or there
    return (text, "") if looks_like_file else (None, "")


# From a file.


def _from_file(file: str, name: str, seconds: float | None) -> type[Design]:
    tree, code = _compile(file, _read(file))
    module = _execute(file, code, seconds)
    found = {
        node.name: (cls, _site(file, node))
        for node in tree.body
        if isinstance(node, ast.ClassDef) and _is_design(cls := vars(module).get(node.name))
    }
    design, site = _select(file, name, found, tree)
    try:
        if "id" not in vars(design):
            design.id = design.__name__
        _check_class_data(design, site)
        _check_complete(design, site)
    except DesignError:
        raise
    except Exception as error:
        raise not_in_the_language(site, error) from error
    return design


def _is_design(value: object) -> TypeGuard[type[Design]]:
    return inspect.isclass(value) and issubclass(value, Design) and value is not Design


def _site(file: str, node: ast.AST) -> Site:
    line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
    return Site(file, line, column, linecache.getline(file, line), getattr(node, "name", ""))


def _whole(file: str) -> Site:
    return Site(file, 0, 0, "", "")


def _read(file: str) -> str:
    try:
        # The interpreter and `linecache` read it again, so that it cannot be a pipe.
        text = read_input(file, _LONGEST, regular=True).decode()
        return text.replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        message = f"not a text file: byte {error.start} is not UTF-8"
        raise DesignLoadError(
            _whole(file), message, "name a Python file, saved as UTF-8"
        ) from error
    except OSError as error:
        message = f"cannot read the file: {error.strerror}"
        remedy = "name a readable Python file, or one of the ids that `iopermit list` shows"
        raise DesignLoadError(_whole(file), message, remedy) from error


def _compile(file: str, text: str) -> tuple[ast.Module, types.CodeType]:
    # The file may have changed since it was loaded before.
    linecache.checkcache(file)
    source._functions.cache_clear()  # noqa: SLF001 - what it remembers is this package's own
    try:
        tree = ast.parse(text, file)
        return tree, compile(tree, file, "exec")
    except SyntaxError as error:
        line = error.lineno or 1
        code = error.text or linecache.getline(file, line)
        site = Site(file, line, max(0, (error.offset or 1) - 1), code, "")
        message = f"not valid Python: {error.msg}"
        remedy = "correct the syntax, or name a Python file with a design"
        raise DesignLoadError(site, message, remedy) from error
    except (ValueError, RecursionError) as error:
        remedy = "name a Python file with a design"
        raise DesignLoadError(_whole(file), f"not valid Python: {error}", remedy) from error


def _execute(file: str, code: types.CodeType, seconds: float | None) -> types.ModuleType:
    """Execute the file as a module of its own, which `inspect` and `typing` can find."""
    digest = hashlib.sha256(str(Path(file).resolve()).encode()).hexdigest()[:12]
    module = types.ModuleType(f"{Path(file).stem}_{digest}")
    module.__file__ = file
    sys.modules[module.__name__] = module

    def execute() -> None:
        with _siblings_importable(file):
            exec(code, vars(module))  # noqa: S102 - the user names it to have it executed

    failure = failure_of(execute, file, seconds)
    if failure is None:
        with kept():
            execute()
        module.__file__ = file  # Whatever the file made of it.
        return module
    line = failure.line
    site = Site(file, line, 0, linecache.getline(file, line) if line else "", "")
    remedy = "correct this line, or install what it imports into the same environment"
    raise DesignLoadError(site, failure.message, remedy)


@contextmanager
def _siblings_importable(file: str) -> Iterator[None]:
    """Let the file import modules that are beside it, as `python file.py` would."""
    directory = str(Path(file).resolve().parent)
    sys.path.insert(0, directory)
    try:
        yield
    finally:
        sys.path.remove(directory)


def _select(
    file: str, name: str, found: Mapping[str, tuple[type[Design], Site]], tree: ast.Module
) -> tuple[type[Design], Site]:
    if name:
        return _named(file, name, found, tree)
    if not found:
        remedy = "define a subclass of iopermit.system.design.Design (docs/writing-a-design.md)"
        raise DesignLoadError(_whole(file), "there is no design in this file", remedy)
    complete = {n: entry for n, entry in found.items() if not _missing(entry[0])}
    candidates = complete or found
    if len(candidates) > 1:
        site = list(candidates.values())[1][1]
        message = f"the file has {len(candidates)} designs: {', '.join(candidates)}"
        raise DesignLoadError(
            site, message, f"name one of them, as in {file}:{next(iter(candidates))}"
        )
    return next(iter(candidates.values()))


def _named(
    file: str, name: str, found: Mapping[str, tuple[type[Design], Site]], tree: ast.Module
) -> tuple[type[Design], Site]:
    by_id = {vars(cls).get("id"): entry for entry in found.values() for cls in entry[:1]}
    entry = found.get(name) or by_id.get(name)
    if entry is not None:
        return entry
    known = f"name one of its designs: {', '.join(found)}" if found else "name another file"
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            message = f"{name} is no design: it is not a subclass of Design"
            raise DesignLoadError(_site(file, node), message, known)
    close = difflib.get_close_matches(name, found, n=1)
    remedy = f"did you mean {file}:{close[0]}?" if close else known
    raise DesignLoadError(_whole(file), f"there is no class {name!r} in this file", remedy)


# What a design must have.


def _missing(design: type[Design]) -> list[Hook]:
    return [h for h in HOOKS.values() if h.required and not is_overridden(design, h.name)]


def _check_class_data(design: type[Design], site: Site) -> None:
    """Check the attributes of the class that are no state: their types, and what can be printed."""
    for name in ("id", "title", "origin", "family"):
        text: object = getattr(design, name)
        if not isinstance(text, str) or not all(c.isprintable() for c in text):
            message = f"{name} of {design.__name__} is no printable text"
            raise DesignLoadError(site, message, f'write: {name} = "..."')
    options: object = design.options
    if not isinstance(options, dict) or not all(isinstance(name, str) for name in options):
        message = f"options of {design.__name__} is no dictionary with names as keys"
        raise DesignLoadError(site, message, 'write: options = {"name": "what it changes"}')
    for base in (Task, Cpu, Tss, Globals):
        record: object = getattr(design, base.__name__)
        if not (inspect.isclass(record) and issubclass(record, base)):
            message = (
                f"{base.__name__} of {design.__name__} is no {base.__module__}.{base.__name__}"
            )
            remedy = f"write: class {base.__name__}({base.__module__}.{base.__name__}):"
            raise DesignLoadError(site, message, remedy)


def _check_complete(design: type[Design], site: Site) -> None:
    missing = _missing(design)
    if missing:
        message = f"{design.__name__} lacks the method {missing[0].name}"
        raise DesignLoadError(site, message, f"add: {missing[0].declaration}")
    if not isinstance(getattr(design, "layout", None), TssLayout):
        remedy = (
            "add: layout: ClassVar[TssLayout] = TssLayout(long_bits=64, bases={...}, limit=...)"
        )
        raise DesignLoadError(site, f"{design.__name__} does not say where its map is", remedy)
    fault = layout_fault(design)
    if fault is not None:
        remedy = "a layout whose limit ends with the map and its terminator, INVALID behind it"
        raise DesignLoadError(site, f"the layout of {design.__name__} is wrong: {fault}", remedy)
    for hook in sorted(HOOKS.values(), key=lambda hook: not hook.required):
        if is_overridden(design, hook.name):
            _check_hook(design, hook, site)
    _refuse_overrides(design)
    for name in design.options:
        if not isinstance(getattr(design, name, None), bool):
            message = f"option {name!r} of {design.__name__} is no boolean attribute of the class"
            raise DesignLoadError(site, message, f"add: {name}: ClassVar[bool] = False")


def _refuse_overrides(design: type[Design]) -> None:
    """Refuse a design that gives what the language means a meaning of its own, in Python only."""
    for each in design.__mro__:
        if each is object or each.__module__.startswith("iopermit."):
            continue
        for name, value in vars(each).items():
            special = name.startswith("__") and inspect.isroutine(value)
            if special or name in _PRIMITIVES:
                message = f"{each.__name__} has its own {name}()"
                raise DesignLoadError(
                    class_site(each), message, "another name; the language has it"
                )


def _check_hook(design: type[Design], hook: Hook, site: Site) -> None:
    method, remedy = find_method(design, hook.name), f"write: {hook.declaration}"
    if method is None:
        message = f"{design.__name__}.{hook.name} is not a method that is written out in a file"
        raise DesignLoadError(site, message, remedy)
    wanted = len(hook.parameters)
    if len(method.parameters) != wanted or method.node.args.kwonlyargs:
        message = f"{hook.name}() must have {wanted} parameters besides self"
        raise DesignLoadError(_site(method.file, method.node), message, remedy)


def _with_options(design: type[Design], options: Sequence[str]) -> type[Design]:
    for name in options:
        if name not in design.options:
            close = difflib.get_close_matches(name, design.options, n=1)
            known = ", ".join(design.options) or "it has none"
            remedy = f"did you mean {close[0]}?" if close else f"use one of its options: {known}"
            raise DesignLoadError(class_site(design), f"{design.id} has no option {name!r}", remedy)
    return with_options(design, dict.fromkeys(options, True))
