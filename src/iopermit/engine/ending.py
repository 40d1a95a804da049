"""What ends a search before it has visited every reachable state, and how reports say it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from iopermit.system.scenario import MOST_LONGS

if TYPE_CHECKING:
    from iopermit.system.site import Site


def with_longs(longs: int) -> str:
    """Return what to do about a scenario that has too few longs."""
    if longs > MOST_LONGS:
        return f"which takes {longs} longs, and a scenario has at most {MOST_LONGS}"
    return f"search with --longs {longs}"


@dataclass(frozen=True)
class Ending(ABC):
    """Something that ends a search early."""

    ends_repetition: ClassVar[bool] = True
    """Whether the same search, repeated, would end in the same way: a limit, or Ctrl-C."""

    @property
    @abstractmethod
    def reason(self) -> str:
        """Why the search ended, as the end of a sentence."""


@dataclass(frozen=True)
class Interrupted(Ending):
    """Ctrl-C."""

    @property
    def reason(self) -> str:
        """Why the search ended."""
        return "interrupted"


@dataclass(frozen=True)
class StateLimit(Ending):
    """As many states as were allowed."""

    states: int

    @property
    def reason(self) -> str:
        """Why the search ended."""
        return f"the limit of {self.states} states was reached"


@dataclass(frozen=True)
class MemoryLimit(Ending):
    """As much memory as was allowed, or as there is by default."""

    @property
    def reason(self) -> str:
        """Why the search ended."""
        return "the memory limit was reached"


@dataclass(frozen=True)
class TimeLimit(Ending):
    """As much time as was allowed."""

    seconds: float

    @property
    def reason(self) -> str:
        """Why the search ended."""
        return f"the time limit of {self.seconds:g} s was reached"


@dataclass(frozen=True)
class DepthLimit(Ending):
    """As many events as were allowed on the way to a state."""

    events: int

    @property
    def reason(self) -> str:
        """Why the search ended."""
        events = "event" if self.events == 1 else "events"
        return f"what more than {self.events} {events} lead to was not searched"


@dataclass(frozen=True)
class UndischargedObligation(Ending):
    """The solver does not show that a reduction is sound for the design.

    Attributes:
        first: the first obligation that is not discharged.
        more: how many others are not.
        flag: the option that switches the reduction off, if that would help.
    """

    first: str
    more: int
    flag: str = ""

    @property
    def reason(self) -> str:
        """Why the search does not count."""
        others = f" (and {self.more} more)" if self.more else ""
        remedy = f"; try {self.flag}" if self.flag else ""
        return f"an obligation is not discharged: {self.first}{others}{remedy}"


@dataclass(frozen=True)
class NoRoom(Ending):
    """Some schedules end where the model has no slot for what the design keeps.

    Attributes:
        site: the statement that needs one more, if it is known.
        need: what it needs.
    """

    ends_repetition: ClassVar[bool] = False
    site: Site | None = None
    need: str = ""

    @property
    def reason(self) -> str:
        """Why the search ended."""
        if self.site is None:
            return "the model has no room for what the design keeps"
        return f"{self.site.short} needs {self.need}"


@dataclass(frozen=True)
class TooFewLongs(Ending):
    """What was found is no violation at full size, where a long stands for more than it means.

    Attributes:
        size: the bounds of the scenario, in words.
        longs: with how many longs to search again.
    """

    size: str
    longs: int

    @property
    def reason(self) -> str:
        """Why the search ended."""
        return (
            f"what was found with {self.size} is no violation at full size; "
            f"{with_longs(self.longs)}"
        )


@dataclass(frozen=True)
class NamedLongs(TooFewLongs):
    """The design names more longs of a map than the scenario has: they stand for the whole map.

    Attributes:
        site: where it names them, if that is known.
    """

    site: Site | None = None

    @property
    def reason(self) -> str:
        """Why that nothing was found says nothing."""
        place = f"{self.site.short}: " if self.site is not None else ""
        return (
            f"{place}the design names {self.longs - 1} longs, as many as the whole map of a "
            f"scenario with {self.size}, and means fewer; {with_longs(self.longs)}"
        )


@dataclass(frozen=True)
class HeapLimit(Ending):
    """More heap objects are alive at once than there is room for."""

    objects: int

    @property
    def reason(self) -> str:
        """Why the search ended."""
        return f"more than {self.objects} heap objects are alive"


@dataclass(frozen=True)
class Doubt(Ending):
    """The search came to its end, and still cannot tell that nothing is wrong.

    Attributes:
        why: what it met, as a sentence.
    """

    why: str

    @property
    def reason(self) -> str:
        """Why there is no verdict."""
        return self.why


@dataclass(frozen=True)
class UnrepeatedRefusals(Ending):
    """A row of refusals was found that ends if nothing else happens: so it shows no livelock.

    Attributes:
        size: the bounds of the scenario, in words.
        refusals: how many in a row were found.
        why: what becomes of it, as the end of a sentence.
    """

    ends_repetition: ClassVar[bool] = False
    size: str
    refusals: int
    why: str

    @property
    def reason(self) -> str:
        """Why there is no verdict."""
        return (
            f"with {self.size} the #GP handler says 'again' {self.refusals} times in a row about a "
            f"granted port, and {self.why}; whether such a row can go on for ever was not searched"
        )


@dataclass(frozen=True)
class BrokenAssumption(Ending):
    """An assumption of a reduction turned out wrong: the search has to be repeated without it."""

    ends_repetition: ClassVar[bool] = False

    @property
    def reason(self) -> str:
        """Why the search ended."""
        return "an assumption of a reduction turned out wrong"
