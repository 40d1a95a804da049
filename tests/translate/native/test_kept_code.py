"""Kept machine code is used only as it was left; everything else costs time and no verdict."""

from __future__ import annotations

import errno
import os
import random
import shutil
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import llvmlite.binding as llvm
import pytest
from tests.support.cli.command import HOLDING, SMALL, start
from tests.support.translate.small_models import FLAG, small_model, step

from iopermit.cache import errors
from iopermit.cache.eviction import entries
from iopermit.cache.locations import Shelf
from iopermit.translate.analyses.reductions import Reductions
from iopermit.translate.model.nodes import TASK, USER, Const, Store
from iopermit.translate.native import code_cache
from iopermit.translate.native.code_cache import cache_key, read, write
from iopermit.translate.native.jit import compile_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CODE = bytes(range(256)) * 64
KEY, OTHER = "a" * 64, "b" * 64


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the directory of a cache of the test's own, with one entry, and a key of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("IOPERMIT_CACHE_KEY", raising=False)
    monkeypatch.setattr(errors, "_said", set())
    write(KEY, CODE)
    return tmp_path / "cache/iopermit"


def replace_by_pipe(file: Path) -> None:
    """Put a pipe in place of a file, which nobody ever writes to."""
    file.unlink()
    os.mkfifo(file)


def replace_by_link(file: Path) -> None:
    """Put a link in place of a file, to the same content."""
    file.rename(file.parent.parent / "elsewhere")
    file.symlink_to(file.parent.parent / "elsewhere")


def replace_by_directory(file: Path) -> None:
    """Put a directory in place of a file."""
    file.unlink()
    file.mkdir()


def take_from_another(file: Path) -> None:
    """Put the code of another design in place of a file."""
    write(OTHER, CODE[::-1])
    file.with_name(f"{OTHER}.o").replace(file)


ATTACKS: dict[str, Callable[[Path], object]] = {
    "empty": lambda file: file.write_bytes(b""),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-1]),
    "header alone": lambda file: file.write_bytes(file.read_bytes().partition(b"\n\n")[0]),
    "without a header": lambda file: file.write_bytes(CODE),
    "longer": lambda file: file.write_bytes(file.read_bytes() + b"\0"),
    "another design's": take_from_another,
    "older": lambda file: file.write_bytes(b"iopermit cache 0\n" + file.read_bytes()[17:]),
    "pipe": replace_by_pipe,
    "link": replace_by_link,
    "directory": replace_by_directory,
    "open to the group": lambda file: file.chmod(0o660),
    "open to all": lambda file: file.chmod(0o602),
    "gone": lambda file: file.unlink(),
}


def test_what_was_written_is_read(folder: Path) -> None:
    """Machine code comes back as it was; nobody else can read where it is kept."""
    assert read(KEY) == CODE
    assert read(OTHER) is None
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("attack", ATTACKS)
def test_whatever_else_is_there_is_not_read(folder: Path, attack: str) -> None:
    """Everything but what was written is as good as missing."""
    ATTACKS[attack](folder / f"{KEY}.o")
    assert read(KEY) is None


def test_one_line_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Damaged entries are told once, and what is missing or written again not at all."""
    write(OTHER, CODE)
    for key in (KEY, OTHER):
        (folder / f"{key}.o").write_bytes(b"")
        assert read(key) is None
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f"({KEY}.o) is not used: it is damaged; it is made anew")
    write(KEY, CODE)
    assert read(KEY) == CODE
    assert read("c" * 64) is None
    assert capsys.readouterr().err == ""


def test_other_tools_make_other_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code for a processor with other features is not used."""
    other = code_cache.toolchain() + "x"
    monkeypatch.setattr(code_cache, "toolchain", lambda: other)
    assert read(KEY) is None


def test_features_of_the_processor_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that hides a feature of the same processor has another key for the same model."""
    model = small_model([step(0, to=USER)])
    before = cache_key(model, Reductions(), (), optimised=False)
    for cached in (code_cache.toolchain, code_cache.host_features):
        cached.cache_clear()
    monkeypatch.setattr(llvm, "get_host_cpu_features", FewFeatures)
    after = cache_key(model, Reductions(), (), optimised=False)
    for cached in (code_cache.toolchain, code_cache.host_features):
        cached.cache_clear()
    assert before != after


class FewFeatures:
    """The features of a very old processor."""

    def flatten(self) -> str:
        """Return them as LLVM does."""
        return "+sse2"


def test_a_restored_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What another account or machine made is used with the same secret only."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another machine"))
    assert read(KEY) is None
    assert "sealed with another key; it is made anew" in capsys.readouterr().err
    monkeypatch.setenv("IOPERMIT_CACHE_KEY", "s" * 32)
    assert read(KEY) is None
    write(KEY, CODE)
    shutil.rmtree(tmp_path / "another machine")
    assert read(KEY) == CODE
    for other in ("t" * 32, "", "short"):
        monkeypatch.setenv("IOPERMIT_CACHE_KEY", other)
        assert read(KEY) is None


@pytest.mark.parametrize("mode", [0o770, 0o1777])
@pytest.mark.parametrize("which", ["cache/iopermit", "cache"])
def test_a_directory_that_others_write_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], which: str, mode: int
) -> None:
    """It is neither read nor written, and one line says so; a sticky parent is none."""
    (tmp_path / which).chmod(mode)
    trusted = mode == 0o1777 and which == "cache"
    assert read(KEY) == (CODE if trusted else None)
    write(OTHER, CODE)
    assert (tmp_path / f"cache/iopermit/{OTHER}.o").exists() == trusted
    said = capsys.readouterr().err
    assert said.startswith("" if trusted else "iopermit: the cache is not used: ")
    assert len(said.splitlines()) == (0 if trusted else 1)


def test_a_relative_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative XDG_CACHE_HOME is ignored: what is in the working directory may be anybody's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert read(KEY) is None
    write(KEY, CODE)
    assert (tmp_path / f"home/.cache/iopermit/{KEY}.o").is_file()


def test_a_disk_that_is_full(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A full disk costs time only: nothing is said, nothing is left, what was there stays."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    write(OTHER, CODE)
    monkeypatch.undo()
    assert capsys.readouterr().err == ""
    assert [kept.path.name for kept in entries(folder, directories=False)] == [f"{KEY}.o"]


def test_a_directory_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A cache in a place that cannot be made is no error, and nothing is said."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    write(KEY, CODE)
    assert read(KEY) is None
    assert capsys.readouterr().err == ""


def test_a_directory_that_disappears(folder: Path) -> None:
    """A cache that is removed between two uses is made again."""
    shutil.rmtree(folder)
    assert read(KEY) is None
    write(KEY, CODE)
    assert read(KEY) == CODE


def test_what_was_read_is_kept_longest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit goes what was neither written nor read for longest."""
    keys = [character * 64 for character in "cdef"]
    for number, key in enumerate(keys):
        write(key, CODE)
        os.utime(folder / f"{key}.o", (number, number))
    os.utime(folder / f"{KEY}.o", (9, 9))
    assert read(keys[0]) == CODE
    size = (folder / f"{KEY}.o").stat().st_size
    shelf = Shelf(folder, 1, 3 * size, holds_directories=False)
    monkeypatch.setattr(code_cache, "machine_code", lambda: shelf)
    monkeypatch.setattr(code_cache, "_unlooked", code_cache._TRIMMED_EVERY)
    write(OTHER, CODE)
    left = {kept.path.stem for kept in entries(folder, directories=False)}
    assert left == {KEY, keys[0], OTHER}


def test_random_damage_never_gets_through(folder: Path) -> None:
    """Of 200 entries with random bytes changed none is read, and none ends the process."""
    file = folder / f"{KEY}.o"
    whole = file.read_bytes()
    for seed in range(200):
        chance, damaged = random.Random(seed), bytearray(whole)
        for _ in range(chance.choice([1, 2, 50])):
            damaged[chance.randrange(len(damaged))] ^= chance.randrange(1, 256)
        file.write_bytes(damaged)
        assert read(KEY) is None
    file.write_bytes(whole)
    assert read(KEY) == CODE


def test_a_model_is_compiled_anew(folder: Path) -> None:
    """A model whose kept code is another's is compiled again, and its code takes the place."""
    one, two = (small_model([step(0, Store(FLAG, TASK, Const(n)), to=USER)]) for n in (0, 1))
    for model in (one, two):
        compile_model(model, Reductions(), optimised=False)
    first, second = (
        folder / f"{cache_key(model, Reductions(), (), optimised=False)}.o" for model in (one, two)
    )
    right = first.read_bytes()
    shutil.copyfile(second, first)
    compile_model(one, Reductions(), optimised=False)
    assert first.read_bytes() == right


def test_verdicts_with_a_damaged_cache(folder: Path) -> None:
    """A check whose kept code is empty, another's or flipped has the verdict of the first."""
    check = ("check", HOLDING, *SMALL, "--quiet")

    def checked() -> tuple[int, str]:
        process = start(*check)
        out, _ = process.communicate()
        return process.returncode, out

    right = checked()
    assert right[0] == 0
    files = sorted(folder.glob("*.o"))
    for damage in (b"", (folder / f"{KEY}.o").read_bytes(), b"\x7fELF" + bytes(5000)):
        for file in files:
            file.write_bytes(damage)
        assert checked() == right


def test_processes_at_once(folder: Path) -> None:
    """Processes that write the same at once leave one whole entry."""
    code = (
        "from iopermit.translate.native.code_cache import read, write\n"
        f"for _ in range(20):\n    write({OTHER!r}, bytes(1000))\n"
        f"    assert read({OTHER!r}) == bytes(1000)\n"
    )
    started = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [process.wait(timeout=60) for process in started] == [0, 0, 0]
    assert {kept.path.stem for kept in entries(folder, directories=False)} == {KEY, OTHER}
