"""Members that are one with a parent's only while their decorators agree: an edit of these changes both.

In a project a class whose decorators differ from its parent's stays a class of its own beside it, and a method
keeps its ``super()`` call (``codegen.expansion.fold``). Not a word of the parent's decorators then stands in
the file, as the child's own took their place, and yet the file changes with them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from codegen.explain.atlas import Atlas
from codegen.explain.forward import Range, changed_with
from codegen.explain.named import Named, find_named, named_in
from codegen.text.classes import last_name
from codegen.text.lines import LineMap

_Decorated = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def agreeing_with(atlas: Atlas, ranges: Sequence[Range]) -> list[Range]:
    """The generated members whose definitions repeat decorators that stand in ranges of sources, as these are
    written, or come from there."""
    if atlas.tree.kind != "project":
        return []
    edited = [each for each in ranges if next(_decorated(atlas, each), None) is not None]
    read = [part for each in edited for part in atlas.as_rewritten(*each, replaced=True)]
    reached = [(spot.path, spot.offset, spot.offset + 1) for spot in changed_with(atlas, read)]
    found: dict[Range, None] = {}
    for place in dict.fromkeys((*edited, *reached)):
        for member in _decorated(atlas, place):
            found.update(dict.fromkeys(_repeating(atlas, place[0], member)))
    return list(found)


def _decorated(atlas: Atlas, place: Range) -> Iterator[Named]:
    """The members whose decorators a range covers or touches."""
    path, start, end = place
    lines = LineMap(atlas.text(path))
    first, last = lines.line_at(start), lines.line_at(max(end - 1, start))
    for member in named_in(atlas.text(path)):
        if first < member.header and member.first <= last and member.first < member.header:
            yield member


def _repeating(atlas: Atlas, path: str, member: Named) -> Iterator[Range]:
    """Members of one name and decorator in classes that inherit from the one of a member."""
    parent, _, method = (
        member.name.partition(".") if member.kind == "function" else (member.name, "", "")
    )
    shared = _decorators(_node_of(ast.parse(atlas.text(path)), parent, method))
    for definition in atlas.tree.definitions:
        if definition.model not in atlas.users.get(path, ()):
            continue
        tree = ast.parse(atlas.text(definition.path))
        for child in _children(tree, parent):
            node = _node_of(tree, child, method)
            if shared & _decorators(node) and (not method or _asks_parent(node, child)):
                yield from _generated(
                    atlas, definition.model, f"{child}.{method}" if method else child
                )


def _generated(atlas: Atlas, model: str, name: str) -> Iterator[Range]:
    for path in atlas.files_of(model):
        text = atlas.text(path)
        member = find_named(named_in(text), name)
        if member is not None:
            lines = LineMap(text)
            yield path, lines.start_of(member.header), lines.end_of(member.last)


def _children(tree: ast.Module, parent: str) -> Iterator[str]:
    """The classes of a definition that inherit from a class, under whatever name it is imported."""
    names = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name == parent
    } | {parent}
    for node in tree.body:
        bases = node.bases if isinstance(node, ast.ClassDef) else []
        if isinstance(node, ast.ClassDef) and any(last_name(base) in names for base in bases):
            yield node.name


def _node_of(tree: ast.Module, owner: str, method: str) -> _Decorated | None:
    found: _Decorated | None = None
    for node in tree.body:
        if isinstance(node, _Decorated) and node.name == owner:
            found = node
    if not method or found is None:
        return found
    named = [each for each in found.body if isinstance(each, _Decorated) and each.name == method]
    return named[-1] if named else None


def _decorators(node: _Decorated | None) -> set[str]:
    return {ast.dump(each) for each in node.decorator_list} if node is not None else set()


def _asks_parent(node: _Decorated | None, owner: str) -> bool:
    """Whether a method calls its parent's: ``super(Parent, self)`` asks further up."""
    calls = (each for each in (ast.walk(node) if node else ()) if isinstance(each, ast.Call))
    supers = (call for call in calls if last_name(call.func) == "super")
    return any(not call.args or last_name(call.args[0]) == owner for call in supers)
