"""Signal frames on user stacks: x86-64, and both kinds of i386.

Sources: arch/x86/include/asm/sigframe.h and arch/x86/include/uapi/asm/sigcontext.h (the layouts
are ABI). The FPU state is not in the frame: the kernel keeps it, by the frame's address.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from iopermit.machine.cpu.interface import (
    FLAGS_FIXED,
    FLAGS_USER,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
    RAX,
    RBP,
    RBX,
    RCX,
    RDI,
    RDX,
    RFLAGS,
    RIP,
    RSI,
    RSP,
)
from iopermit.machine.cpu.tables import USER_CODE, USER_CODE_32, USER_DATA

if TYPE_CHECKING:
    from iopermit.machine.tasks.machine import Machine
    from iopermit.machine.tasks.process import SignalAction, SignalInfo, UserTask

SA_SIGINFO, SA_ONSTACK = 4, 0x0800_0000
SS_DISABLE: Final = 2
_RED_ZONE: Final = 128
_ORDER_64: Final = (
    *(R8, R9, R10, R11, R12, R13, R14, R15),
    *(RDI, RSI, RBP, RBX, RDX, RAX, RCX, RSP, RIP, RFLAGS),
)
_ORDER_32: Final = (RDI, RSI, RBP, RSP, RBX, RDX, RCX, RAX)
_SIZE_64: Final = 440
_CONTEXT_64, _MASK_64_AT, _INFO_64 = 48, 304, 312
"""Offsets of sigcontext, sigmask and siginfo in the frame."""
_FPU_32: Final = 624
_DIRECTION_AND_TRAP: Final = 0x500
_MOST_FRAMES: Final = 64
_TRAPPED: Final = 0x202


def push_frame(
    machine: Machine, task: UserTask, info: SignalInfo, action: SignalAction, mask: int
) -> None:
    """Write a frame and let the task continue in the handler. Raises BadAddressError."""
    if task.bits == 64:
        _push_64(machine, task, info, action, mask)
    elif action.flags & SA_SIGINFO:
        _push_32_info(machine, task, info, action, mask)
    else:
        _push_32(machine, task, info, action, mask)
    task.context.registers[RFLAGS] &= ~_DIRECTION_AND_TRAP
    task.context.registers[RIP] = action.handler


def pop_frame(machine: Machine, task: UserTask, *, info: bool) -> None:
    """Do sigreturn(2), or rt_sigreturn(2) if `info`. Raises BadAddressError."""
    if task.bits == 64:
        _pop_64(machine, task)
    else:
        _pop_32(machine, task, info=info)


def siginfo(info: SignalInfo, bits: int) -> bytes:
    """Return a siginfo structure of 128 bytes."""
    word, head = ("Q", "<iii4x") if bits == 64 else ("I", "<iii")
    data = struct.pack(head, info.number, 0, info.code)
    if info.trap is not None:
        data += struct.pack(f"<{word}", info.fields[0])
    else:
        data += b"".join(struct.pack("<i", field & 0x7FFF_FFFF) for field in info.fields)
    return data.ljust(128, b"\0")


def _stack_for(task: UserTask, action: SignalAction) -> int:
    """Return the stack pointer below which the frame is written."""
    pointer = task.context.registers[RSP]
    address, flags, size = task.alternate_stack
    on_it = address < pointer <= address + size
    if action.flags & SA_ONSTACK and not flags & SS_DISABLE and not on_it:
        return address + size
    return pointer - (_RED_ZONE if task.bits == 64 else 0)


def _keep_fpu(machine: Machine, task: UserTask, frame: int) -> None:
    frames = task.fpu_frames
    # Frames below the new one were left by siglongjmp, unless they are on the other stack.
    while len(frames) >= _MOST_FRAMES:
        del frames[next(iter(frames))]
    frames.pop(frame, None)
    frames[frame] = machine.backend.save_extended(task.context)


def _restore_fpu(machine: Machine, task: UserTask, frame: int) -> None:
    saved = task.fpu_frames.pop(frame, None)
    if saved is not None:
        machine.backend.restore_extended(task.context, saved)


def _push_64(
    machine: Machine, task: UserTask, info: SignalInfo, action: SignalAction, mask: int
) -> None:
    registers = task.context.registers
    frame = (_stack_for(task, action) - _SIZE_64) // 16 * 16 - 8
    vector, error, address = info.trap or (0, 0, 0)
    stack = task.alternate_stack
    data = struct.pack("<QQQ", action.restorer, 6, 0)
    data += struct.pack("<QiiQ", stack[0], stack[1], 0, stack[2])
    data += struct.pack("<18Q", *(registers[index] for index in _ORDER_64))
    data += struct.pack("<4H", USER_CODE, 0, 0, USER_DATA)
    data += struct.pack("<4Q", error, vector, mask, address)
    data = data.ljust(_MASK_64_AT, b"\0") + struct.pack("<Q", mask) + siginfo(info, 64)
    task.process.space.write(frame, data)
    _keep_fpu(machine, task, frame)
    registers[RDI], registers[RSI], registers[RDX] = info.number, frame + _INFO_64, frame + 8
    registers[RAX], registers[RSP] = 0, frame


def _pop_64(machine: Machine, task: UserTask) -> None:
    registers = task.context.registers
    frame = registers[RSP] - 8
    data = task.process.space.read(frame, _INFO_64)
    for index, value in zip(_ORDER_64, struct.unpack_from("<18Q", data, _CONTEXT_64), strict=True):
        registers[index] = value
    _clean(task)
    _set_mask(task, struct.unpack_from("<Q", data, _MASK_64_AT)[0])
    _restore_fpu(machine, task, frame)


def _context_32(task: UserTask, info: SignalInfo, mask: int) -> bytes:
    registers = task.context.registers
    vector, error, address = info.trap or (0, 0, 0)
    selectors = (0x63 if task.context.tls[0] else 0, 0, USER_DATA, USER_DATA)
    low = [registers[index] & 0xFFFF_FFFF for index in _ORDER_32]
    data = struct.pack("<4I8I", *selectors, *low)
    data += struct.pack("<4I", vector, error, registers[RIP] & 0xFFFF_FFFF, USER_CODE_32)
    flags, pointer = registers[RFLAGS] & 0xFFFF_FFFF, registers[RSP] & 0xFFFF_FFFF
    return data + struct.pack("<6I", flags, pointer, USER_DATA, 0, mask & 0xFFFF_FFFF, address)


def _push_32(
    machine: Machine, task: UserTask, info: SignalInfo, action: SignalAction, mask: int
) -> None:
    context = _context_32(task, info, mask)
    data = struct.pack("<II", action.restorer, info.number) + context
    data += bytes(_FPU_32) + struct.pack("<I", mask >> 32) + bytes(8)
    frame = _place_32(machine, task, action, data)
    registers = task.context.registers
    registers[RAX], registers[RDX], registers[RCX] = info.number, 0, 0
    registers[RSP] = frame


def _push_32_info(
    machine: Machine, task: UserTask, info: SignalInfo, action: SignalAction, mask: int
) -> None:
    size = 16 + 128 + 20 + 88 + 8 + 8
    frame = _frame_32(task, action, size)
    at_info = frame + 16
    at_context = at_info + 128
    stack = task.alternate_stack
    data = struct.pack("<4I", action.restorer, info.number, at_info, at_context)
    data += siginfo(info, 32)
    data += struct.pack("<IIIiI", 0, 0, stack[0], stack[1], stack[2])
    data += _context_32(task, info, mask) + struct.pack("<Q", mask) + bytes(8)
    _place_32(machine, task, action, data)
    registers = task.context.registers
    registers[RAX], registers[RDX], registers[RCX] = info.number, at_info, at_context
    registers[RSP] = frame


def _frame_32(task: UserTask, action: SignalAction, size: int) -> int:
    return ((_stack_for(task, action) - size + 4) & ~15) - 4


def _place_32(machine: Machine, task: UserTask, action: SignalAction, data: bytes) -> int:
    frame = _frame_32(task, action, len(data))
    task.process.space.write(frame, data)
    _keep_fpu(machine, task, frame)
    return frame


def _pop_32(machine: Machine, task: UserTask, *, info: bool) -> None:
    """Go back; the restorer has popped the return address, and without `info` the number too."""
    registers, space = task.context.registers, task.process.space
    frame = registers[RSP] - (4 if info else 8)
    at = frame + (16 + 128 + 20 if info else 8)
    words = struct.unpack("<22I", space.read(at, 88))
    for index, value in zip(_ORDER_32, words[4:12], strict=True):
        registers[index] = value
    registers[RIP], registers[RFLAGS] = words[14], words[16]
    registers[RSP] = words[7]
    if info:
        mask = int.from_bytes(space.read(at + 88, 8), "little")
    else:
        upper = int.from_bytes(space.read(at + 88 + _FPU_32, 4), "little")
        mask = words[20] | upper << 32
    _clean(task)
    _set_mask(task, mask)
    _restore_fpu(machine, task, frame)


def _clean(task: UserTask) -> None:
    """Keep the program from changing flags that are not its own."""
    registers = task.context.registers
    registers[RFLAGS] = registers[RFLAGS] & FLAGS_USER | FLAGS_FIXED


def _set_mask(task: UserTask, mask: int) -> None:
    task.mask = mask & ~(1 << 8 | 1 << 18)
