"""The processor's check of IN, OUT, INS and OUTS, one access at a time.

Sources:
    Intel SDM vol. 1, "I/O Permission Bit Map" (19.5.2 in recent editions) and "I/O Privilege
    Level" (19.5.1); vol. 2, operation sections of IN, INS, OUT and OUTS; vol. 3, "Task
    Management" and, for virtual-8086 mode, "I/O-Port-Mapped I/O".
    AMD APM vol. 2, "I/O-Permission Bitmap" in the chapter "Task Management"; vol. 3, IN and OUT.

What the manuals leave open is listed in `ASSUMPTIONS`, with what is assumed here.
"""

from dataclasses import dataclass

from iopermit.arch.tss import LoadedTss

PORT_COUNT = 65536
"""Number of I/O ports."""

WIDTHS = (1, 2, 4)
"""The widths an I/O instruction can have, in ports (bytes)."""

MAX_PRIVILEGE_LEVEL = 3
"""CPL and IOPL are two-bit numbers; 3 is the least privileged."""


@dataclass(frozen=True, slots=True)
class Assumption:
    """A corner that the processor manuals leave open.

    Attributes:
        name: how tests and reports call it.
        question: what the manuals do not say, or say in passing only.
        assumed: what this model does, and what speaks for it.
    """

    name: str
    question: str
    assumed: str


ASSUMPTIONS = (
    Assumption(
        "second-byte-past-limit",
        "Only the first of the two bytes read lies inside the limit, and the tested bits are all "
        "in that first byte.",
        "#GP(0): both bytes must be inside the limit. It follows from Intel's example, where a "
        "limit of base + 10 gives 11 bytes but only 80 ports. QEMU and Bochs do the same; KVM's "
        "instruction emulator checks the first byte only.",
    ),
    Assumption(
        "past-last-port",
        "A 2-byte or 4-byte access begins so near to port 65535 that it runs past it.",
        "Port numbers do not wrap to 0 for the check: the bits tested are those after the bit of "
        "port 65535, in the byte after the bitmap. A terminator of 0xff refuses the access; a "
        "byte with clear bits there allows it.",
    ),
    Assumption(
        "base-field-past-limit",
        "The limit is below 103, so the I/O map base itself lies outside the TSS.",
        "#GP(0): there is no bitmap. QEMU and Bochs do the same.",
    ),
    Assumption(
        "16-bit-tss",
        "TR holds a 16-bit TSS, which has no I/O map base; the operation sections of IN and OUT "
        "do not mention it.",
        "#GP(0) whenever the bitmap would be consulted, whatever lies at offset 102. QEMU and "
        "Bochs do the same.",
    ),
    Assumption(
        "base-inside-tss",
        "The I/O map base is below 104, so that the bitmap overlaps the fields of the TSS.",
        "Their bytes are read as permission bits. QEMU and newer releases of Bochs do the same; "
        "older Bochs refused every access.",
    ),
    Assumption(
        "base-above-dfff",
        "Intel asks for an I/O map base of at most 0xdfff, so that bitmap and terminator end "
        "within 64 KiB; the manuals do not say what happens otherwise.",
        "Nothing special: base plus offset is not cut to 16 bits, and is compared with the whole "
        "32-bit limit. QEMU and newer releases of Bochs do the same.",
    ),
    Assumption(
        "vm86-cpl",
        "CPL is always 3 in virtual-8086 mode; a caller may pass another one.",
        "CPL and IOPL are both ignored: the bitmap alone decides.",
    ),
    Assumption(
        "page-fault-on-bitmap",
        "Reading the I/O map base or the bitmap may cause a page fault.",
        "The TSS is present in memory up to its limit; a page fault would not be a permission.",
    ),
)
"""The corners that the two vendors' manuals leave open, with what this model assumes."""


def permitted(
    port: int, width: int, *, cpl: int, iopl: int, vm86: bool, protected: bool, tss: LoadedTss
) -> bool:
    """Tell whether the processor lets an access to I/O ports pass, or raises #GP(0).

    Compatibility mode and 64-bit mode are protected mode for this purpose.

    Args:
        port: the first port, 0-65535.
        width: how many ports the access covers: 1, 2 or 4.
        cpl: current privilege level, 0-3; ignored in real and virtual-8086 mode.
        iopl: I/O privilege level in EFLAGS, 0-3; ignored in real and virtual-8086 mode.
        vm86: EFLAGS.VM: virtual-8086 mode.
        protected: CR0.PE: any mode but real mode.
        tss: the current TSS; not looked at if the mode or the IOPL allows the access.

    Raises:
        ValueError: an argument is out of range, or the image of the TSS lacks bytes that are
            inside the limit and needed for the decision.
    """
    if not 0 <= port < PORT_COUNT:
        raise ValueError(f"port {port} is not in 0-{PORT_COUNT - 1}")
    check_width(width)
    if not consults_bitmap(cpl=cpl, iopl=iopl, vm86=vm86, protected=protected):
        return True
    if not tss.has_io_map_base:
        return False
    offset = tss.io_map_base + port // 8
    # Always two bytes, because the tested bits may straddle two; the limit is inclusive.
    if offset + 1 > tss.limit:
        return False
    tested = (1 << width) - 1
    return (tss.read_word(offset) >> port % 8) & tested == 0


def consults_bitmap(*, cpl: int, iopl: int, vm86: bool, protected: bool) -> bool:
    """Tell whether the I/O permission bitmap decides; if not, every access is allowed.

    The condition `(PE = 1) and ((CPL > IOPL) or (VM = 1))` in the operation sections of IN and OUT.

    Raises:
        ValueError: a level is not in 0-3, or virtual-8086 mode outside protected mode.
    """
    for name, level in (("CPL", cpl), ("IOPL", iopl)):
        if not 0 <= level <= MAX_PRIVILEGE_LEVEL:
            raise ValueError(f"{name} {level} is not in 0-{MAX_PRIVILEGE_LEVEL}")
    if vm86 and not protected:
        raise ValueError("virtual-8086 mode exists in protected mode only")
    return protected and (vm86 or cpl > iopl)


def check_width(width: int) -> None:
    """Raise ValueError unless `width` is one that an I/O instruction can have."""
    if width not in WIDTHS:
        raise ValueError(f"width {width} is not 1, 2 or 4")
