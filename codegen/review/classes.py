"""What a class of a generated file promises: its weights, its attributes, its methods."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from codegen.review.methods import MethodFacts, read_method
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
    """A piece, the text that it stands in, and the other state of that."""

    piece: Piece
    text: str
    other: str

    def code(self, node: Method) -> str:
        """The lines of a method with its decorators."""
        first = first_line(node) - 1
        return "".join(_lines_of(self.piece.text)[first : node.end_lineno])

    def operators(self, node: Method) -> Counter[str]:
        """Operators of a method; none where the other state has the same lines, and no more of them."""
        first = self.piece.start + node.lineno - 1
        last = self.piece.start + (node.end_lineno or node.lineno) + 1
        lines = _lines_of(self.text)[first:last]
        return Counter() if "".join(lines) in self.other else operators(node)


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
            counts = texts.operators(item)
            methods[item.name] = read_method(item, code, counts, (*read_by, values))
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
