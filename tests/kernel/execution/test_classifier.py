"""What a transition accesses is noted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from iopermit.kernel.execution.classifier import Classifier
from iopermit.kernel.image import memory_map as at

if TYPE_CHECKING:
    from iopermit.kernel.state.guest_memory import GuestMemory

START, END = 0x1000, 0x3068


@pytest.fixture
def classifier() -> Classifier:
    """Return one of a machine whose TSSs lie somewhere in the CPUs' areas."""
    layout = SimpleNamespace(current_task=0, tss_words=(START, END))
    emulator = SimpleNamespace(image=SimpleNamespace(data_start=0x1100_0000))
    memory = SimpleNamespace(layout=layout, heap=1, emulator=emulator)
    return Classifier(cast("GuestMemory", memory))


@pytest.mark.parametrize("cpu", [0, 1])
@pytest.mark.parametrize(
    ("offset", "size", "touched"),
    [
        (START, 1, True),
        (START - 1, 1, False),
        (START - 7, 8, True),
        (START - 8, 8, False),
        (END - 1, 1, True),
        (END, 8, False),
        (0, 0x4000, True),
    ],
)
def test_every_byte_of_a_tss_is_noted(
    classifier: Classifier, cpu: int, offset: int, size: int, touched: bool
) -> None:
    """An access of its first byte, its last one, or of more than it, and none beside it."""
    classifier.note_tss(at.PER_CPU + cpu * at.PER_CPU_STRIDE + offset, size)
    assert classifier.touched_tss == touched


@pytest.mark.parametrize("write", [False, True])
def test_code_that_accesses_the_tss_is_noted(classifier: Classifier, *, write: bool) -> None:
    """Reading is noted as writing is, and forgotten when the next transition begins."""
    classifier.classify(at.PER_CPU + START, 8, 0, write=write)
    assert classifier.touched_tss
    classifier.begin()
    assert not classifier.touched_tss


@pytest.mark.parametrize("base", [at.TASK, at.HEAP, 0x1100_0000])
def test_what_is_no_cpu_s_is_no_tss(classifier: Classifier, base: int) -> None:
    """The same offset from where tasks, heap objects or the data lie is not noted."""
    classifier.note_tss(base + START, 8)
    assert not classifier.touched_tss
