"""NumPy, imported when it is first used: importing it takes longer than many a check."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
else:

    class _Lazy:
        """Stands for a module until something of it is asked for."""

        def __getattr__(self, name: str) -> object:
            import numpy  # noqa: ICN001 - this is the point

            value = getattr(numpy, name)
            setattr(self, name, value)
            return value

    np = _Lazy()

__all__ = ["np"]
