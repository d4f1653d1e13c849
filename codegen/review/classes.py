"""What a class of a generated file promises: its weights, its attributes, its methods."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from codegen.review.methods import MethodFacts, Statement, read_method, statements_of
from codegen.review.names import Naming
from codegen.review.numerics import operators
from codegen.review.pieces import Piece
from codegen.review.signatures import decorators_of
from codegen.review.syntax import dotted
from codegen.review.weights import Method, Values, Weight
from codegen.text.lines import split_lines
from codegen.text.statements import first_line


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """A class of a generated file. Texts are without model names."""

    name: str
    role: str
    line: int
    bases: tuple[str, ...]
    plain_bases: tuple[str, ...]
    decorators: tuple[str, ...]
    weights: Mapping[str, Weight]
    defined: frozenset[str]
    read: frozenset[str]
    fields: Mapping[str, str]
    methods: Mapping[str, MethodFacts]
    constants: str

    @property
    def is_config(self) -> bool:
        """Whether it is a configuration."""
        return self.name.endswith("Config")


@dataclass(frozen=True, slots=True)
class Texts:
    """A class in its text, and the other state of both; ``counterpart`` is the class of its name there."""

    piece: Piece
    text: str
    other: str
    counterpart: Piece | None

    @property
    def lines(self) -> Sequence[str]:
        """The lines of the class."""
        return _lines_of(self.piece.text)

    def code(self, node: Method) -> str:
        """The lines of a method with its decorators."""
        return "".join(self.lines[first_line(node) - 1 : node.end_lineno])

    def operators(self, node: Method, statements: Sequence[Statement]) -> Counter[str]:
        """Operators of a method; none where the other state has the same lines, and no more of them.

        Statements that its other state has as well, so often, do not count: in neither of both.
        """
        first = self.piece.start + node.lineno - 1
        last = self.piece.start + (node.end_lineno or node.lineno) + 1
        if "".join(_lines_of(self.text)[first:last]) in self.other:
            return Counter()
        shared = Counter[str]()
        if self.counterpart is not None:
            shared = _statements(self.counterpart).get(node.name, shared)
            shared = shared & Counter(item.text for item in statements)
        return operators([item.node for item in statements if not _taken(shared, item.text)])


def _taken(shared: Counter[str], text: str) -> bool:
    shared[text] -= 1
    return shared[text] >= 0


@lru_cache(maxsize=64)
def _statements(piece: Piece) -> Mapping[str, Counter[str]]:
    """The statements of each method of a class, by their lines."""
    node = next(iter(piece.body), None)
    methods = {each.name: each for each in getattr(node, "body", ()) if isinstance(each, Method)}
    lines = _lines_of(piece.text)
    return {
        name: Counter(item.text for item in statements_of(each, lines))
        for name, each in methods.items()
    }


@lru_cache(maxsize=8)
def _lines_of(text: str) -> list[str]:
    return split_lines(text)


def read_class(
    node: ast.ClassDef,
    read_by: tuple[Naming, frozenset[str]],
    texts: Texts,
    like: ClassFacts | None,
) -> ClassFacts:
    """The facts of a class; methods that are the same in ``like`` are taken from there."""
    naming = read_by[0]
    values = Values(node)
    known = like.methods if like is not None and like.constants == values.constants else {}
    methods: dict[str, MethodFacts] = {}
    for item in {each.name: each for each in node.body if isinstance(each, Method)}.values():
        same, code = known.get(item.name), texts.code(item)
        if same is not None and same.code == code:
            methods[item.name] = same
        else:
            inside = statements_of(item, texts.lines)
            counts = texts.operators(item, inside)
            methods[item.name] = read_method(item, code, inside, counts, (*read_by, values))
    weights, defined, read = _replayed(methods)
    fields = dict(_fields(node, naming))
    bases = tuple(dotted(base) for base in node.bases)
    return ClassFacts(
        node.name,
        naming.name(node.name),
        texts.piece.line,
        tuple(naming.text(base) for base in bases),
        bases,
        decorators_of(node, naming),
        weights,
        frozenset(defined | set(fields)),
        frozenset(read),
        fields,
        methods,
        values.constants,
    )


def _replayed(
    methods: Mapping[str, MethodFacts],
) -> tuple[dict[str, Weight], set[str], set[str]]:
    """The weights that methods leave, one after the other, and the attributes that they define and read."""
    weights: dict[str, Weight] = {}
    defined, read = set(methods), set[str]()
    for method in methods.values():
        for kind, name, weight in method.events:
            if kind == "read":
                read.add(name)
            elif kind == "define":
                defined.add(name)
            elif weight is not None:
                weights[name] = weight
            else:
                weights.pop(name, None)
                defined.discard(name)
    return weights, defined, read


def _fields(node: ast.ClassDef, naming: Naming) -> Iterator[tuple[str, str]]:
    for item in node.body:
        targets = item.targets if isinstance(item, ast.Assign) else []
        if isinstance(item, ast.AnnAssign):
            targets = [item.target]
        value = getattr(item, "value", None)
        for target in targets:
            if isinstance(target, ast.Name):
                yield target.id, naming.text(ast.unparse(value)) if value is not None else ""
