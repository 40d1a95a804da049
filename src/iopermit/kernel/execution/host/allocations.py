"""How the kernel allocates memory: the slab allocator's functions, and which of them may sleep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.kernel.execution.host.interface import HostInterface, Implementation, fill
from iopermit.kernel.image import memory_map as at

if TYPE_CHECKING:
    from collections.abc import Sequence

POISON: Final = 0x6B
"""What a fresh object's bytes are, as the slab allocator's poison (POISON_FREE)."""
_ZEROED: Final = 0x100
"""__GFP_ZERO, the same bit in every supported tree."""
_DIRECT_RECLAIM: Final = 0x400
"""__GFP_DIRECT_RECLAIM, likewise: who allocates may wait until memory is freed."""
_ODD_CACHES: Final = {1: 96, 2: 192}
"""Sizes of kmalloc's caches that are no power of two, by index."""
_COPIES: Final = frozenset({"kmemdup", "kmemdup_noprof"})


def may_sleep(called: str, arguments: Sequence[int]) -> bool:
    """Return whether an allocation may sleep, by its flags (gfpflags_allow_blocking())."""
    flags = arguments[2 if called in _COPIES else 1]
    return bool(flags & _DIRECT_RECLAIM)


def _kmalloc(host: HostInterface, arguments: Sequence[int]) -> int:
    """Allocate (size, flags): an address that was freed may be handed out again."""
    size, flags = arguments[0], arguments[1]
    return fill(host, host.allocate(size), size, 0 if flags & _ZEROED else POISON)


def _kmalloc_cache(host: HostInterface, arguments: Sequence[int]) -> int:
    """Allocate (cache, flags, size) as kmalloc does; the cache is not looked at."""
    return _kmalloc(host, (arguments[2], arguments[1]))


def _kmem_cache_alloc(host: HostInterface, arguments: Sequence[int]) -> int:
    """Allocate (cache, flags) an object as large as those of the cache, one of kmalloc's."""
    return _kmalloc(host, (cache_size((arguments[0] - at.CACHES) // at.CACHE_STRIDE), arguments[1]))


def cache_size(index: int) -> int:
    """Return the size of the objects in kmalloc's cache of an index (`kmalloc_index()`)."""
    return _ODD_CACHES.get(index, 1 << index)


def _kmalloc_cache_node(host: HostInterface, arguments: Sequence[int]) -> int:
    """Allocate (cache, flags, node, size) as kmalloc does."""
    return _kmalloc(host, (arguments[3], arguments[1]))


def _kmemdup(host: HostInterface, arguments: Sequence[int]) -> int:
    """Allocate a copy of (source, size, flags)."""
    source, size = arguments[0], arguments[1]
    address = host.allocate(size)
    if address:
        host.write(address, host.read(source, size))
    return address


ALLOCATIONS: Final[dict[str, Implementation]] = {
    **dict.fromkeys(
        (
            "__kmalloc",
            "__kmalloc_noprof",
            "__kmalloc_large_noprof",
            "kmalloc_large",
            "kmalloc_large_noprof",
            "__kmalloc_large_node_noprof",
            "kmalloc_order",
            "kmalloc_order_trace",
            "__kmalloc_node",
            "__kmalloc_node_noprof",
            "__kmalloc_track_caller",
            "__kmalloc_node_track_caller",
            "__kmalloc_node_track_caller_noprof",
            "__kmalloc_track_caller_noprof",
        ),
        _kmalloc,
    ),
    **dict.fromkeys(
        (
            "kmalloc_trace",
            "__kmalloc_cache_noprof",
            "kmem_cache_alloc_trace",
            "kmalloc_trace_noprof",
        ),
        _kmalloc_cache,
    ),
    "kmem_cache_alloc": _kmem_cache_alloc,
    **dict.fromkeys(("__kmalloc_cache_node_noprof", "kmalloc_node_trace"), _kmalloc_cache_node),
    **dict.fromkeys(("kmemdup", "kmemdup_noprof"), _kmemdup),
}
"""Functions that allocate. Their flags are the second argument, the third of a copy."""
