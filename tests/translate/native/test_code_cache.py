"""Tests of the key of kept machine code: it tells apart whatever makes other code."""

import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest
from tests.support.translate.small_models import COUNT, FLAG, KERNEL, rule, small_model, step

from iopermit import translate
from iopermit.system.site import Site
from iopermit.translate.analyses.reductions import MERGING, Reductions
from iopermit.translate.model.model import Model
from iopermit.translate.model.nodes import CPU, DEAD, NEVER, TASK, USER, Const, Let, Store, Temp
from iopermit.translate.native.code_cache import cache_key, hash_of_sources

SOURCES = Path(translate.__file__).parent
FILES = sorted(str(file.relative_to(SOURCES)) for file in SOURCES.rglob("*.py"))
MODEL = small_model([step(0, to=USER)])


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the translation's sources."""
    folder = tmp_path_factory.mktemp("sources") / "translate"
    shutil.copytree(SOURCES, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def hashed(folder: Path) -> str:
    """Return the hash of the sources as they are now."""
    hash_of_sources.cache_clear()
    return hash_of_sources(folder)


def test_every_phase_has_files() -> None:
    """What follows looks into every folder of the translation."""
    folders = {file.split("/")[0] for file in FILES if "/" in file}
    assert folders >= {"frontend", "model", "environment", "analyses", "native"}


@pytest.mark.parametrize("file", FILES)
def test_every_file_of_the_translation_counts(copy: Path, file: str) -> None:
    """A change of any file, in whatever folder, makes another key."""
    before, path = hashed(copy), copy / file
    source = path.read_bytes()
    path.write_bytes(source + b"\n")
    changed = hashed(copy)
    path.write_bytes(source)
    assert changed != before == hashed(copy)


def test_new_and_moved_files_count(copy: Path) -> None:
    """A file in a new folder makes another key, and so does its move."""
    before = hashed(copy)
    (copy / "later" / "phase").mkdir(parents=True)
    new = copy / "later" / "phase" / "new.py"
    new.write_text("")
    added = hashed(copy)
    new.rename(copy / "later" / "new.py")
    moved = hashed(copy)
    shutil.rmtree(copy / "later")
    assert len({before, added, moved}) == 3


CHANGES: dict[str, Callable[[Model], object]] = {
    "counts": lambda model: model.counts | {"task": 5},
    "kernel": lambda model: replace(model.kernel, ports=None),
    "tasks": lambda _: 3,
    "fields": lambda model: model.fields[1:],
    "steps": lambda _: {step(0).pc: step(0, to=DEAD)},
    "user_rules": lambda _: [rule("ioperm", starts=0)],
    "thread_rules": lambda _: [rule("exit", starts=0)],
    "switch_rules": lambda _: [rule("switch", starts=0)],
    "specification": lambda _: (Let(Temp("x"), Const(1)),),
    "heap": lambda _: (),
    "blame": lambda _: FLAG,
    "sites": lambda _: (Site("other.py", 1, 0, "", ""),),
    "live": lambda _: {step(0).pc: frozenset({FLAG})},
    "live_together": lambda _: [frozenset({FLAG})],
    "idle": lambda _: {"flag": 1},
    "map_is_valid": lambda _: NEVER,
    "consulted": lambda _: frozenset({FLAG}),
    "brought_up": lambda _: {("task", "flag"): [1]},
    "return_pc": lambda _: DEAD,
    "preemptible_end": lambda _: 7,
    "exact_longs": lambda _: 2,
    "longs_site": lambda _: Site("other.py", 1, 0, "", ""),
}


def key(model: Model) -> str:
    """Return the key of a model with all reductions."""
    return cache_key(model, Reductions(), (), optimised=False)


def test_every_attribute_of_a_model_is_changed_below() -> None:
    """An attribute that is added has to be added here too."""
    assert set(CHANGES) == {field.name for field in fields(Model)}


@pytest.mark.parametrize("name", CHANGES)
def test_every_attribute_of_a_model_counts(name: str) -> None:
    """Models that differ in one attribute have different keys."""
    changed = replace(MODEL, **{name: CHANGES[name](MODEL)})  # type: ignore[arg-type]  # of its type
    assert key(changed) != key(MODEL)


def test_the_body_of_a_step_counts() -> None:
    """Models that differ in one stored value have different keys."""
    one, two = (small_model([step(0, Store(FLAG, TASK, Const(n)), to=USER)]) for n in (0, 1))
    assert key(one) != key(two)
    assert key(one) != key(small_model([step(0, Store(FLAG, CPU, Const(0)), to=USER)]))


def test_reductions_assumptions_and_optimising_count() -> None:
    """The same model has other code with other reductions, assumptions, or optimised."""
    everything = Reductions()
    keys = {
        cache_key(MODEL, everything, (), optimised=False),
        cache_key(MODEL, everything, (), optimised=True),
        cache_key(MODEL, everything.without(MERGING), (), optimised=False),
        cache_key(MODEL, everything, (COUNT,), optimised=False),
        cache_key(MODEL, everything, (KERNEL.current,), optimised=False),
    }
    assert len(keys) == 5
