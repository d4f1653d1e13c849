"""Read what can break about a module from its syntax, as far as it is not as in its other state."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from codegen.review.classes import ClassFacts, Texts, read_class
from codegen.review.facts import FunctionFacts, ModuleFacts
from codegen.review.names import Naming
from codegen.review.numerics import operators
from codegen.review.pieces import Piece, bases_of, split_pieces
from codegen.review.signatures import decorators_of, parameters_of
from codegen.review.weights import Method


def read_facts(
    text: str, naming: Naming, other: str = "", like: ModuleFacts | None = None
) -> ModuleFacts | None:
    """The facts of a module; None where it does not parse, as far as it is not as in the ``other`` state.

    Operators are counted only in what does not stand like that in the ``other`` state. Classes and functions
    are looked into when they are asked for; those that are the same in ``like``, once for both.
    """
    pieces = split_pieces(text)
    if pieces is None:
        return None
    there = {piece.name: piece for piece in split_pieces(other) or () if piece.kind}
    others = frozenset(piece.code for piece in split_pieces(other) or () if piece.kind)
    if any(piece.code not in others and not piece.body for piece in pieces if piece.kind):
        return None
    classes = {piece.name: piece for piece in pieces if piece.kind == "class"}
    functions = {piece.name: piece for piece in pieces if piece.kind == "function"}
    between = [node for piece in pieces if not piece.kind for node in piece.body]
    modules = frozenset(name for name, piece in classes.items() if _is_module(piece))
    reading = _Reading((naming, modules), (text, other), there, others, like)
    return ModuleFacts(
        _Lazy(classes, lambda name: reading.read_class(classes[name])),
        _Lazy(functions, lambda name: reading.read_function(functions[name])),
        _exported(between),
        frozenset(_imports(between)),
        text,
        {name: bases_of(piece) for name, piece in classes.items()},
        {name: piece.code for name, piece in classes.items()},
        {name: piece.code for name, piece in functions.items()},
        (naming, modules),
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    """How pieces of a module are read: its naming and modules, its text and that of its other state; of the
    latter the classes and functions by name, the lines of each, and the facts, as far as they are known."""

    read_by: tuple[Naming, frozenset[str]]
    texts: tuple[str, str]
    there: Mapping[str, Piece]
    others: frozenset[str]
    like: ModuleFacts | None

    def read_class(self, piece: Piece) -> ClassFacts:
        """The facts of a class."""
        like = self.like if self.like is not None and self.like.read_by == self.read_by else None
        if like is not None and like.segments.get(piece.name) == piece.code:
            return replace(like.classes[piece.name], line=piece.line)
        node = piece.body[0]
        assert isinstance(node, ast.ClassDef)
        texts = Texts(piece, *self.texts, self.there.get(piece.name))
        state = like.classes.get(piece.name) if like is not None else None
        return read_class(node, self.read_by, texts, state)

    def read_function(self, piece: Piece) -> FunctionFacts:
        """The facts of a function."""
        like, naming = self.like, self.read_by[0]
        same = like is not None and like.function_segments.get(piece.name) == piece.code
        if like is not None and same and like.read_by[0] == naming:
            return like.functions[piece.name]
        node = piece.body[0]
        assert isinstance(node, Method)
        counts = Counter[str]() if piece.code in self.others else operators(node.body)
        return FunctionFacts(parameters_of(node, naming), decorators_of(node, naming), counts)


_Fact = TypeVar("_Fact")


class _Lazy(Mapping[str, _Fact]):
    """Classes or functions of a module by name, each read once it is wanted."""

    def __init__(self, names: Iterable[str], read: Callable[[str], _Fact]) -> None:
        self._names = dict.fromkeys(names)
        self._read, self._known = read, dict[str, _Fact]()

    def __getitem__(self, name: str) -> _Fact:
        if name not in self._known:
            if name not in self._names:
                raise KeyError(name)
            self._known[name] = self._read(name)
        return self._known[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _is_module(piece: Piece) -> bool:
    if any(b.endswith((".Module", "PreTrainedModel")) for b in bases_of(piece)):
        return True
    if "def forward" not in piece.text:
        return False
    return any(
        isinstance(item, Method) and item.name == "forward"
        for node in piece.body
        if isinstance(node, ast.ClassDef)
        for item in node.body
    )


def _exported(body: Sequence[ast.stmt]) -> tuple[str, ...] | None:
    for node in body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            elements: Sequence[ast.expr] = getattr(node.value, "elts", ())
            return tuple(str(item.value) for item in elements if isinstance(item, ast.Constant))
    return None


def _imports(body: Sequence[ast.stmt]) -> Iterator[tuple[str, str]]:
    """What a module imports by name, under conditions as well."""
    for node in body:
        if isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((module, alias.name) for alias in node.names)
        elif isinstance(node, (ast.If, ast.Try)):
            yield from _imports([*node.body, *node.orelse])
