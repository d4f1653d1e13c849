"""What can break about a module, read from its syntax: weights, signatures, names, operators."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from codegen.review.names import Naming
from codegen.review.numerics import operators
from codegen.review.syntax import parse_module
from codegen.text.lines import split_lines

Method = ast.FunctionDef | ast.AsyncFunctionDef
#: Modules of torch without parameters or buffers: their arguments are no sizes.
_STATELESS = frozenset(
    [
        "Dropout",
        "Dropout2d",
        "Identity",
        "ReLU",
        "GELU",
        "SiLU",
        "Tanh",
        "Sigmoid",
        "Softmax",
        "LeakyReLU",
        "Flatten",
        "Unfold",
        "MaxPool1d",
        "MaxPool2d",
        "AvgPool1d",
        "AvgPool2d",
        "Upsample",
        "CrossEntropyLoss",
        "MSELoss",
        "ModuleList",
        "ModuleDict",
        "Sequential",
    ]
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a function; ``default`` is its source, None where it has none."""

    name: str
    kind: str
    default: str | None


@dataclass(frozen=True, slots=True)
class Weight:
    """A parameter, buffer or submodule: how it is made, and where (1-based line).

    ``sized``: the arguments of its constructor decide about sizes.
    """

    made: str
    constructor: str
    line: int
    sized: bool


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
    lines: Mapping[str, int]
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


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    """A module: its classes, functions, public names; ``foreign`` are attributes that are read of
    anything but ``self``, and strings that may name one."""

    classes: Mapping[str, ClassFacts] = field(default_factory=dict)
    functions: Mapping[str, tuple[Parameter, ...]] = field(default_factory=dict)
    function_lines: Mapping[str, int] = field(default_factory=dict)
    function_decorators: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    function_operators: Mapping[str, Counter[str]] = field(default_factory=dict)
    exported: tuple[str, ...] | None = None
    imports: frozenset[tuple[str, str]] = frozenset()
    foreign: frozenset[str] = frozenset()

    def ancestors(self, name: str) -> Iterator[ClassFacts]:
        """A class and those it inherits from within the module."""
        queue, seen = [name], set()
        while queue:
            current = queue.pop(0)
            if current in self.classes and current not in seen:
                seen.add(current)
                yield self.classes[current]
                queue += self.classes[current].plain_bases

    def heirs(self, name: str) -> Iterator[ClassFacts]:
        """Classes of the module that inherit from a class."""
        for item in self.classes.values():
            if item.name != name and any(each.name == name for each in self.ancestors(item.name)):
                yield item


def read_facts(text: str, naming: Naming, other: str = "") -> ModuleFacts | None:
    """The facts of a module; None where it does not parse.

    Operators are counted only in what does not stand like that in the ``other`` state.
    """
    tree = parse_module(text)
    if tree is None:
        return None
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    functions = [node for node in tree.body if isinstance(node, Method)]
    modules = {node.name for node in classes if _is_module(node)}
    return ModuleFacts(
        {node.name: _class(node, naming, modules, (text, other)) for node in classes},
        {node.name: parameters(node, naming) for node in functions},
        {node.name: node.lineno for node in functions},
        {node.name: _decorators(node, naming) for node in functions},
        {node.name: _operators(node, text, other) for node in functions},
        _exported(tree),
        frozenset(_imports(tree.body)),
        frozenset(_foreign(text)),
    )


def _is_module(node: ast.ClassDef) -> bool:
    names = {item.name for item in node.body if isinstance(item, Method)}
    bases = {ast.unparse(base) for base in node.bases}
    return "forward" in names or any(b.endswith((".Module", "PreTrainedModel")) for b in bases)


def _operators(node: Method, text: str, other: str) -> Counter[str]:
    """Operators of a function; none where the other state has the same lines."""
    lines = _lines_of(text)[node.lineno - 1 : node.end_lineno]
    return Counter() if "".join(lines) in other else operators(node)


@lru_cache(maxsize=4)
def _lines_of(text: str) -> list[str]:
    return split_lines(text)


def _class(
    node: ast.ClassDef, naming: Naming, modules: set[str], texts: tuple[str, str]
) -> ClassFacts:
    methods = {item.name: item for item in node.body if isinstance(item, Method)}
    weights: dict[str, Weight] = {}
    defined = set(methods)
    read: set[str] = set()
    for method in methods.values():
        _walk_method(method, naming, modules, weights, defined, read)
    fields = dict(_fields(node, naming))
    bases = tuple(ast.unparse(base) for base in node.bases)
    return ClassFacts(
        node.name,
        naming.name(node.name),
        node.lineno,
        tuple(naming.text(base) for base in bases),
        bases,
        _decorators(node, naming),
        {name: parameters(method, naming) for name, method in methods.items()},
        {name: method.lineno for name, method in methods.items()},
        {name: _decorators(method, naming) for name, method in methods.items()},
        weights,
        frozenset(defined | set(fields)),
        frozenset(read),
        fields,
        {name: _operators(method, *texts) for name, method in methods.items()},
    )


def _walk_method(
    method: Method,
    naming: Naming,
    modules: set[str],
    weights: dict[str, Weight],
    defined: set[str],
    read: set[str],
) -> None:
    for item in _in_order(method):
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
                    weight = _weight(item.value, naming, modules)
                    if weight:
                        weights[target.attr] = weight
        elif isinstance(item, ast.Call):
            named = _registered(item)
            if named:
                made = naming.text(ast.unparse(item.args[1])) if len(item.args) > 1 else ""
                weights[named] = Weight(made, "buffer", item.lineno, False)
                defined.add(named)


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below one, in the order of the source (statements before what is in them)."""
    for child in ast.iter_child_nodes(node):
        yield child
        yield from _in_order(child)


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _registered(call: ast.Call) -> str:
    """The name of a buffer or parameter that a call registers."""
    func = call.func
    if not (isinstance(func, ast.Attribute) and _is_self(func.value) and call.args):
        return ""
    first = call.args[0]
    if func.attr in ("register_buffer", "register_parameter", "add_module"):
        return str(first.value) if isinstance(first, ast.Constant) else ""
    return ""


def _weight(value: ast.expr, naming: Naming, modules: set[str]) -> Weight | None:
    if isinstance(value, ast.IfExp):
        return _weight(value.body, naming, modules) or _weight(value.orelse, naming, modules)
    if not isinstance(value, ast.Call):
        return None
    name = ast.unparse(value.func)
    last = name.rsplit(".", 1)[-1]
    of_torch = name.startswith(("nn.", "torch.nn.")) and last[:1].isupper()
    built = last in ("_from_config", "from_config") or name in modules
    if not (of_torch or built):
        return None
    sized = of_torch and last not in _STATELESS
    text = naming.text(ast.unparse(value))
    return Weight(text, naming.text(name), value.lineno, sized)


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


def _foreign(text: str) -> Iterator[str]:
    for match in _FOREIGN.finditer(text):
        yield match["attribute"] or match["name"]
