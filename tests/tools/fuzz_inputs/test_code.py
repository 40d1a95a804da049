"""Tests of tools.fuzz_inputs.code: which changes make what was tried count no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from tools.fuzz_designs.ledger import ROOT
from tools.fuzz_inputs.entries import ENTRIES

from iopermit.cli.app import VERBS
from tools.fuzz_inputs import code

if TYPE_CHECKING:
    from tools.fuzz_inputs.attempt import Attempt


@pytest.mark.parametrize("entry", code.ENTRY_VERBS)
def test_entry_tries_the_verbs_that_are_said(entry: str) -> None:
    """The attempts of an entry begin with the verbs whose code is looked at, and with no other."""
    seen = set()

    @settings(max_examples=60, database=None)
    @given(ENTRIES[entry]())
    def note(attempt: Attempt) -> None:
        seen.add(attempt.words[0])

    note()
    assert seen == set(code.ENTRY_VERBS[entry])


def test_entries_are_those_that_there_are() -> None:
    """Verbs are given for entries that exist, and are verbs."""
    assert set(code.ENTRY_VERBS) < set(ENTRIES)
    assert {verb for verbs in code.ENTRY_VERBS.values() for verb in verbs} <= set(VERBS)


def files_of(monkeypatch: pytest.MonkeyPatch, entry: str) -> set[str]:
    """Return the paths, from the root of the repository, that the code of an entry is."""
    seen: set[str] = set()

    class Noted:
        def update(self, data: bytes) -> None:
            seen.add(data.partition(b"\0")[0].decode())

        def hexdigest(self) -> str:
            return "0" * 64

    with monkeypatch.context() as patched:
        patched.setattr("tools.fuzz_inputs.code.hashlib.sha256", Noted)
        code.code_of(entry)
    return seen


def test_code_is_what_the_verb_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of a program goes through the machine and the design, and through no tree's code."""
    files = files_of(monkeypatch, "calls")
    assert "src/iopermit/machine/syscalls/__init__.py" in files
    assert "src/iopermit/cli/run.py" in files
    assert "src/iopermit/designs/linux/v6_16.py" in files
    assert "tools/fuzz_inputs/entries/programs.py" in files
    assert not any("iopermit/kernel/search" in file for file in files)
    assert not any("iopermit/sweep" in file for file in files)


def test_code_has_what_is_not_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """C that is compiled with a tree, and templates, count as code."""
    files = files_of(monkeypatch, "trees")
    assert "src/iopermit/kernel/build/shim/iopermit_shim.c" in files
    assert not any(file.endswith(".pyc") for file in files)


NO_VERBS: Final = {
    "src/iopermit/report/schemas/__init__.py",  # its folder is read, not imported
    "src/iopermit/search/mutation.py",  # for tools
    "src/iopermit/translate/frontend/mutate.py",  # as above
    "src/iopermit/system/events/recorded.py",  # sets of events of old records
    "src/iopermit/system/projection.py",  # for tests of the search
    "src/iopermit/sweep/execution/bound.py",  # a process of its own, around a job of a sweep
}
"""Modules that no verb imports."""


def test_all_verbs_are_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments are of every verb: their code is every module that some verb imports."""
    files = files_of(monkeypatch, "arguments")
    every = {str(f.relative_to(ROOT)) for f in (ROOT / "src/iopermit").rglob("*.py")}
    assert every - files == NO_VERBS


def test_digest_is_of_contents(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same code has the same digest, and another file another one."""
    before = code.code_of("calls")
    assert before == code.code_of("calls")
    listed = code._files
    monkeypatch.setattr(
        code, "_files", lambda graph, modules: set(sorted(listed(graph, modules))[1:])
    )
    assert code.code_of("calls") != before
