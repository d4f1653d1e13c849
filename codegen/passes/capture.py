"""capture: give constructs that prevent whole-graph capture a second form that is used while tracing.

Last of the passes. The form that runs eagerly stays as it is; only where both forms compute the same
integers is one written instead of the other.
"""

from __future__ import annotations

from collections.abc import Callable

from codegen.passes.base import Record, model_of
from codegen.passes.capture_attention import attention_edits
from codegen.passes.capture_audio import fixed_split_edits, mask_edits, pool_edits, rows_check_edits
from codegen.passes.capture_repeats import repeat_edits
from codegen.passes.capture_rows import half_pixel_edits, unshuffle_edits
from codegen.passes.edits import Edit
from codegen.passes.modules import ClassInfo, Function, Index
from codegen.passes.workspace import Workspace

Rule = Callable[[Index, ClassInfo, Function], tuple[list[Edit], tuple[str, ...], str] | None]

RULES: tuple[Rule, ...] = (
    attention_edits,
    repeat_edits,
    unshuffle_edits,
    half_pixel_edits,
    mask_edits,
    fixed_split_edits,
    pool_edits,
    rows_check_edits,
)


def capture(workspace: Workspace) -> None:
    """Apply every rule to every method of the workspace."""
    for info in workspace.candidates():
        for cls in workspace.classes(info):
            for function in cls.methods.values():
                for rule in RULES:
                    found = rule(workspace.index, cls, function)
                    if found is None:
                        continue
                    edits, helpers, reason = found
                    workspace.edit(info, edits)
                    for helper in helpers:
                        workspace.need(info, helper)
                    workspace.note(
                        Record(
                            model_of(info.source.module),
                            cls.name,
                            function.name,
                            "captured",
                            info.place(function),
                            ", ".join(helpers),
                            reason=reason,
                        )
                    )
    workspace.settle()
