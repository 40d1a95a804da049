"""Tests that a certificate in which something is wrong is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.certify.certificates import (
    FEW,
    OWN_DESIGN,
    certificate,
    rewrite,
    scenario,
    states_of,
    visited_by_plain_search,
)

from iopermit.certify.checker import certify
from iopermit.certify.errors import UnacceptableError
from iopermit.certify.language.source import load
from iopermit.engine.certificate import StoredField, read_header, source_digest
from iopermit.translate.analyses.reductions import SYMMETRY, Reductions


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a right certificate."""
    file = tmp_path_factory.mktemp("made") / "it"
    certificate(file, OWN_DESIGN, scenario(1, 2, 1, FEW))
    return file


@pytest.fixture
def file(made: Path, tmp_path: Path) -> Path:
    """Return a right certificate that a test may change."""
    copy = tmp_path / "it"
    copy.write_bytes(made.read_bytes())
    return copy


@pytest.mark.parametrize("seed", range(12))
def test_missing_state_is_missed(file: Path, seed: int) -> None:
    """Whichever state is left out, the initial state or a successor is not in the set."""
    states = states_of(file)
    number = 0 if seed == 0 else int(np.random.default_rng(seed).integers(len(states)))
    rewrite(file, np.delete(states, number, axis=0))
    assert "not in the set" in certify(file).refutation


def test_empty_set_is_refuted(file: Path) -> None:
    """The initial state is not in a set without states."""
    rewrite(file, states_of(file)[:0])
    assert "the initial state is not in the set" in certify(file).refutation


def test_initial_state_must_be_there(file: Path) -> None:
    """A closed set without the initial state proves nothing: states that only loop are no proof."""
    states = states_of(file)
    rewrite(file, np.concatenate([states[1:], states[1:2]]))
    assert "not in the set" in certify(file).refutation


WRONG = {
    "leak of a level": ("fixture-xen-iopl", (), "leak"),
    "leak behind the map": ("fixture-tss-limit", (), "leak"),
    "loss": ("linux-5.4", ("no_limit_refresh",), "loss"),
    "garbage": ("linux-5.5", ("no_refcnt_reset",), "garbage"),
    "crash": ("linux-060aa16f", (), "null pointer dereference"),
}

EVENTS = dict.fromkeys(WRONG, FEW) | {"loss": "ioperm,vm-exit", "garbage": "ioperm,fork,exit"}


@pytest.mark.parametrize("case", WRONG)
def test_violation_is_found(case: str, tmp_path: Path) -> None:
    """The set of a design that is wrong is refuted for what is wrong."""
    design, options, kind = WRONG[case]
    bounds = scenario(1, 2, 1, EVENTS[case])
    assert visited_by_plain_search(tmp_path / "it", design, bounds, options, hide=False)
    assert kind in certify(tmp_path / "it").refutation


@pytest.mark.parametrize("case", WRONG)
def test_hidden_violation_is_missed(case: str, tmp_path: Path) -> None:
    """If the violating states are left out, a successor is not in the set (or crashes)."""
    design, options, kind = WRONG[case]
    bounds = scenario(1, 2, 1, EVENTS[case])
    visited_by_plain_search(tmp_path / "it", design, bounds, options, hide=True)
    wanted = kind if case == "crash" else "a successor of a state is not in the set"
    assert wanted in certify(tmp_path / "it").refutation


def test_changed_value_is_refuted(file: Path) -> None:
    """A set in which tasks were granted everything from the start is not closed."""
    header, states = read_header(file)[0], states_of(file)
    granted = next(f for f in header.fields if (f.record, f.name) == ("task", "granted"))
    word, shift = divmod(granted.offsets[0], 64)
    states[:, word] |= np.uint64(1 << shift)
    rewrite(file, states)
    assert certify(file).refutation


@pytest.mark.parametrize("claimed", [(), ("counters",)])
def test_reductions_must_be_stated(file: Path, claimed: tuple[str, ...]) -> None:
    """A set of representatives is not closed if names are said to matter."""
    rewrite(file, reductions=claimed)
    assert "not in the set" in certify(file).refutation


def test_unknown_reduction_is_refused(file: Path) -> None:
    """A reduction that the checker does not know is not believed."""
    rewrite(file, reductions=("symmetry", "counters", "merging"))
    with pytest.raises(UnacceptableError, match="'merging' cannot be checked"):
        certify(file)


def test_merged_states_are_refuted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The visited set of a search that merges steps is not closed under single steps."""
    monkeypatch.setattr("iopermit.search.certificate._OFF", ())
    certificate(tmp_path / "it", "linux-5.4", scenario(1, 1, 1), Reductions())
    assert "not in the set" in certify(tmp_path / "it").refutation


def test_smaller_scenario_proves_no_larger_one(file: Path) -> None:
    """More events than were searched have successors that are not in the set."""
    header = read_header(file)[0]
    rewrite(file, events=(*header.events, "drop-privilege"))
    assert "drop-privilege" in certify(file).refutation


def test_unknown_event_is_refused(file: Path) -> None:
    """An event that there is not is not passed over."""
    rewrite(file, events=("ioperm", "cosmic-ray"))
    with pytest.raises(UnacceptableError, match="'cosmic-ray' is no event"):
        certify(file)


def test_more_tasks_do_not_fit(file: Path) -> None:
    """A scenario with other bounds than the fields have slots for is refused."""
    rewrite(file, tasks=1)
    with pytest.raises(UnacceptableError, match="cannot be where the certificate says"):
        certify(file)


def test_another_design_is_refused(file: Path, tmp_path: Path) -> None:
    """The certificate is not accepted for a changed design, nor for another one."""
    changed = tmp_path / "changed.py"
    text = Path(OWN_DESIGN).read_text(encoding="utf-8")
    changed.write_text(text.replace("LIMIT = 2", "LIMIT = 1"), encoding="utf-8")
    with pytest.raises(UnacceptableError, match="is not the one that was certified"):
        certify(file, design=str(changed))
    with pytest.raises(UnacceptableError, match="is not the one that was certified"):
        certify(file, design="linux-5.4")


def test_moved_design_is_accepted(file: Path, tmp_path: Path) -> None:
    """The same text in another file is the same design."""
    moved = tmp_path / "moved.py"
    moved.write_bytes(Path(OWN_DESIGN).read_bytes())
    assert certify(file, design=str(moved)).verified


def test_design_with_a_fault_is_refuted(file: Path, tmp_path: Path) -> None:
    """With the digest of a faulty design put in, its set is not that of the right one."""
    changed = tmp_path / "faulty.py"
    text = Path(OWN_DESIGN).read_text(encoding="utf-8")
    fault = text.replace("cpu.tss.bitmap.copy_from(block.bitmap)", "cpu.tss.bitmap.fill()", 1)
    assert fault != text
    changed.write_text(fault, encoding="utf-8")
    digest = source_digest(load(str(changed), "EveryConstruct", ()))
    rewrite(file, source=digest)
    assert "is not in the set: ioperm():" in certify(file, design=str(changed)).refutation


def test_positions_must_be_those_of_the_design(file: Path) -> None:
    """A state at a position that the design does not have is refused."""
    positions = read_header(file)[0].positions
    moved = tuple(replace(p, path=tuple((f, n + 1, c) for f, n, c in p.path)) for p in positions)
    rewrite(file, positions=moved)
    with pytest.raises(UnacceptableError, match="a position that the design does not have"):
        certify(file)


@pytest.mark.parametrize("kept", [0, 10, 100, 5000, -1])
def test_cut_off_file_is_refused(file: Path, kept: int) -> None:
    """A file that lacks its end is no certificate."""
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(UnacceptableError, match=r"not a certificate|damaged|cut off"):
        certify(file)


def test_changed_byte_is_noticed(file: Path) -> None:
    """The checksum covers every byte."""
    data = bytearray(file.read_bytes())
    data[-40] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(UnacceptableError, match="checksum"):
        certify(file)


def test_hidden_field_is_refused(file: Path) -> None:
    """Every field of the design's state must be in the certificate, and no other."""
    fields = read_header(file)[0].fields
    rewrite(file, fields=tuple(f for f in fields if f.name != "granted"))
    with pytest.raises(UnacceptableError, match="granted of task is not in the certificate"):
        certify(file)
    rewrite(file, fields=(*fields, StoredField("task", "other", 1, (0, 1, 2))))
    with pytest.raises(UnacceptableError, match="other of task is unknown"):
        certify(file)


def test_time_limit(file: Path) -> None:
    """A time limit ends the checking without a result."""
    result = certify(file, timeout=0)
    assert result.limit
    assert not result.verified


def test_symmetry_alone_can_be_stated(tmp_path: Path) -> None:
    """A set that was not renamed is also closed if names are said not to matter."""
    made = tmp_path / "it"
    certificate(made, OWN_DESIGN, scenario(1, 2, 1, FEW), Reductions().without(SYMMETRY))
    plain = certify(made)
    rewrite(made, reductions=("symmetry", "counters"))
    renamed = certify(made)
    assert plain.verified
    assert renamed.verified
    assert renamed.members < plain.members
