"""Which local variables of a method are still needed before each of its statements."""

from __future__ import annotations

import ast

Names = frozenset[str]
_NONE: Names = frozenset()


class LiveNames:
    """Live variables of a method body, from its syntax tree.

    Attributes:
        before: names whose value may be read from the statement on.
        after: the same, once the statement is done.
        latch: for a loop, the same at the end of an iteration.
    """

    def __init__(self, body: list[ast.stmt]) -> None:
        """Analyse `body`."""
        self.before: dict[ast.stmt, Names] = {}
        self.after: dict[ast.stmt, Names] = {}
        self.latch: dict[ast.stmt, Names] = {}
        self._block(body, _NONE, _NONE, _NONE)

    def _block(self, body: list[ast.stmt], after: Names, done: Names, again: Names) -> Names:
        """Analyse statements backwards; `done` and `again` are live at break and continue."""
        for statement in reversed(body):
            self.after[statement] = after
            after = self._statement(statement, after, done, again)
            self.before[statement] = after
        return after

    def _statement(self, node: ast.stmt, after: Names, done: Names, again: Names) -> Names:
        match node:
            case ast.If():
                branches = (self._block(b, after, done, again) for b in (node.body, node.orelse))
                return names_read(node.test).union(*branches)
            case ast.While():
                return self._loop(node, names_read(node.test) | after, after)
            case ast.For():
                return names_read(node.iter) | self._loop(node, after, after)
            case ast.With():
                used = _NONE.union(*(names_read(item.context_expr) for item in node.items))
                return used | self._block(node.body, after, done, again)
            case ast.Break() | ast.Continue() | ast.Return():
                jumps = {ast.Break: done, ast.Continue: again}
                return jumps.get(type(node), names_read(node))
        return names_read(node) | (after - names_assigned(node))

    def _loop(self, node: ast.While | ast.For, start: Names, after: Names) -> Names:
        counter = names_assigned(node.target) if isinstance(node, ast.For) else _NONE
        known: Names | None = None
        now = start
        while now != known:
            known = now
            now = start | (self._block(node.body, known, after, known) - counter)
        self.latch[node] = now
        return now


def names_read(node: ast.AST) -> Names:
    """Return the variables that a piece of code reads."""
    names = {
        n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
    }
    if isinstance(node, ast.AugAssign):
        names |= names_assigned(node)
    return frozenset(names)


def names_assigned(node: ast.AST) -> Names:
    """Return the variables that a piece of code assigns."""
    return frozenset(
        n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    )
