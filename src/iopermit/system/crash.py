"""How kernel code can crash."""

from __future__ import annotations

import re
from typing import Any, Final

_OF_NULL: Final = re.compile(r"'NoneType' object has no attribute ('\w+')")


class KernelCrash(Exception):  # noqa: N818 - it is the kernel's failure, not a mistake of ours
    """The kernel would crash, or warn and go on with broken state.

    Attributes:
        where: the positions (outermost call first) of the step that crashed, once known.
    """

    where: tuple[Any, ...] = ()


class NullDereference(KernelCrash):
    """A NULL pointer was followed."""


class UseAfterFree(KernelCrash):
    """A pointer to freed memory was followed."""


class DoubleFree(KernelCrash):
    """Memory was freed that is free already."""


class KernelAssertion(KernelCrash):
    """An assertion of the kernel failed (BUG_ON, WARN_ON)."""


class RefcountOverflow(KernelCrash):
    """A reference count saturated, as refcount_t does."""


class RefcountUnderflow(KernelCrash):
    """A reference count went below zero."""


class OutOfRange(KernelCrash):
    """A field was given a value that its declaration excludes."""


class HeapExhaustedError(RuntimeError):
    """More objects are alive than the heap has slots: the bound is too small."""


def crash_of(error: KernelCrash | AssertionError | AttributeError) -> KernelCrash:
    """Return the crash that a Python exception in a hook stands for.

    Raises:
        AttributeError: `error` itself, if it is no access to a field of NULL.
    """
    if isinstance(error, KernelCrash):
        return error
    if isinstance(error, AssertionError):
        return KernelAssertion(f"kernel assertion failed: {error}")
    # AttributeError.obj and .name are not always set; the text always tells, with more in 3.13.
    missing = _OF_NULL.match(str(error))
    if missing is not None:
        return NullDereference(f"null pointer dereference: NULL has no {missing[1]}")
    raise error
