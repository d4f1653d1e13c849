"""A sample of a table between its entries: one operator of a compiled graph.

    F.grid_sample(table, points, mode="bicubic", ...)  ->  sample_grid(table, points, mode="bicubic", ...)

Both give the same; the helper keeps the compiler from taking the bicubic one apart.
"""

from __future__ import annotations

import ast

from codegen.rewrite.emit.edits import Edit, Substitute
from codegen.rewrite.functions import Function
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import walk
from codegen.rewrite.vocabulary import torch_name

SAMPLE = "torch.nn.functional.grid_sample"


def sampling_edits(
    index: Index, cls: ClassInfo, function: Function
) -> tuple[list[Edit], tuple[str, ...], str] | None:
    """Call the helper in place of the function of torch, with the arguments as they are."""
    edits: list[Edit] = [
        Substitute(node.func, "sample_grid")
        for node in walk(function)
        if isinstance(node, ast.Call) and torch_name(node.func) == SAMPLE
    ]
    reason = "sample of a table between its entries: one operator of a compiled graph"
    return (edits, ("sample_grid",), reason) if edits else None
