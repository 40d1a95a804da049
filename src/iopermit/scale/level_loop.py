"""The level loop: breadth first over states, whoever owns them; limits, checkpoints, violations."""

from __future__ import annotations

import errno
import time
from typing import TYPE_CHECKING, Final

from iopermit.engine.ending import BrokenAssumption, Interrupted, MemoryLimit, NoRoom
from iopermit.scale.checkpoint.manifest import SearchPosition
from iopermit.scale.endings import DiskFailed, DiskFull, Suspended
from iopermit.scale.path import paths_to
from iopermit.scale.progress import ProgressOfFiles
from iopermit.search.exploration.design_search import DesignSearchResult
from iopermit.search.exploration.native import NativeFunctions
from iopermit.translate.model.nodes import NO_ROOM, VERDICTS, VIOLATIONS
from iopermit.translate.native.shared.labels import VERDICT_SPAN

if TYPE_CHECKING:
    from iopermit.engine.control import Control
    from iopermit.engine.ending import Ending
    from iopermit.scale.checkpoint.manifest import Manifest
    from iopermit.scale.journal import Journal
    from iopermit.scale.owners.interface import LevelOwner
    from iopermit.search.exploration.memory import Words
    from iopermit.translate.native.jit import Compiled

_PROGRESS_SECONDS: Final = 0.5
_WORTH_FINISHING: Final = 1 << 20
"""States up to which a search goes on after a broken assumption: a violation would be real."""
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FAILED: Final = (errno.EIO, errno.EROFS, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.EREMOTEIO)
"""What a disk or a file server that breaks says; Linux remounts a file system read-only then."""


class LevelLoop:
    """One breadth-first search of a compiled model, whose states an owner keeps."""

    def __init__(
        self,
        compiled: Compiled,
        owner: LevelOwner,
        control: Control,
        goals: frozenset[str],
        journal: Journal | None = None,
    ) -> None:
        """Prepare it.

        Args:
            compiled: the model.
            owner: keeps the states, and expands them.
            control: limits, progress and Ctrl-C.
            goals: the kinds of violations that count; others are just not continued.
            journal: writes checkpoints.
        """
        self.compiled, self.owner, self.control = compiled, owner, control
        self._journal = journal
        self._goals = [number for number, name in enumerate(VERDICTS) if name in goals]
        self._started = self._told = time.monotonic()
        self._before = 0.0
        self._ending: Ending | None = None
        self._depth = 0
        self._first_levels: dict[int, int] = {}

    def run(self, initial: Words, resumed: Manifest | None = None) -> DesignSearchResult:
        """Search up to the depth of the first violation, to the end, or to a limit.

        Args:
            initial: the first state of all.
            resumed: the checkpoint to go on from; None: begin anew.

        Raises:
            CheckpointError: the checkpoint is damaged.
            OwnerLostError: a process or a machine that owned partitions is gone.
            OSError: a file cannot be read or written, and neither space nor the disk is why.
        """
        paths: dict[int, list[Words]] = {}
        with self.control.interruption:
            try:
                if resumed is None:
                    self._begin(initial)
                else:
                    self._go_on(resumed)
                while self._goes_on():
                    self._level()
                paths = self._paths()
            except KeyboardInterrupt:
                # The second Ctrl-C: the last checkpoint has to do.
                self._ending = self._suspended(Interrupted())
            except MemoryError:
                self._ending = self._suspended(MemoryLimit())
            except OSError as error:
                self._ending = self._suspended(self._of_disk(error))
            return self._result(paths)

    def _of_disk(self, error: OSError) -> Ending:
        """Return what a disk says that is full or broken. Raises other errors again."""
        if self._journal is None or error.errno not in (*_FULL, *_FAILED):
            raise error
        directory = str(self._journal.directory.path)
        if error.errno in _FULL:
            return DiskFull(directory)
        return DiskFailed(directory, error.strerror or str(error))

    # Levels.

    def _begin(self, initial: Words) -> None:
        """Begin with the first state of all. Raises OSError."""
        self.owner.insert_initial(initial)
        if self._journal is not None:
            self._journal.begin(self.owner, self._position())

    def _go_on(self, manifest: Manifest) -> None:
        """Go on from a checkpoint. Raises CheckpointError, OSError."""
        self.owner.restore(manifest.partitions)
        position = manifest.position
        self._depth, self._before = position.depth, position.seconds
        self._first_levels = dict(position.first_levels)
        self.owner.count_from(position.counters)
        if self._journal is not None:
            self._journal.begin(self.owner, self._position())

    def _goes_on(self) -> bool:
        return self._ending is None and self.owner.frontier() > 0 and not self._violating()

    def _level(self) -> None:
        """Expand the present level, and settle which states are new."""
        while self._ending is None and self.owner.expand():
            self._look()
        if self._ending is None:
            self.owner.flush()
        while self._ending is None and self.owner.settle():
            self._look()
        if self._ending is None:
            self._end_level()

    def _end_level(self) -> None:
        self.owner.advance()
        for code, total in enumerate(self.owner.counters().totals):
            if total:
                self._first_levels.setdefault(code, self._depth)
        self._depth += 1
        self._look()

    def _look(self) -> None:
        """Look at limits, tell how far the search is, and write a checkpoint if one is due."""
        states = self.owner.total()
        if self._is_in_vain(states):
            self._ending = BrokenAssumption()
            return
        ending = self.control.ending(states)
        if ending is None and self.owner.is_full():
            ending = MemoryLimit()
        if ending is not None or (self._journal is not None and self._journal.is_due):
            self._checkpoint()
        if ending is not None:
            self._ending = self._suspended(ending)
        now = time.monotonic()
        if now - self._told > _PROGRESS_SECONDS:
            self._told = now
            self.control.report(self.progress())

    def _checkpoint(self) -> None:
        """Write a checkpoint of what counts: that of a search in vain would not."""
        if self._journal is None:
            return
        self.owner.flush()
        self._journal.write(self.owner, self._position())

    def _suspended(self, ending: Ending) -> Ending:
        """Return an ending that says how to go on, if there is a checkpoint."""
        if self._journal is None or not self._journal.directory.has_checkpoint:
            return ending
        return Suspended(ending, str(self._journal.directory.path))

    def _is_in_vain(self, states: int) -> bool:
        """Return whether what is found does not count, or a large search will not."""
        if self.owner.is_hidden_map_new():
            return True
        watched = self.compiled.coverage.assumption(0)
        return states > _WORTH_FINISHING and self.owner.has_covered(watched)

    def _violating(self) -> bool:
        return any(code % VERDICT_SPAN in self._goals for code in self._first_levels)

    # What comes out.

    def progress(self) -> ProgressOfFiles:
        """Return how far the search is."""
        amounts, now = self.owner.amounts(), time.monotonic()
        return ProgressOfFiles(
            amounts.states,
            self._depth,
            amounts.frontier,
            self.owner.counters().transitions,
            self._seconds(),
            amounts.memory,
            spilled=amounts.spilled,
            read=amounts.read,
            own_seconds=now - self._started,
        )

    def _seconds(self) -> float:
        return self._before + time.monotonic() - self._started

    def _position(self) -> SearchPosition:
        return SearchPosition(
            self._depth, self._seconds(), self.owner.counters(), dict(self._first_levels)
        )

    def _paths(self) -> dict[int, list[Words]]:
        """Return for each kind and statement a path to its least state of the first level."""
        if self._ending is not None:
            return {}
        wanted = {
            code: level
            for code, level in self._first_levels.items()
            if code % VERDICT_SPAN in self._goals
        }
        # What follows can take as long as the search, or fail.
        self._checkpoint()
        return paths_to(self.owner, wanted, self.control.interruption)

    def _result(self, paths: dict[int, list[Words]]) -> DesignSearchResult:
        amounts, counters = self.owner.amounts(), self.owner.counters()
        totals = {
            name: sum(counters.totals[number::VERDICT_SPAN]) for number, name in enumerate(VERDICTS)
        }
        result = DesignSearchResult(
            amounts.states,
            counters.transitions,
            self._depth,
            self._seconds(),
            amounts.memory,
            self._ending,
            exhausted=self._ending is None and not amounts.frontier,
            violations={name: n for name, n in totals.items() if n and name in VIOLATIONS},
            covered=counters.covered,
        )
        for code, path in paths.items():
            statement, verdict = divmod(code, VERDICT_SPAN)
            result.found[VERDICTS[verdict], statement] = path
        if result.found:
            result.depth = min(map(len, result.found.values())) - 1
        if totals[VERDICTS[NO_ROOM]] and self._ending is None:
            result.ending, result.exhausted = NoRoom(), False
            level = self._first_levels[NO_ROOM]
            least = self.owner.least_violating(level, [NO_ROOM])
            result.full = NativeFunctions(self.compiled).stored(least[NO_ROOM])
        return result
