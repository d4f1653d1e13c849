"""Which names a piece of Python reads and binds in its own scope.

Used where code is moved between scopes: a class body executes in one scope, a method's body in
another, and what stands inside nested functions is evaluated later.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

#: Functions whose result depends on the scope in which they are called.
_SCOPE_CALLS = frozenset({"locals", "vars", "dir", "exec", "eval"})
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass
class Names:
    """Names of one scope: read when it executes, bound in it, and used by what is nested in it.

    ``dynamic``: the code looks at its scope as a whole, or binds names of an outer one.
    """

    read: set[str] = field(default_factory=set)
    bound: set[str] = field(default_factory=set)
    captured: set[str] = field(default_factory=set)
    dynamic: bool = False

    @property
    def mentioned(self) -> set[str]:
        """Every name that the code uses in any way."""
        return self.read | self.bound | self.captured


def names_in(nodes: Iterable[ast.AST], annotations: bool = True) -> Names:
    """The names of statements or expressions that execute in one scope.

    ``annotations``: whether annotations are evaluated where they stand.
    """
    finder = _Finder(annotations)
    for node in nodes:
        finder.visit(node)
    return finder.names


def function_names(node: AnyFunction) -> Names:
    """The names of a function's own scope, its parameters included."""
    body = [node.body] if isinstance(node, ast.Lambda) else node.body
    names = names_in(body)
    names.bound |= set(parameter_names(node.args))
    return names


def parameter_names(arguments: ast.arguments) -> list[str]:
    """All parameters in order."""
    listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    stars = [item for item in (arguments.vararg, arguments.kwarg) if item]
    return [item.arg for item in (*listed, *stars)]


class _Finder(ast.NodeVisitor):
    def __init__(self, annotations: bool) -> None:
        self.names = Names()
        self.annotations = annotations

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.names.read.add(node.id)
        else:
            self.names.bound.add(node.id)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.names.read.add(node.target.id)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)
            self.visit(node.target)
        elif not isinstance(node.target, ast.Name):
            self.visit(node.target)
        if self.annotations:
            self.visit(node.annotation)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in _SCOPE_CALLS:
            # `vars(x)` and `dir(x)` look at x.
            self.names.dynamic |= node.func.id in ("exec", "eval") or not node.args
        self.generic_visit(node)

    def visit_Global(self, node: ast.Global) -> None:
        self.names.dynamic = True

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self.names.dynamic = True

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._evaluated_with(node.args)
        self._nested(function_names(node))

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.names.bound.add(node.name)
        for decorator in node.decorator_list:
            self.visit(decorator)
        self._evaluated_with(node.args)
        if node.returns and self.annotations:
            self.visit(node.returns)
        self._nested(function_names(node))

    def _evaluated_with(self, arguments: ast.arguments) -> None:
        """Defaults and annotations belong to the scope around a function."""
        for default in (*arguments.defaults, *arguments.kw_defaults):
            if default is not None:
                self.visit(default)
        if self.annotations:
            for argument in _all_arguments(arguments):
                if argument.annotation:
                    self.visit(argument.annotation)

    def _nested(self, inner: Names) -> None:
        self.names.captured |= (inner.read | inner.captured) - inner.bound
        self.names.dynamic |= inner.dynamic

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.names.bound.add(node.name)
        for item in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(item)
        inner = names_in(node.body)
        self.names.captured |= inner.read | inner.captured
        self.names.dynamic |= inner.dynamic

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._comprehension(node.generators, [node.elt])

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._comprehension(node.generators, [node.elt])

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._comprehension(node.generators, [node.elt])

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._comprehension(node.generators, [node.key, node.value])

    def _comprehension(
        self, generators: Sequence[ast.comprehension], results: Sequence[ast.expr]
    ) -> None:
        self.visit(generators[0].iter)
        parts: list[ast.AST] = [item.target for item in generators]
        parts += [item.iter for item in generators[1:]]
        parts += [test for item in generators for test in item.ifs]
        inner = names_in([*parts, *results])
        # An assignment expression binds in the scope around the comprehension.
        walked = (item for part in (*parts, *results) for item in ast.walk(part))
        outer = {item.target.id for item in walked if isinstance(item, ast.NamedExpr)}
        self.names.bound |= outer
        self.names.captured |= (inner.read | inner.captured) - (inner.bound - outer)
        self.names.dynamic |= inner.dynamic

    def visit_Import(self, node: ast.Import) -> None:
        self._import(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self._import(node)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.names.bound |= {item.asname or item.name.partition(".")[0] for item in node.names}

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self.names.bound.add(node.name)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        if node.name:
            self.names.bound.add(node.name)
        self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name:
            self.names.bound.add(node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest:
            self.names.bound.add(node.rest)
        self.generic_visit(node)


def lists_variables(node: AnyFunction) -> bool:
    """Whether a function looks at its own variables as a whole: ``locals()``, ``eval(...)``."""
    body = node.body if isinstance(node.body, list) else [node.body]
    for item in own_nodes(body):
        if isinstance(item, ast.Call) and isinstance(item.func, ast.Name):
            name = item.func.id
            if name in _SCOPE_CALLS and (name in ("exec", "eval") or not item.args):
                return True
    return False


def _all_arguments(arguments: ast.arguments) -> list[ast.arg]:
    listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [*listed, *(item for item in (arguments.vararg, arguments.kwarg) if item)]


def is_generator(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function holds a ``yield`` of its own."""
    return any(isinstance(item, (ast.Yield, ast.YieldFrom)) for item in own_nodes(node.body))


def own_nodes(body: Sequence[ast.AST]) -> Iterable[ast.AST]:
    """All nodes of a body without those of nested functions and classes."""
    queue = list(body)
    while queue:
        node = queue.pop()
        yield node
        if not isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            queue += ast.iter_child_nodes(node)
