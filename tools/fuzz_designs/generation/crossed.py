"""Puts expressions of a design in the place of others: odd designs, which may be refused."""

from __future__ import annotations

import ast
import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

_CHANCE = 0.05
"""How likely each expression is exchanged."""


def crossed(rng: random.Random, source: str) -> str:
    """Return a source in whose hooks one or two expressions are others of the same design.

    About a third of the results is refused. What is taken must mean the same to all checkers.
    """
    tree = ast.parse(source)
    hooks = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    every = [node for hook in hooks for node in _expressions(hook)]
    exchange = _Exchange(rng, every, rng.choice([1, 1, 2]))
    for hook in rng.sample(hooks, len(hooks)):
        hook.body = [exchange.visit(statement) for statement in hook.body]
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def _expressions(hook: ast.FunctionDef) -> list[ast.expr]:
    found = [n for s in hook.body for n in ast.walk(s) if isinstance(n, ast.expr)]
    return [node for node in found if _is_read(node)]


def _is_read(node: ast.expr) -> bool:
    return isinstance(getattr(node, "ctx", ast.Load()), ast.Load)


class _Exchange(ast.NodeTransformer):
    """Exchanges a number of expressions at random places."""

    def __init__(self, rng: random.Random, others: list[ast.expr], left: int) -> None:
        self.rng, self.others, self.left = rng, others, left

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Exchange an expression that is read, if it is its turn."""
        node = super().generic_visit(node)
        if not (isinstance(node, ast.expr) and _is_read(node) and self.left):
            return node
        if self.rng.random() > _CHANCE:
            return node
        others = [o for o in self.others if ast.dump(o) != ast.dump(node)]
        same = [o for o in others if type(o) is type(node)] + others[:1]
        if not same:
            return node
        self.left -= 1
        return copy.deepcopy(self.rng.choice(same))
