"""The header of what is kept: anything but what was written is rejected."""

from __future__ import annotations

import random

import pytest
from tests.support.cache.keys import KEY, ORIGIN, OTHER_KEY

from iopermit.cache.entry import Origin, sealed, unsealed
from iopermit.cache.errors import RejectedError

CONTENT = bytes(range(256)) * 4 + b"\n\nmore"
DATA = sealed(CONTENT, ORIGIN, KEY)


def rejected(data: bytes, origin: Origin = ORIGIN) -> str:
    """Return why data is rejected."""
    with pytest.raises(RejectedError) as error:
        unsealed(data, origin, KEY)
    return str(error.value).removesuffix("; it is made anew")


@pytest.mark.parametrize("content", [CONTENT, b"", b"\n\n"])
def test_what_was_sealed_is_given_back(content: bytes) -> None:
    """Content of every kind comes back as it was."""
    assert unsealed(sealed(content, ORIGIN, KEY), ORIGIN, KEY) == content


def test_the_header_says_what_it_is() -> None:
    """The header has the hashes of what it was made of, of the tools and of itself, in words."""
    names = [line.split(b" ")[0] for line in DATA.partition(b"\n\n")[0].split(b"\n")]
    assert names == b"iopermit kind made-of toolchain content size key seal".split()


def test_every_cut_is_rejected() -> None:
    """No beginning of an entry is accepted, the empty one included; nor is anything behind it."""
    for length in range(len(DATA)):
        assert rejected(DATA[:length])
    assert rejected(DATA + b"\0") == "it is damaged"
    assert rejected(b"") == "it is damaged"


def test_every_flipped_bit_is_rejected() -> None:
    """An entry in which one bit is another is never accepted, wherever the bit is."""
    for position in range(len(DATA)):
        damaged = bytearray(DATA)
        damaged[position] ^= 1 << random.Random(position).randrange(8)
        assert rejected(bytes(damaged))


@pytest.mark.parametrize("part", ["kind", "made_of", "toolchain"])
def test_another_origin_is_rejected(part: str) -> None:
    """What was made of something else, or with other tools, is not accepted under this name."""
    other = ORIGIN._replace(**{part: "b"})
    assert rejected(sealed(CONTENT, other, KEY)) == "it was made of something else"


def test_another_key_is_rejected() -> None:
    """What another key sealed is rejected, also if it claims to be of the right one."""
    foreign = sealed(CONTENT, ORIGIN, OTHER_KEY)
    assert rejected(foreign) == "it was sealed with another key"
    claimed = foreign.replace(OTHER_KEY.id.encode(), KEY.id.encode())
    assert claimed != foreign
    assert rejected(claimed) == "it is damaged"


@pytest.mark.parametrize("version", [b"0", b"2", b"11"])
def test_another_version_is_rejected(version: bytes) -> None:
    """A header of an older or newer version is told as that."""
    data = DATA.replace(b"iopermit cache 1\n", b"iopermit cache " + version + b"\n", 1)
    assert rejected(data) == "another version of iopermit made it"


def test_parts_cannot_run_into_each_other() -> None:
    """An origin with a line break in it is no other origin."""
    one = Origin("kind", "a\ntoolchain b", "c")
    two = Origin("kind", "a", "b\ntoolchain c")
    assert rejected(sealed(CONTENT, one, KEY), two)
    assert unsealed(sealed(CONTENT, one, KEY), one, KEY) == CONTENT
