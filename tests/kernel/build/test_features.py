"""What a tree offers, told from its headers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from iopermit.kernel.build.features import detect
from iopermit.kernel.build.fingerprint import fingerprint
from iopermit.kernel.build.source import Source

if TYPE_CHECKING:
    from pathlib import Path

PROCESSOR = "arch/x86/include/asm/processor.h"
CURRENT = "arch/x86/include/asm/current.h"
TASK = "include/linux/sched/task.h"
ENTRY = "arch/x86/include/asm/entry-common.h"
IOBITMAP = "arch/x86/include/asm/iobitmap.h"


def source(**files: bytes) -> dict[str, bytes | None]:
    """Name the headers by short names."""
    paths = {"processor": PROCESSOR, "current": CURRENT, "task": TASK, "entry": ENTRY}
    paths["iobitmap"] = IOBITMAP
    return {paths[name]: text for name, text in files.items()}


def test_debian_trees(tree: Path) -> None:
    """Debian's trees share bitmaps and use the generic entry code; only 6.12 has pcpu_hot."""
    features = detect(Source(tree))
    assert features.io_bitmap_struct
    assert features.tss_mapall
    assert features.arch_exit_to_user_mode_prepare
    assert features.create_io_thread
    assert features.copy_thread_args
    assert features.x86_iopl_ioperm
    assert not features.thread_io_bitmap_ptr
    in_structure = {
        features.pcpu_hot,
        features.pcpu_hot_preempt_count,
        features.pcpu_hot_cpu_number,
    }
    assert in_structure == {"-6.12-" in tree.name}


def test_a_bitmap_that_the_task_owns(tmp_path: Path) -> None:
    """The thread's own bitmap, as before v5.5, is told from the shared one."""
    text = b"struct thread_struct {\n\tunsigned long *io_bitmap_ptr;\n};\n"
    features = detect(Source(tmp_path, source(processor=text)))
    assert features.thread_io_bitmap_ptr
    assert not features.io_bitmap_struct
    assert not features.x86_iopl_ioperm


def test_the_names_of_version_2_of_the_series_of_2019(tmp_path: Path) -> None:
    """Its header, the second map of its TSS, and iopl()'s level in the thread are told."""
    processor = b"struct tss_struct { char io_bitmap_all[1]; };\nunsigned long\t\tiopl;\n"
    texts = source(processor=processor, iobitmap=b"struct io_bitmap {\n};\n")
    features = detect(Source(tmp_path, texts))
    assert features.iobitmap_header
    assert features.io_bitmap_struct
    assert features.tss_io_bitmap_all
    assert features.thread_iopl
    assert not features.io_bitmap_header
    assert not features.iopl_emulation


def test_the_forms_of_copy_thread(tmp_path: Path) -> None:
    """The three forms of copy_thread() are told apart by their declaration."""
    new = b"int copy_thread(struct task_struct *, const struct kernel_clone_args *);"
    middle = b"int copy_thread(unsigned long, unsigned long, unsigned long, struct task_struct *);"
    old = b"int copy_thread_tls(unsigned long, unsigned long, unsigned long, struct task_struct *);"
    found = [detect(Source(tmp_path, source(task=text))) for text in (new, middle, old)]
    assert [features.copy_thread_args for features in found] == [True, False, False]
    assert [features.copy_thread_tls for features in found] == [False, False, True]


def test_workers_of_io_uring(tmp_path: Path) -> None:
    """Whether a task makes its workers itself is told by a declaration."""
    text = b"struct task_struct *create_io_thread(int (*fn)(void *), void *arg, int node);"
    assert detect(Source(tmp_path, source(task=text))).create_io_thread
    assert not detect(Source(tmp_path, source(task=b"void exit_thread(void);"))).create_io_thread


def test_comments_do_not_count(tmp_path: Path) -> None:
    """A function that is only mentioned in a comment is not there."""
    text = b"/* no arch_exit_to_user_mode_prepare() here */\n// struct pcpu_hot {\n"
    features = detect(Source(tmp_path, source(entry=text, current=text)))
    assert not features.arch_exit_to_user_mode_prepare
    assert not features.pcpu_hot


def test_macros_name_what_is_there(tmp_path: Path) -> None:
    """The shim is told of each thing that is there, and of nothing else."""
    text = (
        b"struct pcpu_hot {\n\tint x;\n\tstruct task_struct *current_task;\n};\nint cpu_number;\n"
    )
    features = detect(Source(tmp_path, source(current=text)))
    assert features.macros() == ["-DIOPERMIT_HAS_PCPU_HOT"]


UNENDED = (
    *(b"/*", b"struct pcpu_hot {", b"copy_thread ( struct task_struct * ", b"\n \t"),
    b"struct io_bitmap ",
)


@pytest.mark.parametrize("unit", UNENDED)
def test_headers_take_time_in_proportion(tmp_path: Path, unit: bytes) -> None:
    """What begins again and again and never ends is looked at once."""

    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        texts = dict.fromkeys((PROCESSOR, CURRENT, TASK, ENTRY, "Kconfig"), text)
        begin = time.process_time()
        detect(Source(tmp_path, {**texts}))
        fingerprint(Source(tmp_path, {**texts}))
        return time.process_time() - begin

    seconds(1 << 14)
    assert seconds(1 << 19) < 64 * max(seconds(1 << 15), 0.01)
