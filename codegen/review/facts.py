"""What can break about a module, read from its syntax: weights, signatures, names, operators."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TypeVar

from codegen.review.names import Naming
from codegen.review.numerics import operators
from codegen.review.pieces import Piece, bases_of, split_pieces
from codegen.review.syntax import below, dotted
from codegen.review.weights import Method, Values, Weight, read_registered, read_weight
from codegen.text.lines import split_lines
from codegen.text.statements import first_line


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a function; ``default`` is its source, None where it has none."""

    name: str
    kind: str
    default: str | None


#: What a method does with an attribute of its instance: read, define, erase, or weight.
_Event = tuple[str, str, "Weight | None"]


@dataclass(frozen=True, slots=True)
class MethodFacts:
    """A method by itself: its lines, and what it does with attributes, in order."""

    code: str
    signature: tuple[Parameter, ...]
    decorators: tuple[str, ...]
    operators: Counter[str]
    events: tuple[_Event, ...]


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """A class of a generated file. Texts are without model names."""

    name: str
    role: str
    line: int
    bases: tuple[str, ...]
    plain_bases: tuple[str, ...]
    decorators: tuple[str, ...]
    signatures: Mapping[str, tuple[Parameter, ...]]
    method_decorators: Mapping[str, tuple[str, ...]]
    weights: Mapping[str, Weight]
    defined: frozenset[str]
    read: frozenset[str]
    fields: Mapping[str, str]
    operators: Mapping[str, Counter[str]]
    methods: Mapping[str, MethodFacts]
    constants: str

    @property
    def is_config(self) -> bool:
        """Whether it is a configuration."""
        return self.name.endswith("Config")


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    """A function at the top of a module. Texts are without model names."""

    signature: tuple[Parameter, ...]
    decorators: tuple[str, ...]
    operators: Counter[str]


_PLAIN = frozenset({"parameter", "buffer", "module", "container"})
_EMPTY_BASES = frozenset({"nn.Module", "torch.nn.Module", "Module", "object"})


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    """A module: its classes, functions, public names; of each class the bases, of each of both the lines."""

    classes: Mapping[str, ClassFacts] = field(default_factory=dict)
    functions: Mapping[str, FunctionFacts] = field(default_factory=dict)
    exported: tuple[str, ...] | None = None
    imports: frozenset[tuple[str, str]] = frozenset()
    text: str = ""
    bases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    segments: Mapping[str, str] = field(default_factory=dict)
    function_segments: Mapping[str, str] = field(default_factory=dict)
    read_by: tuple[Naming, frozenset[str]] = (Naming(""), frozenset())

    @property
    def foreign(self) -> frozenset[str]:
        """Attributes that are read of anything but ``self``, and strings that may name one."""
        return _foreign_of(self.text)

    def ancestors(self, name: str) -> Iterator[ClassFacts]:
        """A class and those it inherits from within the module."""
        return (self.classes[each] for each in self._above(name))

    def _above(self, name: str) -> Iterator[str]:
        queue, seen = [name], set()
        while queue:
            current = queue.pop(0)
            if current in self.bases and current not in seen:
                seen.add(current)
                yield current
                queue += self.bases[current]

    def holds_weights(self, name: str) -> bool:
        """Whether anything in the state dict comes from a class: True where nobody can tell."""
        return self._holds(name, set())

    def holds_weights_of(self, weight: Weight) -> bool:
        """The same of what a class assigns."""
        return self.holds_weights(weight.kind) if weight.kind in self.classes else True

    def _holds(self, name: str, seen: set[str]) -> bool:
        if name not in self.classes:
            return True
        if name in seen:
            return False
        seen.add(name)
        item = self.classes[name]
        if any(w.kind in _PLAIN or self._holds(w.kind, seen) for w in item.weights.values()):
            return True
        return any(b not in _EMPTY_BASES and self._holds(b, seen) for b in item.plain_bases)

    def heirs(self, name: str) -> Iterator[ClassFacts]:
        """Classes of the module that inherit from a class."""
        for other in self.bases:
            if other != name and name in self._above(other):
                yield self.classes[other]

    def concerned(self, other: ModuleFacts) -> list[str]:
        """Classes that are not the same in another state, with those of their families, and those that
        name an attribute which code elsewhere in either state alone reads."""
        changed = {n for n, lines in self.segments.items() if other.segments.get(n) != lines}
        apart = self.foreign ^ other.foreign
        if apart:
            named = (n for n, lines in self.segments.items() if not apart.isdisjoint(_words(lines)))
            changed |= set(named)
        gone = other.segments.keys() - self.segments.keys()
        changed |= {name for name, bases in self.bases.items() if not gone.isdisjoint(bases)}
        near = {each for name in changed for each in self._above(name)}
        return [n for n in self.bases if n in near or not changed.isdisjoint(self._above(n))]


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
    others = {piece.code for piece in split_pieces(other) or () if piece.kind}
    if any(piece.code not in others and not piece.body for piece in pieces if piece.kind):
        return None
    classes = {piece.name: piece for piece in pieces if piece.kind == "class"}
    functions = {piece.name: piece for piece in pieces if piece.kind == "function"}
    between = [node for piece in pieces if not piece.kind for node in piece.body]
    modules = frozenset(name for name, piece in classes.items() if _is_module(piece))
    segments, function_segments = (
        {name: piece.code for name, piece in several.items()} for several in (classes, functions)
    )
    known_classes = like if like is not None and like.read_by == (naming, modules) else None
    known_functions = like if like is not None and like.read_by[:1] == (naming,) else None

    def read(name: str) -> ClassFacts:
        piece = classes[name]
        if known_classes is not None and known_classes.segments.get(name) == segments[name]:
            return replace(known_classes.classes[name], line=piece.line)
        node = piece.body[0]
        assert isinstance(node, ast.ClassDef)
        state = known_classes.classes.get(name) if known_classes is not None else None
        return _class(node, (naming, modules), _Texts(piece, text, other), state)

    def function(name: str) -> FunctionFacts:
        code = function_segments[name]
        if known_functions is not None and known_functions.function_segments.get(name) == code:
            return known_functions.functions[name]
        node = functions[name].body[0]
        assert isinstance(node, Method)
        counts = Counter[str]() if code in others else operators(node)
        return FunctionFacts(parameters(node, naming), _decorators(node, naming), counts)

    return ModuleFacts(
        _Lazy(classes, read),
        _Lazy(functions, function),
        _exported(between),
        frozenset(_imports(between)),
        text,
        {name: bases_of(piece) for name, piece in classes.items()},
        segments,
        function_segments,
        (naming, modules),
    )


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


@dataclass(frozen=True, slots=True)
class _Texts:
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


def _class(
    node: ast.ClassDef,
    read_by: tuple[Naming, frozenset[str]],
    texts: _Texts,
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
            methods[item.name] = _method(item, code, (*read_by, values), texts)
    weights, defined, read = _replayed(methods)
    fields = dict(_fields(node, naming))
    bases = tuple(dotted(base) for base in node.bases)
    return ClassFacts(
        node.name,
        naming.name(node.name),
        texts.piece.line,
        tuple(naming.text(base) for base in bases),
        bases,
        _decorators(node, naming),
        {name: method.signature for name, method in methods.items()},
        {name: method.decorators for name, method in methods.items()},
        weights,
        frozenset(defined | set(fields)),
        frozenset(read),
        fields,
        {name: method.operators for name, method in methods.items()},
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


def _method(
    method: Method, code: str, known: tuple[Naming, frozenset[str], Values], texts: _Texts
) -> MethodFacts:
    naming, _, values = known
    values.enter(method)
    return MethodFacts(
        code,
        parameters(method, naming),
        _decorators(method, naming),
        texts.operators(method),
        tuple(_events(method, known)),
    )


def _events(method: Method, known: tuple[Naming, frozenset[str], Values]) -> Iterator[_Event]:
    for item in below(method):
        if isinstance(item, ast.Attribute) and _is_self(item.value):
            kinds = {ast.Load: "read", ast.Store: "define"}
            yield kinds.get(type(item.ctx), "erase"), item.attr, None
        elif isinstance(item, (ast.Assign, ast.AnnAssign)) and item.value is not None:
            targets = item.targets if isinstance(item, ast.Assign) else [item.target]
            for target in targets:
                if isinstance(target, ast.Attribute) and _is_self(target.value):
                    weight = read_weight(item.value, *known)
                    if weight:
                        yield "weight", target.attr, weight
        elif isinstance(item, ast.Call):
            registered = read_registered(item, known[0], known[2])
            if registered:
                yield "weight", *registered
            yield from (("define", name, None) for name in _given_name(item))


def _given_name(call: ast.Call) -> Iterator[str]:
    """The attribute that a call registers, kept in the state dict or not."""
    func, first = call.func, call.args[0] if call.args else None
    registers = isinstance(func, ast.Attribute) and func.attr in _REGISTER
    if registers and isinstance(first, ast.Constant) and isinstance(first.value, str):
        yield first.value


_REGISTER = frozenset({"register_buffer", "register_parameter", "add_module"})


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _fields(node: ast.ClassDef, naming: Naming) -> Iterator[tuple[str, str]]:
    for item in node.body:
        targets = item.targets if isinstance(item, ast.Assign) else []
        if isinstance(item, ast.AnnAssign):
            targets = [item.target]
        value = getattr(item, "value", None)
        for target in targets:
            if isinstance(target, ast.Name):
                yield target.id, naming.text(ast.unparse(value)) if value is not None else ""


def parameters(node: Method, naming: Naming) -> tuple[Parameter, ...]:
    """The parameters of a function in order, without ``self`` and ``cls``."""
    found: list[Parameter] = []
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    missing = len(positional) - len(arguments.defaults)
    for index, item in enumerate(positional):
        default = arguments.defaults[index - missing] if index >= missing else None
        found.append(Parameter(item.arg, "positional", _text(default, naming)))
    if arguments.vararg:
        found.append(Parameter(arguments.vararg.arg, "*", None))
    for item, value in zip(arguments.kwonlyargs, arguments.kw_defaults):
        found.append(Parameter(item.arg, "keyword", _text(value, naming)))
    if arguments.kwarg:
        found.append(Parameter(arguments.kwarg.arg, "**", None))
    return tuple(item for item in found if item.name not in ("self", "cls"))


def _text(node: ast.expr | None, naming: Naming) -> str | None:
    return None if node is None else naming.text(ast.unparse(node))


def _decorators(node: ast.ClassDef | Method, naming: Naming) -> tuple[str, ...]:
    return tuple(naming.text(ast.unparse(item)) for item in node.decorator_list)


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


#: An attribute of anything but ``self``, or a string that may name one.
_FOREIGN = re.compile(
    r"(?<!\bself)\.(?P<attribute>[A-Za-z_]\w*)|(?P<quote>[\"'])(?P<name>[A-Za-z_]\w*)(?P=quote)"
)


_WORD = re.compile(r"\w+")


#: Pieces whose words are kept.
_KEPT = 16_384


@lru_cache(maxsize=_KEPT)
def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text))


@lru_cache(maxsize=4)
def _foreign_of(text: str) -> frozenset[str]:
    return frozenset[str]().union(*(_foreign(piece.text) for piece in split_pieces(text) or ()))


@lru_cache(maxsize=_KEPT)
def _foreign(text: str) -> frozenset[str]:
    return frozenset(match["attribute"] or match["name"] for match in _FOREIGN.finditer(text))
