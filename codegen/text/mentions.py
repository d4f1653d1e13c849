"""Where a piece of module-level code names something of its module, and when it runs.

Scopes are followed as Python follows them: parameters, local variables, names bound in a class body
and attributes are no mentions. Types written as strings are.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from codegen.text.lexer import Region
from codegen.text.lines import LineMap

#: ``now``: when the module is imported; ``later``: when a function runs or a type is looked up.
When = Literal["now", "later", "binds"]

_Function = (ast.FunctionDef, ast.AsyncFunctionDef)
_Comprehension = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
#: Methods of containers that change them.
_CHANGING = frozenset(
    [
        "add",
        "append",
        "clear",
        "discard",
        "extend",
        "insert",
        "pop",
        "popitem",
        "remove",
        "setdefault",
        "update",
    ]
)
_KEYWORD = re.compile(r"\s*=(?!\s*[=}!:])")
_WORD = re.compile(r"(?<![\w.])[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Mention:
    """One name of the module in its text; ``start`` and ``end`` are offsets in that text."""

    name: str
    start: int
    end: int
    when: When


@dataclass(frozen=True, slots=True)
class Mentions:
    """What a statement mentions.

    ``called`` are names that are called while the module is imported, ``changed`` those whose
    value is changed then without being bound anew (``X[...] =``, ``X.a =``), ``changed_later`` those
    that a function changes when it runs. ``acts`` tells whether the statement has an effect beside
    binding names.
    """

    names: tuple[Mention, ...]
    called: frozenset[str]
    changed: frozenset[str]
    changed_later: frozenset[str]
    acts: bool

    def of(self, *kinds: When) -> frozenset[str]:
        """The names mentioned in one of these ways."""
        return frozenset(mention.name for mention in self.names if mention.when in kinds)


@dataclass
class _Scope:
    """A scope inside the module: names bound in it, and those it declares to be the module's."""

    kind: Literal["class", "function"]
    bound: set[str] = field(default_factory=set)
    declared: set[str] = field(default_factory=set)


def scan(
    nodes: Iterable[ast.stmt], lines: LineMap, code: str, lazy_annotations: bool = False
) -> Mentions:
    """The mentions in module-level statements; ``code`` is the text without strings and comments."""
    scanner = _Scanner(lines, code, lazy_annotations)
    for node in nodes:
        scanner.visit(node)
    names = tuple(sorted(scanner.names, key=lambda mention: mention.start))
    return Mentions(
        names,
        frozenset(scanner.called),
        frozenset(scanner.changed),
        frozenset(scanner.changed_later),
        bool(scanner.acting),
    )


class _Scanner(ast.NodeVisitor):
    """One walk over statements. Mutable on purpose: it lives only inside :func:`scan`."""

    def __init__(self, lines: LineMap, code: str, lazy_annotations: bool) -> None:
        self.lines, self.code, self.lazy = lines, code, lazy_annotations
        self.names: set[Mention] = set()
        self.called: set[str] = set()
        self.changed: set[str] = set()
        self.changed_later: set[str] = set()
        self.acting = 0
        self.scopes: list[_Scope] = []
        self.deferred = 0
        self.fstring: Region | None = None

    # -- names -------------------------------------------------------------------------------

    def _is_global(self, name: str) -> bool:
        for depth, scope in enumerate(reversed(self.scopes)):
            if scope.kind == "class" and depth:
                continue
            if name in scope.declared:
                return True
            if name in scope.bound:
                return False
        return True

    def _mention(self, name: str, start: int, end: int, binds: bool = False) -> None:
        when: When = "binds" if binds and not self.deferred else "now"
        if self.deferred:
            when = "later"
        self.names.add(Mention(name, start, end, when))

    def visit_Name(self, node: ast.Name) -> None:
        binds = not isinstance(node.ctx, ast.Load)
        if binds and self._in_class_body() and node.id not in self.scopes[-1].declared:
            self.scopes[-1].bound.add(node.id)
            return
        if not self._is_global(node.id):
            return
        if self.fstring is not None:
            # Older versions of Python do not say where the names of an f-string stand.
            for start, end in self._tokens(node.id, *self.fstring):
                self._mention(node.id, start, end)
            return
        start, end = self.lines.span(node)
        self._mention(node.id, start, end, binds)

    def _in_class_body(self) -> bool:
        return bool(self.scopes) and self.scopes[-1].kind == "class"

    def _tokens(self, name: str, start: int, end: int) -> Iterator[Region]:
        for match in re.compile(rf"(?<![\w.]){re.escape(name)}\b").finditer(self.code, start, end):
            # f(name=1) is a keyword; {name=} and name == 1 are not.
            if not _KEYWORD.match(self.lines.text, match.end(), end):
                yield match.span()

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        if self.fstring is not None:
            self.generic_visit(node)
            return
        self.fstring = self.lines.span(node)
        self.generic_visit(node)
        self.fstring = None

    def visit_Global(self, node: ast.Global) -> None:
        start, end = self.lines.span(node)
        for name in node.names:
            for place in self._tokens(name, start, end):
                self._mention(name, *place)

    # -- scopes ------------------------------------------------------------------------------

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._decorators(node.decorator_list)
        self._defaults(node.args)
        with_types = _Scope("function", _type_parameters(node))
        self.scopes.append(with_types)
        for argument in _arguments(node.args):
            self._annotation(argument.annotation)
        self._annotation(node.returns)
        self.scopes.pop()
        self._bind_definition(node)
        self.scopes.append(with_types)
        self._function(node.args, node.body)
        self.scopes.pop()

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._defaults(node.args)
        self._function(node.args, [node.body])

    def _function(self, arguments: ast.arguments, body: Sequence[ast.AST]) -> None:
        scope = _Scope("function", {argument.arg for argument in _arguments(arguments)})
        _collect_bound(body, scope)
        self.scopes.append(scope)
        self.deferred += 1
        for node in body:
            self.visit(node)
        self.deferred -= 1
        self.scopes.pop()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._decorators(node.decorator_list)
        types = _type_parameters(node)
        if types:  # only then is there a scope between the bases and a class around
            self.scopes.append(_Scope("function", types))
        for base in (*node.bases, *(keyword.value for keyword in node.keywords)):
            self._call(base)  # it may look at its subclasses
            self.visit(base)
        scope = _Scope("class")
        scope.declared = {
            name for item in node.body if isinstance(item, ast.Global) for name in item.names
        }
        self.scopes.append(scope)
        acting = self.acting
        for item in node.body:
            self.visit(item)
        self.acting = acting  # what a class body does is its own affair
        self.scopes.pop()
        if types:
            self.scopes.pop()
        self._bind_definition(node)

    def _bind_definition(self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if self._in_class_body():
            self.scopes[-1].bound.add(node.name)
        elif not self.scopes or self._is_global(node.name):
            keyword = "class" if isinstance(node, ast.ClassDef) else "def"
            start = self.lines.offset(node.lineno, node.col_offset)
            start = self.code.index(node.name, self.code.index(keyword, start) + len(keyword))
            self._mention(node.name, start, start + len(node.name), binds=True)

    def visit_ListComp(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
    ) -> None:
        self.visit(node.generators[0].iter)
        scope = _Scope("function")
        for generator in node.generators:
            scope.bound |= {
                item.id for item in ast.walk(generator.target) if isinstance(item, ast.Name)
            }
        self.scopes.append(scope)
        for index, generator in enumerate(node.generators):
            self.visit(generator.target)
            if index:
                self.visit(generator.iter)
            for condition in generator.ifs:
                self.visit(condition)
        parts = (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)
        for part in parts:
            self.visit(part)
        self.scopes.pop()

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp

    def _decorators(self, decorators: Sequence[ast.expr]) -> None:
        for decorator in decorators:
            self._call(decorator.func if isinstance(decorator, ast.Call) else decorator)
            self.visit(decorator)

    def _defaults(self, arguments: ast.arguments) -> None:
        for default in (*arguments.defaults, *filter(None, arguments.kw_defaults)):
            self.visit(default)

    # -- statements in the order in which they run --------------------------------------------

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self._target(target)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.visit(ast.copy_location(ast.Name(node.target.id, ast.Load()), node.target))
        self.visit(node.value)
        self._target(node.target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        local = bool(self.scopes) and self.scopes[-1].kind == "function"
        self.deferred += local
        self._annotation(node.annotation)
        self.deferred -= local
        if node.value is not None:
            self.visit(node.value)
        if node.value is not None or not isinstance(node.target, ast.Name):
            self._target(node.target)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self.visit(node.target)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        self._target(node.target)
        for item in (*node.body, *node.orelse):
            self.visit(item)

    visit_AsyncFor = visit_For

    def visit_withitem(self, node: ast.withitem) -> None:
        self.visit(node.context_expr)
        if node.optional_vars is not None:
            self._target(node.optional_vars)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            name = alias.asname or alias.name.split(".")[0]
            if self._in_class_body():
                self.scopes[-1].bound.add(name)
            elif not self.scopes:
                start, end = self.lines.span(node)
                place = next(self._tokens(name, start, end), (start, start))
                self._mention(name, *place, binds=True)

    visit_ImportFrom = visit_Import

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name and self._in_class_body():
            self.scopes[-1].bound.add(node.name)
        elif node.name and not self.scopes:
            # Bound for the block only; readers in it see this name, not one of the module.
            self.scopes.append(_Scope("function", {node.name}))
            self.generic_visit(node)
            self.scopes.pop()
            return
        self.generic_visit(node)

    def visit_Delete(self, node: ast.Delete) -> None:
        self._act()
        for target in node.targets:
            if isinstance(target, ast.Name) and not self.scopes and not self.deferred:
                start, end = self.lines.span(target)
                self._mention(target.id, start, end, binds=True)
            else:
                self._target(target)

    def _target(self, node: ast.expr) -> None:
        """A target: what it stores into is read, and changed if it is something of the module."""
        if isinstance(node, (ast.Attribute, ast.Subscript)):
            self._act()
            owner: ast.expr = node
            while isinstance(owner, (ast.Attribute, ast.Subscript)):
                owner = owner.value
            if isinstance(owner, ast.Name) and self._is_global(owner.id):
                (self.changed_later if self.deferred else self.changed).add(owner.id)
            self.visit(node)
        elif isinstance(node, (ast.Tuple, ast.List)):
            for item in node.elts:
                self._target(item)
        elif isinstance(node, ast.Starred):
            self._target(node.value)
        else:
            self.visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):
            return
        self._act()
        for name in _receivers(node.value):
            if not self.deferred and self._is_global(name):
                self.changed.add(name)
        name = _changed_by_method(node.value)
        if self.deferred and self._is_global(name):
            self.changed_later.add(name)
        self.visit(node.value)

    def visit_Assert(self, node: ast.Assert) -> None:
        self._act()
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._act()
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        self._call(node.func)
        self.generic_visit(node)

    def _call(self, function: ast.expr) -> None:
        while isinstance(function, ast.Attribute):
            function = function.value
        if isinstance(function, ast.Name) and not self.deferred and self._is_global(function.id):
            self.called.add(function.id)

    def _act(self) -> None:
        if not self.deferred:
            self.acting += 1

    # -- types -------------------------------------------------------------------------------

    def _annotation(self, node: ast.expr | None) -> None:
        if node is None:
            return
        self.deferred += self.lazy
        self._type(node)
        self.deferred -= self.lazy

    def _type(self, node: ast.expr) -> None:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            self._quoted(node)
        elif isinstance(node, ast.Subscript):
            self.visit(node.value)
            if not ast.unparse(node.value).endswith("Literal"):
                self._type(node.slice)
            else:
                self.visit(node.slice)
        elif isinstance(node, (ast.Tuple, ast.List)):
            for item in node.elts:
                self._type(item)
        elif isinstance(node, ast.BinOp):
            self._type(node.left)
            self._type(node.right)
        else:
            self.visit(node)

    def _quoted(self, node: ast.Constant) -> None:
        """Names inside a type that is written as a string."""
        try:
            tree = ast.parse(str(node.value).strip(), mode="eval")
        except (SyntaxError, ValueError):
            return
        roots = {item.id for item in ast.walk(tree) if isinstance(item, ast.Name)}
        start, end = self.lines.span(node)
        self.deferred += 1
        for match in _WORD.finditer(self.lines.text, start, end):
            if match[0] in roots and self._is_global(match[0]):
                self._mention(match[0], *match.span())
        self.deferred -= 1


def _arguments(arguments: ast.arguments) -> list[ast.arg]:
    optional = [item for item in (arguments.vararg, arguments.kwarg) if item]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *optional]


def _type_parameters(node: ast.AST) -> set[str]:
    return {item.name for item in getattr(node, "type_params", ())}


def _receivers(node: ast.expr) -> Iterator[str]:
    """Names that a call can change: what a method is called on, and the arguments."""
    if isinstance(node, ast.Await):
        node = node.value
    if not isinstance(node, ast.Call):
        return
    owner = node.func
    if isinstance(owner, ast.Attribute):
        while isinstance(owner, (ast.Attribute, ast.Subscript)):
            owner = owner.value
        if isinstance(owner, ast.Name):
            yield owner.id
    for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
        yield from (item.id for item in ast.walk(argument) if isinstance(item, ast.Name))


def _changed_by_method(node: ast.expr) -> str:
    """The name of a container that a call of one of its methods changes, or nothing."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return ""
    owner = node.func.value
    return owner.id if isinstance(owner, ast.Name) and node.func.attr in _CHANGING else ""


def _collect_bound(body: Sequence[ast.AST], scope: _Scope) -> None:
    """Names that the body of a function binds, not counting the scopes inside it."""
    queue: list[ast.AST] = list(body)
    bound, declared = scope.bound, scope.declared
    free: set[str] = set()
    while queue:
        node = queue.pop()
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                bound.add(node.id)
            continue
        if isinstance(node, (*_Function, ast.ClassDef)):
            bound.add(node.name)
            queue += node.decorator_list
            queue += _walrus_places(node)
            continue
        if isinstance(node, ast.Lambda):
            queue += (*node.args.defaults, *filter(None, node.args.kw_defaults))
            continue
        if isinstance(node, _Comprehension):
            bound.update(
                item.target.id for item in ast.walk(node) if isinstance(item, ast.NamedExpr)
            )
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            bound.update(alias.asname or alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.Global):
            declared.update(node.names)
        elif isinstance(node, ast.Nonlocal):
            free.update(node.names)
        name = _bound_by_text(node)
        if name:
            bound.add(name)
        queue += ast.iter_child_nodes(node)
    bound -= declared
    bound -= free


def _walrus_places(node: ast.AST) -> list[ast.AST]:
    """The parts of a nested definition that belong to the scope around it."""
    if isinstance(node, ast.ClassDef):
        return [*node.bases, *(keyword.value for keyword in node.keywords)]
    arguments = getattr(node, "args", None)
    if not isinstance(arguments, ast.arguments):
        return []
    return [*arguments.defaults, *filter(None, arguments.kw_defaults)]


def _bound_by_text(node: ast.AST) -> str | None:
    """The name that a handler or a pattern binds; it is no node of its own."""
    if isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)):
        return node.name
    if isinstance(node, ast.MatchMapping):
        return node.rest
    return None
