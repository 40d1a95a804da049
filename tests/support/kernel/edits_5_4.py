"""Edits of a vanilla 5.4 tree: patch V2 06/16, its review's remedy, and repairs of known bugs.

For those who do not have the mails of November 2019, what the patch does is made again, from its
description: switching out only moves the I/O map base past the limit, and a field of the TSS says
how far the map in it may be dirty. Patches 01 to 05 are left out: they change nothing of what a
task may do. The remedy and the mark also apply behind the mails themselves. The designs are
`linux-5.4`, `linux-v2-06` and those that follow from it.
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
_ADDRESSES: Final = "arch/x86/include/asm/pgtable_32_types.h"

V2_BASE: Final = (
    Edit(
        "three tabs, as 07/16, 14/16 and 15/16 have in their context",
        _PROCESSOR,
        r"(mm_segment_t)\s+(addr_limit;)",
        r"\1\t\t\t\2",
        "",
    ),
    Edit(
        "the size that 5.3 has, which 14/16 changes",
        _ADDRESSES,
        r"\(NR_CPUS \* 39\)",
        "(NR_CPUS * 40)",
        "",
    ),
    Edit(
        "the beginning of the area, as in 5.3",
        _ADDRESSES,
        r"/\*[^*]*\*/\n(#define CPU_ENTRY_AREA_BASE)\s*\\\s*(\(\(FIXADDR_TOT_START - PAGE_SIZE)"
        r"\*\((CPU_ENTRY_AREA_PAGES)\+1\)\)",
        r"\1\t\t\t\t\t\t\\\n\t\2 * (\3 + 1))   \\\n\t",
        "",
    ),
)
"""What a released 5.4 has to have before the mails of the series apply, in 07/16 and 14/16. None of
it is compiled: white space, and a header for kernels of 32 bits."""

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


V2_14_LAST_BYTE: Final = (
    Edit(
        "the byte behind the map that allows every port has all bits set",
        _COMMON,
        r"(memset\(tss->io_bitmap_bytes, 0xff, sizeof\(tss->io_bitmap_bytes\)\);)",
        r"\1\n\ttss->io_bitmap_all[IO_BITMAP_BYTES] = 0xff;",
        "cpu_init",
    ),
)
"""What 14/16 says of that byte, and does not do; behind it. Version 3 does it."""
V2_07_MAX: Final = (
    Edit(
        "a new map has no end yet",
        IOPORT,
        r"(memset\(iobm->bits, 0xff, sizeof\(iobm->bits\)\);)",
        r"\1\n\t\tiobm->io_bitmap_max = 0;",
        "ksys_ioperm",
    ),
)
"""What 07/16 forgets: it reads the end of the new map that it has just allocated. Until 09/16."""


def write_patches(tree: Path, folder: Path, *before: Path, **patches: Sequence[Edit]) -> list[Path]:
    """Write edits as unified diffs, each behind the one before; return the files.

    Args:
        tree: a vanilla 5.4 tree.
        folder: where they are written to.
        before: patches that are applied before the first of them.
        patches: the edits, by the names of the files.
    """
    files: list[Path] = []
    for name, edits in patches.items():
        file = folder / f"{name}.patch"
        file.write_text(diff_of(apply_patches(Source(tree), [*before, *files]).text, edits))
        files.append(file)
    return files
