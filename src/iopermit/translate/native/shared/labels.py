"""Numbers that native code and the search share: labels of transitions, results of `expand`."""

from __future__ import annotations

STEP, USER_RULE, THREAD_RULE, SWITCH_RULE = 0, 1 << 8, 2 << 8, 3 << 8
"""Label of a transition: CPU << 16 | class | number of the choice or rule."""

CPU_SHIFT = 16
VERDICT_SPAN = 8
"""What ``expand`` returns for a violating state is -(verdict + VERDICT_SPAN * statement)."""
