"""Who waits on which word of memory: futex(2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iopermit.machine.tasks.process import UserProcess, UserTask


class Futexes:
    """The waiting tasks of each word, the longest waiting first."""

    def __init__(self) -> None:
        """Let nobody wait."""
        self._waiting: dict[object, list[UserTask]] = {}

    def add(self, process: UserProcess, address: int, task: UserTask) -> None:
        """Let a task wait."""
        self._waiting.setdefault(self.key(process, address), []).append(task)

    def key(self, process: UserProcess, address: int) -> object:
        """Return what names a word of memory: the page, if it is shared by mappings."""
        area = process.space.find(address)
        if area is not None and area.shared is not None:
            return id(area.shared), address - area.start + area.offset
        return id(process.space), address

    def wake(self, process: UserProcess, address: int, count: int = 1 << 31) -> int:
        """Wake up to `count` tasks that wait on a word; return how many."""
        waiting = self._waiting.get(self.key(process, address), [])
        woken = min(count, len(waiting))
        del waiting[:woken]
        return woken

    def requeue(self, process: UserProcess, addresses: tuple[int, int], count: int) -> int:
        """Let up to `count` tasks wait on another word; return how many."""
        first, second = (self.key(process, address) for address in addresses)
        waiting = self._waiting.get(first, [])
        moved = waiting[:count]
        del waiting[:count]
        self._waiting.setdefault(second, []).extend(moved)
        return len(moved)

    def waits(self, task: UserTask) -> bool:
        """Return whether nobody has woken the task yet."""
        return any(task in waiting for waiting in self._waiting.values())

    def forget(self, task: UserTask) -> None:
        """Let a task wait no longer."""
        for key, waiting in list(self._waiting.items()):
            if task in waiting:
                waiting.remove(task)
            if not waiting:
                del self._waiting[key]
