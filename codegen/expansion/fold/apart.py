"""Where no fold keeps the meaning: the parent stays a class of its own in the generated file.

It goes by a private name in front of the class, with everything that renaming does to inherited
code, and the class inherits from it as the definition says.
"""

from __future__ import annotations

import ast

from codegen.errors import CodegenError, fail
from codegen.expansion.fold.denoted import Denoted
from codegen.expansion.fold.marks import is_marker
from codegen.expansion.fold.model import (
    CannotFold,
    Edit,
    Folded,
    Pair,
    Spellings,
    apply_edits,
)
from codegen.expansion.fold.sites import is_super
from codegen.expansion.fold.super_kwargs import takes_super_kwargs
from codegen.expansion.merge import without_marker
from codegen.text.lines import LineMap
from codegen.text.read_body import ClassBody, read_body

_HINT = "write the class out, or change the parent so that it can be folded in"


def keep_apart(pair: Pair, cause: CannotFold) -> Folded:
    """The parent under a private name, and the class as written but for the name of its parent.

    Raises CodegenError where the definition uses what only a fold can give: deletion markers,
    ``**super_kwargs``.
    """
    child = read_body(pair.child)
    _refuse_conventions(child, pair, cause)
    name = private_class(pair)
    parent = read_body(pair.parent)
    above = apply_edits(pair.parent, _parent_edits(parent, name))
    below = apply_edits(pair.child, _child_edits(child, pair.spellings, name))
    # Nothing inherits decorators here, so the mark against it goes.
    below = without_marker(below, pair.origin.path, pair.origin.offset)
    line = pair.origin.line(cause.line) if cause.line else pair.origin.line(child.node.lineno)
    note = (
        f"{'warning' if cause.warned else 'note'}: {pair.origin.path}:{line}: {pair.base} stays a class of its own in front of "
        f"{pair.origin.name}, {name}: {cause.reason}"
    )
    lead = parent.head.lead
    text = f"{above[len(lead) :].rstrip()}\n\n\n{below.strip()}"
    return Folded(lead, text, (note,), name)


def private_class(pair: Pair) -> str:
    """A name for the parent's class that nothing else has."""
    plain = name = f"_{pair.parent_origin.name.lstrip('_')}"
    count = 2
    while name in pair.taken:
        name = f"{plain}{count}"
        count += 1
    return name


def _parent_edits(parent: ClassBody, name: str) -> list[Edit]:
    """The class's own name in its header and in ``super(C, self)``."""
    lines = LineMap(parent.text)
    start = parent.text.index(parent.node.name, lines.offset(*_keyword(parent)) + len("class"))
    edits: list[Edit] = [(start, start + len(parent.node.name), name)]
    for node in ast.walk(parent.node):
        if is_super(node) and isinstance(node, ast.Call) and node.args:
            owner = node.args[0]
            if isinstance(owner, ast.Name) and owner.id == parent.node.name:
                edits.append((*lines.span(owner), name))
    # This runs while the class below is made, which has no name yet.
    for item in parent.items:
        if item.function and item.function.name == "__init_subclass__":
            named = (node for node in ast.walk(item.node) if isinstance(node, ast.Name))
            edits += [(*lines.span(n), name) for n in named if n.id == parent.node.name]
    return list(dict.fromkeys(edits))


def _keyword(body: ClassBody) -> tuple[int, int]:
    return body.node.lineno, body.node.col_offset


def _child_edits(child: ClassBody, spellings: Spellings, name: str) -> list[Edit]:
    lines = LineMap(child.text)
    return [(*lines.span(node), name) for node in Denoted(child, spellings).find()]


def _refuse_conventions(child: ClassBody, pair: Pair, cause: CannotFold) -> None:
    for item in child.items:
        if takes_super_kwargs(item.node):
            raise _refused(pair, cause, item.node.lineno, "**super_kwargs")
        if is_marker(item):
            raise _refused(pair, cause, item.node.lineno, "a deletion marker")


def _refused(pair: Pair, cause: CannotFold, line: int, what: str) -> CodegenError:
    place = pair.origin.line(cause.line or line)
    return fail(
        "cannot-fold",
        f"{pair.origin.name} cannot be folded with {pair.base} ({cause.reason}), and without that "
        f"{what} means nothing",
        pair.origin.path,
        place,
        _HINT,
    )
