"""What stays behind in a method that encodes one modality: results split by sizes that the host reads.

    split_sizes = (image_grid_thw.prod(-1) // m**2).tolist()
    features = torch.split(features, split_sizes)

Callers get one tensor for each image, so that no second form could give them the same. It is reported.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codegen.rewrite.capture.pieces import Left, is_read, splits_in
from codegen.rewrite.library import Function
from codegen.rewrite.nodes import walk
from codegen.rewrite.probe.trace import assigned_names
from codegen.rewrite.vocabulary import FEATURES_METHODS


def host_splits(function: Function) -> Iterator[Left]:
    """The splits by sizes read on the host in a features method, each with what is said of it."""
    if function.name not in FEATURES_METHODS:
        return
    for split in splits_in(function):
        read = _read_in(function, split.sizes)
        if read:
            reason = f"results are split by {read}, which the host reads: a graph ends here"
            yield Left(split.node, reason)


def _read_in(function: Function, sizes: ast.expr) -> str:
    """The expression that is read, in sizes or in what they are the name of; empty for none."""
    values = [sizes]
    if isinstance(sizes, ast.Name):
        made = (node for node in walk(function) if isinstance(node, ast.Assign))
        values += [node.value for node in made if sizes.id in assigned_names(node)]
    for value in values:
        for node in walk(value):
            if isinstance(node, ast.expr) and is_read(node):
                return ast.unparse(node)
    return ""
