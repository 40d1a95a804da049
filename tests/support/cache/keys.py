"""Keys and origins for tests of what is kept."""

from typing import Final

from iopermit.cache.entry import Origin
from iopermit.cache.key import SealingKey

KEY: Final = SealingKey(b"k" * 32, "a test")
OTHER_KEY: Final = SealingKey(b"o" * 32, "another test")
ORIGIN: Final = Origin("machine code", "a" * 64, "tools 1")
