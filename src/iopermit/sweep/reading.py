"""Reads the description of a sweep, strictly: a key or a value that makes no sense is refused."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from iopermit.kernel.build.configuration import CONFIGURATIONS, FULL
from iopermit.sweep.definition import Definition, EventSet, JobLimits, PatchSet, Revisions, Tree
from iopermit.sweep.errors import SweepError
from iopermit.sweep.toml_table import TomlTable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iopermit.engine.ladder import Bounds

DEFAULT_SCENARIO: Final[Bounds] = (1, 2, 1)
"""CPUs, tasks and longs, where the description has no [[scenario]]: searched in seconds."""
SUBSYSTEM: Final = (
    "arch/x86/kernel/ioport.c",
    "arch/x86/kernel/process.c",
    "arch/x86/kernel/process_64.c",
    "arch/x86/include/asm/io_bitmap.h",
    "arch/x86/include/asm/processor.h",
)
"""Files that keep the bitmap: whose commits are looked at where [[revisions]] has no `paths`."""
_WITHOUT: Final = re.compile(r"(?P<events>.+?)(?:\s+without\s+|-without-)(?P<without>.+)")
_FILE: Final = re.compile(r"(.+\.py)((?::.*)?)", re.DOTALL)
_LARGEST: Final = 1 << 20
"""Bytes of a description: more is something else."""


def read_definition(file: Path) -> Definition:
    """Return what a file describes; paths in it are relative to its directory.

    Raises:
        SweepError: it cannot be read, is no TOML, has unknown keys, or values that make no sense.
    """
    top = _parsed(file)
    folder = file.absolute().parent
    scenarios = tuple(map(_scenario, top.tables_of("scenario"))) or (DEFAULT_SCENARIO,)
    trees = tuple(_tree(each, folder) for each in top.tables_of("tree"))
    revisions = tuple(_revisions(each, folder) for each in top.tables_of("revisions"))
    unpatched = top.flag_of("unpatched", default=True)
    patched = tuple(_patches(each, folder) for each in top.tables_of("patch"))
    definition = Definition(
        file,
        top.text_of("title", ""),
        tuple(_design(name, folder) for name in top.texts_of("designs", ())),
        top.either_of("options", "none"),
        tuple(map(_event_set, top.texts_of("events", ("all",)))),
        tuple(dict.fromkeys(scenarios)),
        trees,
        revisions,
        (*((PatchSet(),) if unpatched else ()), *patched),
        top.texts_of("configurations", (FULL.name,)),
        _limits(top.table_of("limits")),
        {key: top.line(key) for key in ("designs", "options", "events", "scenario", "limits")},
    )
    top.finish()
    _require_sense(definition, top)
    return definition


def _parsed(file: Path) -> TomlTable:
    try:
        with file.open("rb") as stream:
            raw = stream.read(_LARGEST + 1)
        if len(raw) > _LARGEST:
            raise SweepError(f"{file} is too large to be the description of a sweep")
        text = raw.decode("utf-8")
        return TomlTable(file, text, tomllib.loads(text))
    except OSError as error:
        raise SweepError(f"cannot read {file}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise SweepError(f"{file} is no TOML: {error}; docs/sweeps.md shows what it has") from error


def _scenario(table: TomlTable) -> Bounds:
    names = zip(("cpus", "tasks", "longs"), DEFAULT_SCENARIO, strict=True)
    cpus, tasks, longs = (table.count_of(name, default) or default for name, default in names)
    table.finish()
    return cpus, tasks, longs


def _design(name: str, folder: Path) -> str:
    """Return what `check` takes as DESIGN, with a file as an absolute path."""
    found = _FILE.fullmatch(name)
    return name if found is None else f"{folder / Path(found[1]).expanduser()}{found[2]}"


def _event_set(text: str) -> EventSet:
    found = _WITHOUT.fullmatch(text)
    if found is None:
        return EventSet(text, text, "")
    return EventSet(text, found["events"], found["without"])


def _tree(table: TomlTable, folder: Path) -> Tree:
    path = Path(table.text_of("path"))
    name = table.text_of("name", path.name)
    table.finish()
    return Tree(name, folder / path.expanduser())


def _revisions(table: TomlTable, folder: Path) -> Revisions:
    repository, rev = Path(table.text_of("repository")), table.text_of("rev")
    name = table.text_of("name", rev)
    paths = table.texts_of("paths", SUBSYSTEM)
    table.finish()
    return Revisions(name, folder / repository.expanduser(), rev, paths)


def _patches(table: TomlTable, folder: Path) -> PatchSet:
    files = tuple(folder / Path(name).expanduser() for name in table.texts_of("files"))
    if not files:
        raise table.error("files", "'files' in [patch] is empty; name a patch, or remove it")
    for file in files:
        if not file.is_file():
            raise table.error("files", f"there is no file {file}")
    reverse = table.flag_of("reverse", default=False)
    found = PatchSet(table.text_of("name"), files, reverse, table.texts_of("trees", ()))
    table.finish()
    return found


def _limits(table: TomlTable) -> JobLimits:
    memory = table.text_of("max-memory", "") or None
    limits = JobLimits(table.count_of("max-states", None), memory, table.seconds_of("timeout"))
    table.finish()
    return limits


def _require_sense(definition: Definition, top: TomlTable) -> None:
    """Refuse a sweep of nothing, names that stand for two things, and names of nothing."""
    sources: list[Tree | Revisions] = [*definition.trees, *definition.revisions]
    if not definition.designs and not sources:
        message = "there is nothing to check; add designs = [...], [[tree]] or [[revisions]]"
        raise SweepError(f"{definition.file}: {message}")
    if not definition.events:
        raise top.error("events", "'events' is empty; name a set of events, such as \"all\"")
    if sources and not definition.patches:
        message = "unpatched = false without a [[patch]]: no tree is left"
        raise top.error("unpatched", message)
    _require_different(top, "tree", (source.name for source in sources))
    _require_different(top, "patch", (patch.name for patch in definition.patches))
    known = {source.name for source in sources}
    for name in itertools.chain.from_iterable(patch.trees for patch in definition.patches):
        if name not in known:
            choice = ", ".join(sorted(known)) or "there is none"
            raise top.error("patch", f"a patch is for the tree {name!r}; the trees: {choice}")
    unknown = [name for name in definition.configurations if name not in CONFIGURATIONS]
    if unknown or not definition.configurations:
        message = f"'configurations' has {unknown}; choose from {', '.join(CONFIGURATIONS)}"
        raise top.error("configurations", message)


def _require_different(top: TomlTable, key: str, names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise top.error(key, f"{count} of [[{key}]] have the name {name!r}; name them apart")
