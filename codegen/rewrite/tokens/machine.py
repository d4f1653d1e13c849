"""Run a processor's code on opaque tokens and small counts; nothing of the tree is executed for real.

Strings, numbers, lists and control flow are Python's; everything else is a :class:`Term`. What cannot be
followed raises Unsupported, what the program itself would raise is a :class:`Raised`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from codegen.rewrite.nodes import children
from codegen.rewrite.tokens import operators
from codegen.rewrite.tokens.construction import construct
from codegen.rewrite.tokens.subject import Subject
from codegen.rewrite.tokens.terms import GONE, Term, Unsupported, World, freeze, store, term

STEPS = 6000
"""Statements and passes through loops that a run may take."""


class Raised(Exception):
    """An exception of the program: the name of its type and what it says."""

    def __init__(self, kind: str, message: str = "") -> None:
        super().__init__(kind, message)
        self.kind, self.message = kind, message


class _Return(Exception):
    def __init__(self, value: Any) -> None:
        self.value = value


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


@dataclass(eq=False)
class Scope:
    """Names of a function, or of a comprehension inside one."""

    names: dict[str, Any]
    outer: Scope | None = None
    yields: list[Any] | None = None

    def find(self, name: str) -> Scope | None:
        """The scope that binds a name."""
        scope: Scope | None = self
        while scope is not None and name not in scope.names:
            scope = scope.outer
        return scope


@dataclass(frozen=True, eq=False)
class Closure:
    """A function of the program, with the names around it and the object it belongs to."""

    node: ast.FunctionDef | ast.Lambda
    scope: Scope | None = None
    owner: Any = None


@dataclass(eq=False)
class Instance:
    """The processor itself."""

    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def stands_for(self) -> str:
        """How it is told from other values that are given away."""
        return "self"


@dataclass(frozen=True)
class Native:
    """A function that the machine knows, or a method of a value."""

    name: str
    owner: Any = None

    @property
    def stands_for(self) -> str:
        """How it is told from other values that are given away; a method cannot be."""
        return self.name if self.owner is None else ""


_STATEMENTS = {kind: f"_{kind.__name__}" for kind in ast.stmt.__subclasses__()}
"""Names of the methods that carry out a kind of statement."""


class Machine:
    """One run in one world."""

    def __init__(self, subject: Subject, world: World, whole: bool = False) -> None:
        """``whole``: with the library's own call (:mod:`codegen.rewrite.tokens.whole`)."""
        from codegen.rewrite.tokens.expressions import HANDLERS

        self.whole = whole
        self._handlers = HANDLERS
        self.subject = subject
        self.world = world
        self.instance = Instance()
        self.trace: list[Any] = []
        self.components: dict[str, str] = {}
        self.present: set[str] = set()
        self.asked = False
        self.offsets: Any = None
        self.replaced: set[str] = set()
        self.tokenized: list[Any] = []
        self.left = STEPS
        self.reached: set[int] = set()

    # -- functions --------------------------------------------------------------------------------

    def construct(self) -> None:
        """Have attributes as ``__init__`` makes them of its arguments."""
        if self.subject.method("__init__") is not None:
            construct(self)

    def run_init(self) -> None:
        """Run ``__init__``; :meth:`construct` does so where it has to."""
        found = self.subject.method("__init__")
        assert found is not None
        names = [arg.arg for arg in (*found.args.args[1:], *found.args.kwonlyargs)]
        given = {name: operators.named(name) for name in names}
        self.call(Closure(found, owner=self.instance), (), given)

    def call(self, closure: Closure, args: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
        """The result of a function of the program."""
        self.spend()
        names = self._bind(closure, list(args), dict(keywords))
        scope = Scope(names, closure.scope)
        if isinstance(closure.node, ast.Lambda):
            return self.value(closure.node.body, scope)
        if _gives_one_by_one(closure.node):
            scope.yields = []
        try:
            self.run(closure.node.body, scope)
        except _Return as found:
            if scope.yields is None:
                return found.value
        return iter(scope.yields) if scope.yields is not None else None

    def _bind(self, closure: Closure, args: list[Any], keywords: dict[str, Any]) -> dict[str, Any]:
        spec = closure.node.args
        if closure.owner is not None:
            args.insert(0, closure.owner)
        plain = [*spec.posonlyargs, *spec.args]
        names: dict[str, Any] = {arg.arg: value for arg, value in zip(plain, args)}
        if len(args) > len(plain):
            if spec.vararg is None:
                raise Unsupported("too many arguments")
            names[spec.vararg.arg] = tuple(args[len(plain) :])
        elif spec.vararg is not None:
            names[spec.vararg.arg] = ()
        defaults = [None] * (len(plain) - len(spec.defaults)) + list(spec.defaults)
        pairs = [*zip(plain, defaults), *zip(spec.kwonlyargs, spec.kw_defaults)]
        self._spread(keywords, [arg.arg for arg, _ in pairs if arg.arg not in names], spec)
        for arg, default in pairs:
            if arg.arg in keywords:
                names[arg.arg] = keywords.pop(arg.arg)
            elif arg.arg not in names:
                if default is None:
                    raise Unsupported(f"no argument for {arg.arg}")
                names[arg.arg] = self.value(default, closure.scope or Scope({}))
        if spec.kwarg is not None:
            names[spec.kwarg.arg] = keywords
        elif keywords:
            raise Unsupported(f"an argument {next(iter(keywords))}")
        return names

    def _spread(
        self, keywords: dict[str, Any], missing: Sequence[str], spec: ast.arguments
    ) -> None:
        """Give parameters what a mapping that is unpacked may hold for them."""
        for key in [key for key in keywords if key.startswith("**")]:
            source = keywords[key] if spec.kwarg is not None else keywords.pop(key)
            if not isinstance(source, Term):
                raise Unsupported("keywords that are not known")
            for name in missing:
                if name not in keywords and self.world.likely(term("has", source.digest, name)):
                    keywords[name] = self.world.entry(source, name)

    def spend(self) -> None:
        """Take a step.

        Raises:
            Unsupported: none is left.
        """
        self.left -= 1
        if self.left < 0:
            raise Unsupported("a run that takes too long")

    # -- statements -------------------------------------------------------------------------------

    def run(self, block: Sequence[ast.stmt], scope: Scope) -> None:
        """Carry out statements."""
        for node in block:
            self.spend()
            self.reached.add(id(node))
            method = getattr(self, _STATEMENTS[node.__class__], None)
            if method is None:
                raise Unsupported(f"{type(node).__name__} in line {node.lineno}")
            method(node, scope)

    def _Expr(self, node: ast.Expr, scope: Scope) -> None:
        if not isinstance(node.value, ast.Constant):
            self.value(node.value, scope)

    def _Pass(self, node: ast.Pass, scope: Scope) -> None:
        pass

    def _Import(self, node: ast.stmt, scope: Scope) -> None:
        pass

    _ImportFrom = _Import

    def _Return(self, node: ast.Return, scope: Scope) -> None:
        raise _Return(self.value(node.value, scope) if node.value is not None else None)

    def _Break(self, node: ast.Break, scope: Scope) -> None:
        raise _Break

    def _Continue(self, node: ast.Continue, scope: Scope) -> None:
        raise _Continue

    def _FunctionDef(self, node: ast.FunctionDef, scope: Scope) -> None:
        scope.names[node.name] = Closure(node, scope)

    def _Assign(self, node: ast.Assign, scope: Scope) -> None:
        value = self.value(node.value, scope)
        for target in node.targets:
            self.assign(target, value, scope)

    def _AnnAssign(self, node: ast.AnnAssign, scope: Scope) -> None:
        if node.value is not None:
            self.assign(node.target, self.value(node.value, scope), scope)

    def _AugAssign(self, node: ast.AugAssign, scope: Scope) -> None:
        old = self.value(_loaded(node.target), scope)
        new = self.value(node.value, scope)
        if isinstance(old, list) and isinstance(node.op, ast.Add):
            old += list(self.entries(new))
            return
        made = operators.binary(self.world, type(node.op).__name__, old, new)
        self.assign(node.target, made, scope)

    def _If(self, node: ast.If, scope: Scope) -> None:
        self.run(node.body if self.truth(self.value(node.test, scope)) else node.orelse, scope)

    def _While(self, node: ast.While, scope: Scope) -> None:
        while self.truth(self.value(node.test, scope)):
            self.spend()
            try:
                self.run(node.body, scope)
            except _Break:
                return
            except _Continue:
                continue
        self.run(node.orelse, scope)

    def _For(self, node: ast.For, scope: Scope) -> None:
        for item in self.entries(self.value(node.iter, scope)):
            self.spend()
            self.assign(node.target, item, scope)
            try:
                self.run(node.body, scope)
            except _Break:
                return
            except _Continue:
                continue
        self.run(node.orelse, scope)

    def _Raise(self, node: ast.Raise, scope: Scope) -> None:
        made = node.exc
        if made is None:
            raise Unsupported("an exception raised again")
        arguments = made.args if isinstance(made, ast.Call) else []
        kind = made.func if isinstance(made, ast.Call) else made
        said = [operators.text(self.value(item, scope)) for item in arguments]
        raise Raised(getattr(kind, "id", ast.unparse(kind)), "".join(said))

    def _Assert(self, node: ast.Assert, scope: Scope) -> None:
        if not self.truth(self.value(node.test, scope)):
            raise Raised("AssertionError")

    def _Delete(self, node: ast.Delete, scope: Scope) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                scope.names.pop(target.id, None)
            elif isinstance(target, ast.Subscript):
                owner, key = self.value(target.value, scope), self.value(target.slice, scope)
                if isinstance(owner, Term):
                    store(owner, key, GONE)
                else:
                    del owner[key]
            elif isinstance(target, ast.Attribute):
                owner = self.value(target.value, scope)
                if not isinstance(owner, Instance) or target.attr not in owner.attributes:
                    raise Unsupported("del of an attribute")
                owner.attributes[target.attr] = GONE

    def assign(self, target: ast.expr, value: Any, scope: Scope) -> None:
        """Bind a target."""
        if isinstance(target, ast.Name):
            scope.names[target.id] = value
        elif isinstance(target, ast.Attribute):
            owner = self.value(target.value, scope)
            if isinstance(owner, Instance):
                owner.attributes[target.attr] = value
            elif isinstance(owner, Term):
                store(owner, target.attr, value)
            else:
                raise Unsupported("an attribute of a plain value")
        elif isinstance(target, ast.Subscript):
            owner, key = self.value(target.value, scope), self.value(target.slice, scope)
            if isinstance(owner, Term):
                store(owner, key, value)
            elif isinstance(owner, (list, dict)):
                operators.put(owner, key, value)
            else:
                raise Unsupported("an entry of a plain value")
        elif isinstance(target, (ast.Tuple, ast.List)):
            self._unpack(target.elts, value, scope)
        else:
            raise Unsupported(f"assignment to {type(target).__name__}")

    def _unpack(self, targets: Sequence[ast.expr], value: Any, scope: Scope) -> None:
        starred = [n for n, item in enumerate(targets) if isinstance(item, ast.Starred)]
        if isinstance(value, Term):
            if value.length is None:
                found = [self.world.entry(value, n) for n in range(len(targets))]
            else:
                found = list(self.entries(value))
        else:
            found = list(self.entries(value))
        if starred:
            at, rest = starred[0], len(targets) - starred[0] - 1
            if len(found) < at + rest:
                raise Raised("ValueError", "unpack")
            inner = targets[at]
            assert isinstance(inner, ast.Starred)
            middle = found[at : len(found) - rest]
            found = [*found[:at], middle, *found[len(found) - rest :]]
            targets = [*targets[:at], inner.value, *targets[at + 1 :]]
        if len(found) != len(targets):
            raise Raised("ValueError", "unpack")
        for target, item in zip(targets, found):
            self.assign(target, item, scope)

    # -- values -----------------------------------------------------------------------------------

    def truth(self, value: Any) -> bool:
        """Whether a value counts as true."""
        if isinstance(value, Term):
            return value.digest in self.present or self.world.truth(value)
        if isinstance(value, (Closure, Native, Instance)):
            return True
        return bool(value)

    def entries(self, value: Any) -> Iterator[Any]:
        """What a loop over a value goes through."""
        if isinstance(value, Term):
            yield from self.world.entries(value)
        elif isinstance(value, (Closure, Native, Instance)) or value is None:
            raise Unsupported("a loop over something that has no entries")
        else:
            try:
                items = iter(value)
            except TypeError as error:
                raise Unsupported(str(error)) from None
            for item in items:  # noqa: UP028 -- `yield from` would end an iterator that others go on with
                yield item

    def value(self, node: ast.expr, scope: Scope) -> Any:
        """What an expression gives.

        Raises:
            Unsupported: it cannot be followed.
            Raised: the program would fail.
        """
        handler = self._handlers.get(node.__class__)
        if handler is None:
            raise Unsupported(f"{type(node).__name__} in line {node.lineno}")
        return handler(self, node, scope)

    def unique(self, items: Iterator[Any]) -> set[Any]:
        """A set of plain values.

        Raises:
            Unsupported: which of them are equal is not known.
        """
        found = list(items)
        if any(isinstance(item, Term) for item in found):
            raise Unsupported("a set of something unknown")
        return set(found)

    def note(self, what: str, *parts: Any) -> None:
        """Remember something that shows outside of the processor; the same thing once only."""
        frozen = (what, *(freeze(part) for part in parts))
        if frozen not in self.trace:
            self.trace.append(frozen)


@cache
def _gives_one_by_one(node: ast.FunctionDef) -> bool:
    """Whether a function is a generator."""
    pending: list[ast.AST] = [*node.body]
    while pending:
        inner = pending.pop()
        if isinstance(inner, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(inner, (ast.FunctionDef, ast.Lambda)):
            pending += children(inner)
    return False


def _loaded(target: ast.expr) -> ast.expr:
    """A target as an expression."""
    return target  # the context plays no part in how it is evaluated
