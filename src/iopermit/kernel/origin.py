"""Tells what patches bring: a tree is judged with them and without them, and faults are compared.

Every Linux from 5.5 on has a fault, which is nobody's patch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from iopermit.engine.verdict import FaultOrigin, WithoutPatches
from iopermit.kernel.check import Examined, Passed, examine_tree, without_suspects
from iopermit.kernel.errors import KernelTreeError
from iopermit.kernel.outcome import TreeOutcome
from iopermit.kernel.verdict_cache import outcome_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.engine.control import Control
    from iopermit.engine.verdict import Verdict
    from iopermit.kernel.loading import LoadedTree
    from iopermit.system.scenario import Scenario


@dataclass(frozen=True)
class PatchedTree:
    """A tree with patches, and the same without them.

    Attributes:
        patched: the tree with the patches.
        plain: the tree without them, or why it cannot be built.
        scenarios: what to search.
        control: where a search gives up; each has the whole time.
        keeps: whether it is kept between runs what the tree is like without the patches.
    """

    patched: LoadedTree
    plain: LoadedTree | KernelTreeError
    scenarios: Sequence[Scenario]
    control: Control
    keeps: bool = False

    def judged(self, *, only_new: bool = False) -> Verdict:
        """Return the verdict about the tree with the patches, and what they bring.

        Args:
            only_new: look for every fault without the patches, and for further ones with them;
                else the nearest fault of each is compared.

        Raises:
            KernelTreeError: the tree's code needs something that is not there; only if further
                faults are looked for, also: it cannot be built without the patches.
            ReplayError: a violation does not show when its schedule is executed again.
        """
        with self.control.interruption:
            if not only_new:
                return self._compared(self._examined(Passed()))
            try:
                plain = self._without(Passed())
            except KernelTreeError as error:
                raise type(error)(f"without the patches: {error}") from error
            verdict = self._beyond(plain)
        kernel = verdict.kernel
        assert kernel is not None  # the verdict is about a tree
        assert kernel.without is not None  # stated
        return replace(
            verdict, kernel=replace(kernel, without=replace(kernel.without, only_new=True))
        )

    def _compared(self, patched: Examined) -> Verdict:
        """Return the verdict about the patched tree, with the nearest faults of both compared.

        Patches may be what lets a tree be built: then what they bring is not known.
        """
        try:
            plain = self._without(Passed())
        except KernelTreeError as error:
            kernel = patched.verdict.kernel
            assert kernel is not None  # the verdict is about a tree
            unknown = WithoutPatches(FaultOrigin.OPEN, "undetermined", message=_in_short(error))
            return replace(patched.verdict, kernel=replace(kernel, without=unknown))
        return self._stated(patched.verdict, plain, _origin(patched, plain))

    def _beyond(self, plain: TreeOutcome) -> Verdict:
        """Return the verdict after a search for faults that the plain tree does not have."""
        if plain.verdict != "violated":
            patched = self._examined(Passed())
            return self._stated(patched.verdict, plain, _origin(patched, plain))
        every = self._without(Passed(every=True))
        is_whole = every.verdict == "holds"
        found = self._examined(Passed(plain.faults | every.faults))
        if found.verdict.verdict == "violated":
            origin = FaultOrigin.INTRODUCED if is_whole else FaultOrigin.OPEN
            return self._stated(found.verdict, plain, origin, every=is_whole)
        if found.verdict.verdict == "holds" and not found.faults:
            return self._stated(found.verdict, plain, FaultOrigin.REPAIRED, every=is_whole)
        # What is there already is a fault of the tree all the same: the nearest one is reported.
        nearest = self._examined(Passed())
        origin = _origin(nearest, every)
        return self._stated(nearest.verdict, plain, origin, every=found.verdict.verdict == "holds")

    def _examined(self, passed: Passed) -> Examined:
        return examine_tree(self.patched, self.scenarios, passed, self.control.again())

    def _without(self, passed: Passed) -> TreeOutcome:
        """Return what the tree is like without the patches."""
        if isinstance(self.plain, KernelTreeError):
            raise self.plain
        arguments = (self.plain, self.scenarios, passed, self.control.again())
        return outcome_of(*arguments) if self.keeps else TreeOutcome.of(examine_tree(*arguments))

    def _stated(
        self, patched: Verdict, plain: TreeOutcome, origin: FaultOrigin, *, every: bool = False
    ) -> Verdict:
        """Return the verdict with what the tree is like without the patches."""
        if origin is FaultOrigin.ALREADY_THERE:
            patched = without_suspects(self.patched, patched)
        kernel = patched.kernel
        assert kernel is not None  # the verdict is about a tree
        without = WithoutPatches(
            origin,
            plain.verdict,
            plain.kind,
            plain.message,
            every=every or plain.verdict == "holds",
        )
        return replace(patched, kernel=replace(kernel, without=without))


def _in_short(error: KernelTreeError) -> str:
    """Return the first line of what is in the way, and the first one of what a compiler says."""
    first, *others = str(error).splitlines()
    return "; ".join([first, *[line for line in others if " error: " in line][:1]])


def _origin(patched: Examined, plain: TreeOutcome) -> FaultOrigin:
    """Return where the nearest fault with the patches comes from."""
    match patched.verdict.verdict, plain.verdict:
        case ("violated", "holds") if not plain.faults:
            return FaultOrigin.INTRODUCED
        case ("holds", "holds"):
            return FaultOrigin.NO_FAULT
        case ("holds", "violated"):
            return FaultOrigin.REPAIRED
        case ("violated", _) if _is_explained(patched, plain):
            return FaultOrigin.ALREADY_THERE
        case ("violated", "violated"):
            return FaultOrigin.DIFFERENT
    return FaultOrigin.OPEN


def _is_explained(patched: Examined, plain: TreeOutcome) -> bool:
    return any(
        one.explains(other) or other.explains(one)
        for one in plain.faults
        for other in patched.faults
    )
