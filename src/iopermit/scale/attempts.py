"""Searches a problem beyond one memory, again without the assumptions that were wrong."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from iopermit.scale.checkpoint.identity import identity_of
from iopermit.scale.checkpoint.manifest import SearchAttempt
from iopermit.scale.errors import OwnerLostError, ScaleError, refused_by_system
from iopermit.scale.hidden_maps import known_maps, tell_known_maps
from iopermit.scale.journal import Journal
from iopermit.scale.level_loop import LevelLoop
from iopermit.search.compilation import compiled
from iopermit.search.exploration.native import NativeFunctions, initial_state
from iopermit.search.refinement import Searched, broken_assumptions
from iopermit.translate.analyses.assumptions import assumptions

if TYPE_CHECKING:
    from iopermit.engine.control import Control
    from iopermit.scale.checkpoint.directory import CheckpointDirectory
    from iopermit.scale.checkpoint.manifest import Manifest
    from iopermit.scale.owners.interface import LevelOwner
    from iopermit.scale.plan import Plan
    from iopermit.search.compilation import Translated
    from iopermit.search.exploration.design_search import DesignSearchResult
    from iopermit.translate.analyses.assumptions import Assumption
    from iopermit.translate.native.jit import Compiled

_MOST_LOSSES: Final = 30
"""How often owners may be lost: a cluster takes its time to see that a node is gone."""
_SECONDS_AFTER_LOSS: Final = 2.0


@dataclass(frozen=True)
class ScaledSearch:
    """A problem, and how and where its search beyond one memory is executed."""

    source: Translated
    plan: Plan
    directory: CheckpointDirectory

    def searched(self, resumed: Manifest | None = None) -> Searched:
        """Search until no assumption is wrong, a violation counts all the same, or a limit.

        Args:
            resumed: the checkpoint to go on from; None: begin anew.

        Raises:
            CheckpointError: the checkpoint is damaged.
            ScaleError: the memory limit is too low for the plan.
            OSError: a file cannot be read or written.
        """
        problem = self.source.problem
        control = problem.control.about(problem.scenario.size).again()
        attempt = self._first() if resumed is None else resumed.attempt
        compile_seconds, functions = 0.0, None
        while True:
            started = time.monotonic()
            if functions is None:
                functions = NativeFunctions(compiled(self.source, self._assumed(attempt)))
            tell_known_maps(functions.compiled, attempt.known_maps)
            compile_seconds += time.monotonic() - started
            result = self._run(functions, attempt, control.remaining(), resumed)
            following = self._following(attempt, functions.compiled, result)
            if following is None:
                return Searched(self.source, functions, result, compile_seconds)
            if following.assumed != attempt.assumed:
                functions = None
            attempt, resumed = following, None

    def _first(self) -> SearchAttempt:
        """Return the first attempt; its number is new, if there are checkpoints of others."""
        problem, number = self.source.problem, 0
        if self.directory.has_checkpoint:
            number = self.directory.read().attempt.number + 1
        merging = problem.settings.reductions.merging
        assumed = range(len(assumptions(self.source.model))) if merging else ()
        return SearchAttempt(number, tuple(assumed), tuple(sorted(problem.goals)))

    def _assumed(self, attempt: SearchAttempt) -> tuple[Assumption, ...]:
        every = assumptions(self.source.model)
        return tuple(every[number] for number in attempt.assumed)

    def _run(
        self,
        functions: NativeFunctions,
        attempt: SearchAttempt,
        control: Control,
        resumed: Manifest | None,
    ) -> DesignSearchResult:
        """Search once, under the assumptions of an attempt; again from a checkpoint if need be.

        Raises:
            ScaleError: owners were lost again and again, or files cannot be made.
        """
        native, losses = functions.compiled, 0
        journal = Journal(self.directory, identity_of(self.source.problem), attempt, self.plan)
        initial = initial_state(functions, self.source.initial)
        while True:
            try:
                with refused_by_system(self.directory.path):
                    owner = self._owner(native, attempt, control)
                with contextlib.closing(owner):
                    loop = LevelLoop(native, owner, control, frozenset(attempt.goals), journal)
                    return loop.run(initial, resumed)
            except OwnerLostError as error:
                losses += 1
                if losses > _MOST_LOSSES:
                    raise ScaleError(
                        f"owners were lost {losses} times, at last: {error}; see to the cluster, "
                        f"then go on with --resume {self.directory.path}"
                    ) from error
                time.sleep(_SECONDS_AFTER_LOSS)
                resumed = self._last(attempt)

    def _owner(self, native: Compiled, attempt: SearchAttempt, control: Control) -> LevelOwner:
        problem, memory = self.source.problem, control.limits.max_memory
        files = self.directory.attempt(attempt.number)
        if self.plan.cluster is None:
            return self.plan.whole(native, problem.settings.threads, memory, files)
        from iopermit.scale.cluster.cluster_owner import ClusterOwner  # imports Ray
        from iopermit.scale.cluster.worker import work_of  # imports lz4

        return ClusterOwner(native, work_of(problem, attempt, self.plan, files))

    def _last(self, attempt: SearchAttempt) -> Manifest | None:
        """Return the last checkpoint of an attempt, None if it has none."""
        if not self.directory.has_checkpoint:
            return None
        manifest = self.directory.read()
        return manifest if manifest.attempt.number == attempt.number else None

    def _following(
        self, attempt: SearchAttempt, native: Compiled, result: DesignSearchResult
    ) -> SearchAttempt | None:
        """Return the attempt after this one, or None if this one counts."""
        if result.limited:
            return None
        if native.hidden is not None and native.hidden.failed:
            native.hidden.restart()
            return replace(attempt, number=attempt.number + 1, known_maps=known_maps(native))
        broken = broken_assumptions(native, result)
        if not broken or result.found:
            return None
        every = assumptions(self.source.model)
        return SearchAttempt(
            attempt.number + 1,
            tuple(number for number in attempt.assumed if every[number] not in broken),
            attempt.goals,
        )
