"""What a module has: its classes with their bases and members, its functions, what its imports bind."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from codegen.review.pieces import Piece, bases_of, parse_piece, split_pieces
from codegen.review.syntax import below, dotted


class ClassInfo:
    """A class of a source: bases as written, members with their lines, ``deleted`` members (markers).

    All but its name and line is read when it is asked for. A class that does not parse has no members.
    """

    def __init__(self, piece: Piece) -> None:
        self.name, self.line = piece.name, piece.line
        self._piece = piece

    @property
    def text(self) -> str:
        """Its lines, from the one with its name."""
        return self._piece.from_keyword

    @cached_property
    def bases(self) -> tuple[str, ...]:
        """Its bases as they are written."""
        return bases_of(self._piece)

    @property
    def members(self) -> Mapping[str, int]:
        """Lines of its methods and attributes by name."""
        return self._members[0]

    @property
    def deleted(self) -> Mapping[str, int]:
        """Lines of markers that delete a member of the parent, by name."""
        return self._members[1]

    @property
    def assigned(self) -> Mapping[str, int]:
        """Lines of ``self.x = ...`` by name."""
        return self._attributes[0]

    @property
    def erased(self) -> Mapping[str, int]:
        """Lines of ``del self.x`` by name."""
        return self._attributes[1]

    @cached_property
    def calling_super(self) -> frozenset[str]:
        """Methods that call the parent's."""
        return frozenset(
            item.name
            for item in self._body
            if isinstance(item, _METHOD)
            and any(isinstance(each, ast.Name) and each.id == "super" for each in ast.walk(item))
        )

    @property
    def _body(self) -> Sequence[ast.stmt]:
        node = next(iter(self._piece.body), None)
        return node.body if isinstance(node, ast.ClassDef) else ()

    @cached_property
    def _members(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        members: dict[str, int] = {}
        deleted: dict[str, int] = {}
        first = self._piece.start
        for item in self._body:
            if isinstance(item, _METHOD):
                found = deleted if _raises_attribute_error(item) else members
                found.setdefault(item.name, first + item.lineno)
            for name in _targets(item):
                value = getattr(item, "value", None)
                is_marker = isinstance(value, ast.Call) and dotted(value.func) == "AttributeError"
                (deleted if is_marker else members).setdefault(name, first + item.lineno)
        return members, deleted

    @cached_property
    def _attributes(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        assigned: dict[str, int] = {}
        erased: dict[str, int] = {}
        for item in (each for each in self._body if isinstance(each, _METHOD)):
            if item.name in self.members:
                _own_attributes(item, assigned, erased)
        first = self._piece.start
        found = ({name: first + line for name, line in each.items()} for each in (assigned, erased))
        return next(found), next(found)


_METHOD = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Index:
    """Classes and functions of a module, and what its imports bind: (module as spelled, name)."""

    classes: Mapping[str, ClassInfo]
    functions: Mapping[str, int]
    imports: Mapping[str, tuple[str, str]]


_EMPTY = Index({}, {}, {})
#: Groups of statements whose imports are kept.
_KEPT = 16_384


def read_index(text: str) -> Index:
    """The index of a module; an empty one where it does not parse."""
    pieces = split_pieces(text)
    if pieces is None:
        return _EMPTY
    classes: dict[str, ClassInfo] = {}
    functions: dict[str, int] = {}
    imports: dict[str, tuple[str, str]] = {}
    for piece in pieces:
        if piece.kind == "class":
            classes[piece.name] = ClassInfo(piece)
        elif piece.kind:
            functions[piece.name] = piece.line
        else:
            imports.update(_imported(piece.text))
    return Index(classes, functions, imports)


@lru_cache(maxsize=_KEPT)
def _imported(text: str) -> Mapping[str, tuple[str, str]]:
    """What imports among statements bind."""
    tree = parse_piece(text)
    return {
        alias.asname or alias.name: ("." * node.level + (node.module or ""), alias.name)
        for node in (tree.body if tree is not None else ())
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _targets(node: ast.stmt) -> Iterator[str]:
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign):
        targets = [node.target]
    yield from (target.id for target in targets if isinstance(target, ast.Name))


def _raises_attribute_error(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    only = node.body[-1] if len(node.body) == 1 else None
    return isinstance(only, ast.Raise) and "AttributeError" in ast.unparse(only)


def _own_attributes(node: ast.AST, assigned: dict[str, int], erased: dict[str, int]) -> None:
    for item in below(node):
        if isinstance(item, ast.Attribute) and isinstance(item.value, ast.Name):
            if item.value.id == "self" and isinstance(item.ctx, ast.Store):
                assigned.setdefault(item.attr, item.lineno)
            elif item.value.id == "self" and isinstance(item.ctx, ast.Del):
                erased.setdefault(item.attr, item.lineno)
