"""Searches a problem beyond one memory, again without the assumptions that were wrong."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from iopermit.scale.checkpoint.identity import identity_of
from iopermit.scale.checkpoint.manifest import SearchAttempt
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
    from iopermit.scale.plan import Plan
    from iopermit.search.compilation import Translated
    from iopermit.search.exploration.design_search import DesignSearchResult
    from iopermit.translate.analyses.assumptions import Assumption
    from iopermit.translate.native.jit import Compiled


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
        """Search once, under the assumptions of an attempt."""
        threads = self.source.problem.settings.threads
        files = self.directory.attempt(attempt.number)
        native = functions.compiled
        owner = self.plan.owner(native, threads, control.limits.max_memory, files)
        identity = identity_of(self.source.problem)
        journal = Journal(self.directory, identity, attempt, self.plan)
        loop = LevelLoop(native, owner, control, frozenset(attempt.goals), journal)
        try:
            if resumed is None:
                return loop.run(lambda: loop.begin(initial_state(functions, self.source.initial)))
            return loop.run(lambda: loop.go_on(resumed))
        finally:
            owner.close()

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
