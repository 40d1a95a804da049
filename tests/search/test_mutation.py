"""Every weakened statement of the right designs is noticed, or is listed with a reason."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from iopermit.designs import find
from iopermit.search.mutation import HOLDS_UNDER, SMALL, check_mutant
from iopermit.system.events import Event
from iopermit.translate.frontend.load import load_design
from iopermit.translate.frontend.mutate import mutations
from tools import mutations as tool

if TYPE_CHECKING:
    from iopermit.engine.ladder import Bounds

FAST: dict[str, tuple[Bounds, ...]] = {
    "linux-2.6.8": SMALL,
}
"""The designs whose mutants are all searched here, and the scenarios."""


@pytest.mark.parametrize("design", FAST)
def test_mutants_are_found_or_explained(design: str) -> None:
    """The mutants that survive are exactly those that the table of harmless ones explains."""
    results = tool.outcomes(design, jobs=2, scenarios=FAST[design], confirmed=False)
    survivors = {mutation.key for mutation, outcome in results if not outcome.found}
    assert survivors == set(tool.reasons(design))
    assert len(survivors) < len(results) / 2


@pytest.mark.parametrize("design", sorted(tool.sections(tool.DOCUMENT.read_text(encoding="utf-8"))))
def test_document_has_every_mutant(design: str) -> None:
    """docs/mutations.md has one line for each mutant, found or with the reason of the table."""
    part = tool.sections(tool.DOCUMENT.read_text(encoding="utf-8"))[design]
    lines = [line for line in part.splitlines() if line.startswith("| ")][2:]
    explained = tool.reasons(design)
    made = mutations(find(design))
    assert len(lines) == len(made)
    for line, mutation in zip(lines, made, strict=True):
        where = f"| {mutation.method}, {Path(mutation.file).name}:{mutation.line} |"
        assert line.startswith(f"{where} `{mutation.statement}` | {mutation.change} | ")
        result = line.rsplit(" | ", 1)[1]
        reason = explained.get(mutation.key)
        assert result.startswith("found: ") if reason is None else result == f"harmless: {reason} |"


@pytest.mark.parametrize("design", HOLDS_UNDER)
def test_table_explains_only_mutants(design: str) -> None:
    """Each entry of the table names a mutant that there is, and gives a reason."""
    keys = {mutation.key for mutation in mutations(find(design))}
    explained = tool.reasons(design)
    assert set(explained) <= keys
    assert all(len(reason.split()) > 4 for reason in explained.values())


def test_mutations_cover_the_protocol() -> None:
    """Each kind of statement that keeps the TSS in step is weakened in linux-5.5 and 5.4."""
    made = [m for d in ("linux-5.4", "linux-6.16+preempt_off") for m in mutations(find(d))]
    texts = {(m.statement.split("(")[0].split(" = ")[0], m.change) for m in made}
    assert {
        ("cpu.tss.io_map_base", "removed"),
        ("cpu.tss.bitmap.copy_from", "removed"),
        ("cpu.tss.bitmap.fill", "removed"),
        ("cpu.tss.prev_max", "removed"),
        ("cpu.current.tif_io_bitmap", "removed"),
        ("iobm.sequence", "removed"),
        ("self.refresh_tss_limit", "removed"),
        ("cpu.load_task_register", "removed"),
        ("with cpu.preemption_disabled", "region removed"),
        ("task.io_bitmap.refcnt += 1", "removed"),
        ("if tsk.io_bitmap_ptr is NULL:", "never"),
    } <= texts


def test_removal_removes_one_statement(tmp_path: Path) -> None:
    """The file of a mutant is a design that lacks just the statement named."""
    made = mutations(find("linux-6.16+preempt_off"))
    (mutation,) = [m for m in made if m.statement == "iobm.sequence = self.next_sequence()"]
    file = tmp_path / "mutant.py"
    mutation.write(file)
    mutant = load_design(f"{file}:Mutant")
    assert issubclass(mutant, find("linux-6.16+preempt_off"))
    lines = file.read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if line.strip() == mutation.statement]
    assert [line for line in lines if line.strip() == "iobm.max = longs"]


def test_leak_of_a_mutant_is_confirmed_at_full_size() -> None:
    """v6.16 without its invalidation at switch-out leaks, and the message names real ports."""
    made = mutations(find("linux-6.16+preempt_off"))
    (mutation,) = [m for m in made if m.statement == "self.tss_invalidate_io_bitmap(cpu)"]
    outcome = check_mutant(
        mutation, HOLDS_UNDER["linux-6.16+preempt_off"], ((1, 2, 1),), confirmed=True
    )
    assert (outcome.found, outcome.kind) == (True, "leak")
    assert "task B may use ports" in outcome.message


def test_a_read_into_a_variable_that_nothing_reads_is_kept() -> None:
    """Without its test for a map the dump of linux-5.4 follows NULL: it still reads."""
    made = [m for m in mutations(find("linux-5.4")) if m.method == "read_map"]
    events = frozenset({Event.IOPERM, Event.READ_MAP})
    found = {m.change: check_mutant(m, events, ((1, 2, 1),)).kind for m in made}
    assert found == {"never": "crash", "always": ""}
