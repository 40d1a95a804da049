"""Edits of a vanilla 5.4 tree: patch V2 06/16, its review's remedy, and repairs of known bugs.

The mails of November 2019 are not at hand, so what the patch does is made again, from its
description: switching out only moves the I/O map base past the limit, and a field of the TSS says
how far the map in it may be dirty. Patches 01 to 05 are left out: they change nothing of what a
task may do. The designs are `linux-5.4`, `linux-v2-06` and those that follow from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.support.kernel.faults import IOPORT, PROCESS, Edit, diff_of

from iopermit.kernel.build.patches.patch import apply_patches
from iopermit.kernel.build.source import Source

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PROCESSOR: Final = "arch/x86/include/asm/processor.h"
_COMMON: Final = "arch/x86/kernel/cpu/common.c"

B11_REPAIR: Final = (
    Edit(
        "take the flag from the task that exits",
        PROCESS,
        r"clear_thread_flag\(TIF_IO_BITMAP\);",
        "clear_tsk_thread_flag(tsk, TIF_IO_BITMAP);",
        "exit_thread",
    ),
    Edit(
        "clear the map in the TSS only if it is that task's",
        PROCESS,
        r"(memset\(tss->io_bitmap, 0xff, t->io_bitmap_max\);)",
        r"if (tsk == current)\n\t\t\t\1",
        "exit_thread",
    ),
)
"""What cures B11."""
V2_06: Final = (
    Edit(
        "a base past the limit, wherever the map lies in the TSS",
        _PROCESSOR,
        r"(#define INVALID_IO_BITMAP_OFFSET\s+)0x8000",
        r"\1(__KERNEL_TSS_LIMIT + 1)",
        "",
    ),
    Edit(
        "the dirty mark, between the hardware's part and the map",
        _PROCESSOR,
        r"(struct x86_hw_tss\s+x86_tss;)",
        r"\1\n\n\tunsigned int\t\tio_bitmap_prev_max;",
        "",
    ),
    Edit(
        "a CPU starts with the base past the limit",
        _COMMON,
        r"(t->x86_tss\.io_bitmap_base = )IO_BITMAP_OFFSET(;\s*/\*\s*\* <= is required)",
        r"\1INVALID_IO_BITMAP_OFFSET;\n\tt->io_bitmap_prev_max = 0\2",
        "cpu_init",
    ),
    Edit(
        "the first ioperm() makes the base valid",
        IOPORT,
        r"t->io_bitmap_ptr = bitmap;\s*set_thread_flag\(TIF_IO_BITMAP\);\s*"
        r"(/\*.*?preempt_disable\(\);)",
        r"\1\n\t\tt->io_bitmap_ptr = bitmap;\n\t\tset_thread_flag(TIF_IO_BITMAP);"
        r"\n\t\tthis_cpu_write(cpu_tss_rw.x86_tss.io_bitmap_base, IO_BITMAP_OFFSET);",
        "ksys_ioperm",
    ),
    Edit(
        "switching in copies up to the dirty mark, and makes the base valid",
        PROCESS,
        r"max\(prev->io_bitmap_max, next->io_bitmap_max\)\);",
        "max(tss->io_bitmap_prev_max, next->io_bitmap_max));"
        r"\n\t\ttss->io_bitmap_prev_max = next->io_bitmap_max;"
        r"\n\t\ttss->x86_tss.io_bitmap_base = IO_BITMAP_OFFSET;",
        "switch_to_bitmap",
    ),
    Edit(
        "switching out only moves the base",
        PROCESS,
        r"memset\(tss->io_bitmap, 0xff, prev->io_bitmap_max\);",
        "tss->x86_tss.io_bitmap_base = INVALID_IO_BITMAP_OFFSET;",
        "switch_to_bitmap",
    ),
    Edit(
        "an exit only moves the base",
        PROCESS,
        r"memset\(tss->io_bitmap, 0xff, t->io_bitmap_max\);",
        "tss->x86_tss.io_bitmap_base = INVALID_IO_BITMAP_OFFSET;",
        "exit_thread",
    ),
)
"""The patch. Mail 20191111223052.086299881@linutronix.de."""
REMEDY: Final = (
    Edit(
        "preemption stays off from making the base valid",
        IOPORT,
        r"(refresh_tss_limit\(\);)\s*preempt_enable\(\);(\s*\})(.*?put_cpu\(\);)",
        r"\1\n\t\tfirst = true;\2\3\n\tif (first)\n\t\tpreempt_enable();",
        "ksys_ioperm",
    ),
    Edit(
        "a variable for that",
        IOPORT,
        r"(struct tss_struct \*tss;)",
        r"\1\n\tbool first = false;",
        "ksys_ioperm",
    ),
    Edit(
        "until the whole map was copied",
        IOPORT,
        r"(memcpy\(tss->io_bitmap, t->io_bitmap_ptr, )bytes_updated\);",
        r"\1IO_BITMAP_BYTES);",
        "ksys_ioperm",
    ),
)
"""What the review asks for (design `linux-v2-06-reviewed`), behind the patch. Mail
CALCETrUcY_DhZC8CH0NhoRp_r6mh4v1Z2dmhsdErV8wx6FsLaw@mail.gmail.com."""
MARK: Final = (
    Edit(
        "ioperm() stores the dirty mark",
        IOPORT,
        r"(memcpy\(tss->io_bitmap, t->io_bitmap_ptr, IO_BITMAP_BYTES\);)",
        r"\1\n\ttss->io_bitmap_prev_max = bytes;",
        "ksys_ioperm",
    ),
)
"""What cures B2 besides (design `linux-v2-06-reviewed+prev_max`), behind the remedy."""


def write_patches(tree: Path, folder: Path, **patches: Sequence[Edit]) -> list[Path]:
    """Write edits as unified diffs, each behind the one before; return the files.

    Args:
        tree: a vanilla 5.4 tree.
        folder: where they are written to.
        patches: the edits, by the names of the files.
    """
    files: list[Path] = []
    for name, edits in patches.items():
        file = folder / f"{name}.patch"
        file.write_text(diff_of(apply_patches(Source(tree), files).text, edits))
        files.append(file)
    return files
