"""Finds out what a tree offers, by looking into its headers: never by its version number."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iopermit.kernel.build.source import Source


@dataclass(frozen=True)
class Features:
    """What a tree offers. Each field is also a macro of the shim, `IOPERMIT_HAS_<NAME>`.

    Attributes:
        io_bitmap_header: `asm/io_bitmap.h`.
        iobitmap_header: `asm/iobitmap.h`, as version 2 of the series of November 2019 has it, from
            07/16 on: `struct io_bitmap` has `bits`, and the TSS `io_bitmap_bytes`.
        io_bitmap_struct: `struct io_bitmap`, which tasks share (v5.5).
        iopl_emulation: iopl() by a bitmap of zeros: `thread.iopl_emul` (v5.5).
        thread_io_bitmap_ptr: The task owns its bitmap: `thread.io_bitmap_ptr` (before v5.5).
        thread_iopl: The level of iopl(), for the flags of user mode: `thread.iopl` (before v5.5).
        tss_io_bitmap_struct: The TSS's map has a sequence number: `struct x86_io_bitmap` (v5.5).
        tss_mapall: The TSS holds a second map, for iopl(3) (v5.5).
        tss_io_bitmap_all: So it does under the name that version 2, 14/16, gives it.
        tss_setup_io_bitmap: A CPU's map is set up in a function of its own (v5.5); else in
            `cpu_init()`.
        arch_exit_to_user_mode_prepare: The generic exit path (v5.9); else
            `prepare_exit_to_usermode()`.
        create_io_thread: Workers of io_uring are threads of the user's process (v5.12); else
            kernel threads.
        copy_thread_args: `copy_thread(task, args)` (v5.19).
        copy_thread_tls: `copy_thread_tls()` (before v5.9).
        pcpu_hot: The current task is a field of `struct pcpu_hot` (v6.2 to v6.14).
        pcpu_hot_preempt_count: So is the preemption count.
        pcpu_hot_cpu_number: So is the CPU's number.
        x86_iopl_ioperm: The configuration symbol X86_IOPL_IOPERM (v5.5).
    """

    io_bitmap_header: bool
    iobitmap_header: bool
    io_bitmap_struct: bool
    iopl_emulation: bool
    thread_io_bitmap_ptr: bool
    thread_iopl: bool
    tss_io_bitmap_struct: bool
    tss_mapall: bool
    tss_io_bitmap_all: bool
    tss_setup_io_bitmap: bool
    arch_exit_to_user_mode_prepare: bool
    create_io_thread: bool
    copy_thread_args: bool
    copy_thread_tls: bool
    pcpu_hot: bool
    pcpu_hot_preempt_count: bool
    pcpu_hot_cpu_number: bool
    x86_iopl_ioperm: bool

    def macros(self) -> list[str]:
        """Return the compiler options that tell the shim."""
        return [f"-DIOPERMIT_HAS_{name.upper()}" for name, has in vars(self).items() if has]


def detect(source: Source) -> Features:
    """Look for what the shim needs to know."""
    code = source.code
    processor = code("arch/x86/include/asm/processor.h")
    pcpu_hot = _structure("pcpu_hot", code("arch/x86/include/asm/current.h"))
    io_bitmap = code("arch/x86/include/asm/io_bitmap.h")
    iobitmap = code("arch/x86/include/asm/iobitmap.h")
    task = code("include/linux/sched/task.h")
    common = code("arch/x86/kernel/cpu/common.c")
    entry = code("arch/x86/include/asm/entry-common.h")
    kconfig = source.text("arch/x86/Kconfig")
    return Features(
        io_bitmap_header=bool(io_bitmap),
        iobitmap_header=bool(iobitmap),
        io_bitmap_struct=bool(
            re.search(r"struct io_bitmap\s*+\{", io_bitmap + iobitmap + processor)
        ),
        iopl_emulation=_has_word("iopl_emul", processor),
        thread_io_bitmap_ptr=_has_word("io_bitmap_ptr", processor),
        thread_iopl=bool(re.search(r"\bunsigned long\s++iopl\s*+;", processor)),
        tss_io_bitmap_struct=bool(re.search(r"struct x86_io_bitmap\s++io_bitmap", processor)),
        tss_mapall=_has_word("mapall", processor),
        tss_io_bitmap_all=_has_word("io_bitmap_all", processor),
        tss_setup_io_bitmap=_has_word("tss_setup_io_bitmap", common),
        arch_exit_to_user_mode_prepare=_has_word("arch_exit_to_user_mode_prepare", entry),
        create_io_thread=_has_word("create_io_thread", task),
        copy_thread_args=bool(
            re.search(r"\bcopy_thread\s*+\(\s*+struct task_struct\s*+\*\s*+\w*+\s*+,", task)
        ),
        copy_thread_tls=_has_word("copy_thread_tls", task),
        pcpu_hot=_has_word("current_task", pcpu_hot),
        pcpu_hot_preempt_count=_has_word("preempt_count", pcpu_hot),
        pcpu_hot_cpu_number=_has_word("cpu_number", pcpu_hot),
        x86_iopl_ioperm=bool(re.search(r"^config X86_IOPL_IOPERM\b", kconfig, re.MULTILINE)),
    )


def _structure(name: str, text: str) -> str:
    """Return what stands between the braces of a structure; empty if it is not defined."""
    match = re.search(rf"struct {name}\s*+\{{(.*?)(?:\n\}}|\Z)", text, re.DOTALL)
    return match[1] if match else ""


def _has_word(word: str, text: str) -> bool:
    return re.search(rf"\b{word}\b", text) is not None
