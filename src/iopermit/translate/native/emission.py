"""What each reduction emits: a part of the canonical representative, or of the transitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.translate.analyses.reductions import (
    COUNTERS,
    DEAD_FIELDS,
    HIDDEN_MAPS,
    LATE_ARGUMENTS,
    MERGING,
    SYMMETRY,
    Analysis,
    Reduction,
)
from iopermit.translate.native.canonical.forgetting import clear_dead_fields, forget_open_arguments
from iopermit.translate.native.canonical.hidden_maps import HiddenCode
from iopermit.translate.native.canonical.symmetry import Renaming
from iopermit.translate.native.codegen.llvm_types import STATE, VOID, new_function
from iopermit.translate.native.codegen.statements import StatementCode
from iopermit.translate.native.steps import StepFunction

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llvmlite import ir as llvm

    from iopermit.translate.model.model import Model
    from iopermit.translate.native.packing import Packing

REPRESENTATIVE: Final[dict[Reduction, Callable[[Renaming, Analysis], None]]] = {
    DEAD_FIELDS: lambda renaming, dead: clear_dead_fields(renaming.code, dead),
    LATE_ARGUMENTS: lambda renaming, late: forget_open_arguments(renaming.code, late),
    SYMMETRY: lambda renaming, _: renaming.rename_slots(),
    COUNTERS: lambda renaming, _: renaming.rename_counters(),
}
"""What turns a state into its representative, in this order: what is cleared is not hashed."""

TRANSITIONS: Final = {MERGING: StepFunction, HIDDEN_MAPS: HiddenCode}
"""What emits the reductions that change how successors are made."""


def emit_canonical(
    module: llvm.Module, model: Model, packing: Packing, found: Mapping[Reduction, Analysis]
) -> llvm.Function:
    """Emit ``canonical(working)``, which clears what does not matter and renames in place."""
    function, builder = new_function(module, "canonical", VOID, STATE)
    renaming = Renaming(StatementCode(model, packing, builder, function.args[0]))
    for reduction, emit in REPRESENTATIVE.items():
        if reduction in found:
            emit(renaming, found[reduction])
    builder.ret_void()
    return function
