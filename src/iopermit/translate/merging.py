"""Decides which steps may run together with the one before (placeholder: preemption-off local steps)."""
from __future__ import annotations
from iopermit.translate.ir import Const, Expr, Model


class Merging:
    def __init__(self, model: Model) -> None:
        self.model = model

    def condition(self, pc: int) -> Expr:
        return Const(0)

    def closes_cycle(self, pc: int, target: int) -> bool:
        return target <= pc
