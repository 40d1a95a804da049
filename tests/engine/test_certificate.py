"""Tests of the file format of certificates."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from iopermit.designs import designs, find
from iopermit.engine import certificate
from iopermit.engine.certificate import (
    CertificateError,
    Header,
    StoredField,
    StoredPosition,
    read_header,
    source_digest,
    write_certificate,
)

HEADER: Final = Header(
    design="linux-5.4",
    design_class="Linux54",
    options=("no_limit_refresh",),
    source="0" * 64,
    cpus=1,
    tasks=2,
    longs=1,
    events=("ioperm", "exit"),
    reductions=("symmetry",),
    states=3,
    words=2,
    fields=(StoredField("task", "at", 5, (0, 7, -1)),),
    positions=(StoredPosition(5, (("ioperm", 12, 8),), "one long"), StoredPosition(6, (), "end")),
)


def test_header_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Every part of the header comes back, and the states begin where it says."""
    file = tmp_path / "it"
    states = bytes(range(48))
    write_certificate(file, HEADER, [states[:16], states[16:]])
    header, start = read_header(file)
    assert header == HEADER
    assert file.read_bytes()[start:-32] == states


@pytest.mark.parametrize("words", [0, -1, 1, 3])
def test_size_must_be_that_of_the_header(words: int, tmp_path: Path) -> None:
    """A header that promises another amount of states is refused."""
    write_certificate(tmp_path / "it", replace(HEADER, words=words), [bytes(48)])
    with pytest.raises(CertificateError, match="cut off, or longer"):
        read_header(tmp_path / "it")


def test_other_versions_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of another version is not misread."""
    monkeypatch.setattr(certificate, "VERSION", certificate.VERSION + 1)
    write_certificate(tmp_path / "it", HEADER, [bytes(48)])
    monkeypatch.undo()
    with pytest.raises(CertificateError, match="another version"):
        read_header(tmp_path / "it")


@pytest.mark.parametrize("damage", [b"{", b"[]", b"{}", b"null", b'{"fields": 3}', b"\xff"])
def test_damaged_header_is_refused(damage: bytes, tmp_path: Path) -> None:
    """A header that is not what it should be is refused with one message."""
    (tmp_path / "it").write_bytes(
        b"iopermit-certificate %d\n" % certificate.VERSION + damage + b"\n" + bytes(80)
    )
    with pytest.raises(CertificateError, match="damaged"):
        read_header(tmp_path / "it")


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    """A certificate is there as a whole or not at all."""

    def states() -> Iterator[bytes]:
        yield bytes(16)
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        write_certificate(tmp_path / "it", HEADER, states())
    assert not list(tmp_path.iterdir())


def test_digest_is_of_the_source_that_matters() -> None:
    """Designs in different files have different digests, the same design always the same."""
    digests = {name: source_digest(design) for name, design in designs().items()}
    assert digests["linux-5.4"] == source_digest(find("linux-5.4"))
    assert digests["linux-5.4"] != digests["linux-v2-06"]
    assert digests["linux-5.5"] != digests["linux-5.7"]
