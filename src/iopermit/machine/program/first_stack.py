"""The first stack of a program: arguments, environment, auxiliary vector."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from iopermit.machine.memory.address_space import AddressSpace

AT_NULL, AT_PLATFORM, AT_RANDOM, AT_EXECFN = 0, 15, 25, 31
_WIDE: Final = 64


class FirstStack:
    """Writes the first stack of a program, from the top down."""

    def __init__(self, space: AddressSpace, bits: int) -> None:
        """Write to the top of an address space for programs of `bits` bits."""
        self._space, self._wide = space, bits == _WIDE
        self._at = space.top
        self.arguments_at = self.environment_at = (0, 0)

    def fill(
        self,
        arguments: Sequence[bytes],
        environment: Sequence[bytes],
        path: str,
        vector: dict[int, int],
        randomness: random.Random,
    ) -> int:
        """Write everything and return the stack pointer.

        Args:
            arguments: argv.
            environment: envp.
            path: of the program.
            vector: the auxiliary vector, without what is on the stack.
            randomness: for AT_RANDOM.
        """
        self._push(bytes(8))
        name = self._push(os.fsencode(path) + b"\0")
        top = self._at
        environment_at = [self._push(text + b"\0") for text in reversed(environment)][::-1]
        middle = self._at
        arguments_at = [self._push(text + b"\0") for text in reversed(arguments)][::-1]
        self.arguments_at, self.environment_at = (self._at, middle), (middle, top)
        platform = self._push(b"x86_64\0" if self._wide else b"i686\0")
        self._at -= self._at % 16
        random_at = self._push(randomness.randbytes(16))
        vector = vector | {AT_RANDOM: random_at, AT_EXECFN: name, AT_PLATFORM: platform, AT_NULL: 0}
        words = [len(arguments), *arguments_at, 0, *environment_at, 0]
        words += [number for pair in vector.items() for number in pair]
        data = struct.pack(f"<{len(words)}{'Q' if self._wide else 'I'}", *words)
        pointer = (self._at - len(data)) // 16 * 16
        self._space.write(pointer, data)
        return pointer

    def _push(self, data: bytes) -> int:
        self._at -= len(data)
        self._space.write(self._at, data)
        return self._at
