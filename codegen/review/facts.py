"""What can break about a module, read from its syntax: weights, signatures, names, operators."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from codegen.review.names import Naming
from codegen.review.numerics import operators
from codegen.review.syntax import below, dotted, parse_module
from codegen.review.weights import Method, Values, Weight, read_registered, read_weight
from codegen.text.lines import split_lines


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a function; ``default`` is its source, None where it has none."""

    name: str
    kind: str
    default: str | None


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

    @property
    def is_config(self) -> bool:
        """Whether it is a configuration."""
        return self.name.endswith("Config")


_PLAIN = frozenset({"parameter", "buffer", "module", "container"})
_EMPTY_BASES = frozenset({"nn.Module", "torch.nn.Module", "Module", "object"})


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    """A module: its classes, functions, public names; of each class the bases and the lines."""

    classes: Mapping[str, ClassFacts] = field(default_factory=dict)
    functions: Mapping[str, tuple[Parameter, ...]] = field(default_factory=dict)
    function_decorators: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    function_operators: Mapping[str, Counter[str]] = field(default_factory=dict)
    exported: tuple[str, ...] | None = None
    imports: frozenset[tuple[str, str]] = frozenset()
    text: str = ""
    bases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    segments: Mapping[str, str] = field(default_factory=dict)
    read_by: tuple[Naming, frozenset[str]] | None = None

    @property
    def foreign(self) -> frozenset[str]:
        """Attributes that are read of anything but ``self``, and strings that may name one."""
        return _foreign(self.text)

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
    """The facts of a module; None where it does not parse.

    Operators are counted only in what does not stand like that in the ``other`` state. Classes are
    looked into when they are asked for; those that are the same in ``like``, once for both.
    """
    tree = parse_module(text)
    if tree is None:
        return None
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    functions = [node for node in tree.body if isinstance(node, Method)]
    modules = frozenset(node.name for node in classes if _is_module(node))
    segments = {node.name: _segment(node, text) for node in classes}

    def read(node: ast.ClassDef) -> ClassFacts:
        known = like if like is not None and like.read_by == (naming, modules) else None
        if known is not None and known.segments.get(node.name) == segments[node.name]:
            return replace(known.classes[node.name], line=node.lineno)
        return _class(node, naming, modules, (text, other))

    return ModuleFacts(
        _Classes(classes, read),
        {node.name: parameters(node, naming) for node in functions},
        {node.name: _decorators(node, naming) for node in functions},
        {node.name: _operators(node, text, other) for node in functions},
        _exported(tree),
        frozenset(_imports(tree.body)),
        text,
        {node.name: tuple(dotted(base) for base in node.bases) for node in classes},
        segments,
        (naming, modules),
    )


class _Classes(Mapping[str, ClassFacts]):
    """The classes of a module by name, each read once it is wanted."""

    def __init__(
        self, nodes: Sequence[ast.ClassDef], read: Callable[[ast.ClassDef], ClassFacts]
    ) -> None:
        self._nodes = {node.name: node for node in nodes}
        self._read, self._known = read, dict[str, ClassFacts]()

    def __getitem__(self, name: str) -> ClassFacts:
        if name not in self._known:
            self._known[name] = self._read(self._nodes[name])
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)


def _segment(node: ast.ClassDef, text: str) -> str:
    first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
    return "".join(_lines_of(text)[first - 1 : node.end_lineno])


def _is_module(node: ast.ClassDef) -> bool:
    names = {item.name for item in node.body if isinstance(item, Method)}
    bases = {dotted(base) for base in node.bases}
    return "forward" in names or any(b.endswith((".Module", "PreTrainedModel")) for b in bases)


def _operators(node: Method, text: str, other: str) -> Counter[str]:
    """Operators of a function; none where the other state has the same lines, and no more of them."""
    lines = _lines_of(text)[node.lineno - 1 : (node.end_lineno or node.lineno) + 1]
    return Counter() if "".join(lines) in other else operators(node)


@lru_cache(maxsize=4)
def _lines_of(text: str) -> list[str]:
    return split_lines(text)


def _class(
    node: ast.ClassDef, naming: Naming, modules: frozenset[str], texts: tuple[str, str]
) -> ClassFacts:
    methods = {item.name: item for item in node.body if isinstance(item, Method)}
    weights: dict[str, Weight] = {}
    defined = set(methods)
    read: set[str] = set()
    values = Values(node)
    for method in methods.values():
        values.enter(method)
        _walk_method(method, (naming, modules, values), weights, defined, read)
    fields = dict(_fields(node, naming))
    bases = tuple(dotted(base) for base in node.bases)
    return ClassFacts(
        node.name,
        naming.name(node.name),
        node.lineno,
        tuple(naming.text(base) for base in bases),
        bases,
        _decorators(node, naming),
        {name: parameters(method, naming) for name, method in methods.items()},
        {name: _decorators(method, naming) for name, method in methods.items()},
        weights,
        frozenset(defined | set(fields)),
        frozenset(read),
        fields,
        {name: _operators(method, *texts) for name, method in methods.items()},
    )


def _walk_method(
    method: Method,
    known: tuple[Naming, frozenset[str], Values],
    weights: dict[str, Weight],
    defined: set[str],
    read: set[str],
) -> None:
    for item in below(method):
        if isinstance(item, ast.Attribute) and _is_self(item.value):
            if isinstance(item.ctx, ast.Load):
                read.add(item.attr)
            elif isinstance(item.ctx, ast.Store):
                defined.add(item.attr)
            else:
                weights.pop(item.attr, None)
                defined.discard(item.attr)
        elif isinstance(item, (ast.Assign, ast.AnnAssign)) and item.value is not None:
            targets = item.targets if isinstance(item, ast.Assign) else [item.target]
            for target in targets:
                if isinstance(target, ast.Attribute) and _is_self(target.value):
                    weight = read_weight(item.value, *known)
                    if weight:
                        weights[target.attr] = weight
        elif isinstance(item, ast.Call):
            registered = read_registered(item, known[0], known[2])
            if registered:
                name, weights[name] = registered
            defined |= set(_given_name(item))


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


def _exported(tree: ast.Module) -> tuple[str, ...] | None:
    for node in tree.body:
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


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text))


@lru_cache(maxsize=4)
def _foreign(text: str) -> frozenset[str]:
    return frozenset(match["attribute"] or match["name"] for match in _FOREIGN.finditer(text))
