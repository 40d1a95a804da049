"""The tree's own offsets, sizes and constants, which the shim exposes as constants of the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.kernel.errors import KernelTreeError
from iopermit.kernel.image import memory_map as at

if TYPE_CHECKING:
    from iopermit.kernel.image.linker import Image

_PREFIX = "iopermit_"


class Layout:
    """Where the tree keeps what iopermit has to know: fields of the task, the TSS, per-CPU data.

    Every value is read from the shim, which was compiled against the tree's own headers.
    """

    def __init__(self, image: Image) -> None:
        """Read the shim's constants."""
        self._image = image
        self.task_size = self["sizeof_task"]
        self.task_flags = self["offsetof_task_thread_info_flags"]
        self.pt_regs = self["stack_pt_regs"]
        self.pt_regs_size = self["sizeof_pt_regs"]
        self.stack_size = self["THREAD_SIZE"]
        self.tss = image.address("cpu_tss_rw") + self["offsetof_tss_x86_tss"]
        self.tss_bitmap = image.address("cpu_tss_rw") + self["offsetof_tss_bitmap"]
        self.limit = self["KERNEL_TSS_LIMIT"]
        self.current_task = self._per_cpu("current_task")
        self.preempt_count = self._per_cpu("preempt_count", "__preempt_count")
        self.cpu_number = self._per_cpu("cpu_number")
        self.xen_map = image.symbols.get("iopermit_xen_map")
        """Link address of what Xen notes of a CPU's map; None if the kernel is no PV guest."""

    def __getitem__(self, name: str) -> int:
        """Return a constant of the shim.

        Raises:
            KernelTreeError: the tree has no such field or constant.
        """
        value = self.get(name)
        if value is None:
            raise KernelTreeError(f"the tree has nothing that the shim could call {name}")
        return value

    def get(self, name: str) -> int | None:
        """Return a constant of the shim, None if the tree does not have it."""
        address = self._image.symbols.get(_PREFIX + name)
        if address is None:
            return None
        start = address - at.IMAGE
        return int.from_bytes(self._image.code[start : start + 8], "little")

    @property
    def tss_words(self) -> tuple[int, int]:
        """Link addresses of the words with which `cpu_tss_rw` begins and its maps end."""
        return self._image.address("cpu_tss_rw") & ~7, at.align(self.tss_end, 8)

    @property
    def tss_end(self) -> int:
        """Link address of the end of the maps in the TSS."""
        size = self.get("sizeof_tss_mapall")
        if size is not None:
            return self._image.address("cpu_tss_rw") + self["offsetof_tss_mapall"] + size
        return self.tss_bitmap + self["sizeof_tss_bitmap"]

    def _per_cpu(self, field: str, name: str = "") -> int:
        """Return the link address of a per-CPU variable, alone or in `struct pcpu_hot`."""
        offset = self.get(f"offsetof_pcpu_hot_{field}")
        if offset is not None:
            return self._image.address("pcpu_hot") + offset
        return self._image.address(name or field)
