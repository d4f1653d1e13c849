"""Where a class reaches for its parent: ``super().run``, ``super(C, self).run``, ``Parent.run``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from codegen.expansion.fold.denoted import Denoted
from codegen.expansion.fold.model import CannotFold, Edit, Spellings
from codegen.text.lines import LineMap
from codegen.text.read_body import ClassBody
from codegen.text.scoping import AnyFunction, names_in

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, eq=False, slots=True)
class Site:
    """One expression that names a member of the parent class.

    ``receiver`` is the source of what the member is looked up on, empty in the class body itself.
    ``item`` is the index of the member of the class it stands in, ``function`` the function around
    it. ``named``: it is spelled with the parent's name, so that a method gets its ``self`` as an
    argument. ``node`` is an attribute, or a call of ``getattr`` with the name as a literal.
    """

    node: ast.expr
    name: str
    receiver: str
    item: int
    function: AnyFunction | None
    call: ast.Call | None
    named: bool = False


@dataclass
class Sites:
    """All sites of a class, and edits that are needed whatever becomes of them."""

    found: list[Site] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    #: Assignments ``p = super()`` with the uses of the name.
    aliases: list[tuple[ast.Assign, list[ast.Attribute]]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Context:
    """What is around an expression: functions from the inside out; whether a class is between."""

    functions: tuple[AnyFunction, ...]
    nested: bool
    lazy: bool


def find_sites(body: ClassBody, spellings: Spellings) -> Sites:
    """Every place of the class body that reaches for the parent, whatever that is called there.

    Raises CannotFold where it cannot be told which member is meant.
    """
    return _Search(body, spellings).run()


class _Search:
    def __init__(self, body: ClassBody, spellings: Spellings) -> None:
        self.body = body
        self.lines = LineMap(body.text)
        self.denoted = Denoted(body, spellings)
        self.parents = self.denoted.parents
        self.sites = Sites()
        self.item = 0

    def run(self) -> Sites:
        for index, item in enumerate(self.body.items):
            self.item = index
            for node in ast.walk(item.node):
                if is_super(node):
                    assert isinstance(node, ast.Call)
                    self._super(node)
                elif self.denoted.is_parent(node):
                    assert isinstance(node, (ast.Name, ast.Attribute))
                    self._parent_name(node)
        return self.sites

    def _context(self, node: ast.AST) -> _Context:
        functions: list[AnyFunction] = []
        nested = lazy = False
        below: ast.AST | None = None
        inner, outer = node, self.parents[node]
        while outer is not self.body.node:
            if isinstance(outer, _FUNCTIONS):
                inside = outer.body if isinstance(outer.body, list) else [outer.body]
                if inner in inside:
                    functions.append(outer)
            elif isinstance(outer, ast.ClassDef) and inner in outer.body:
                nested = True
            elif isinstance(outer, _COMPREHENSIONS):
                first = outer.generators[0]
                lazy = lazy or not (inner is first and below is first.iter)
            below, inner, outer = inner, outer, self.parents[outer]
        return _Context(tuple(functions), nested, lazy)

    def _super(self, call: ast.Call) -> None:
        context = self._context(call)
        if context.nested and not self._names_us(call):
            return
        receiver = self._receiver(call, context)
        if receiver is None:
            return
        user = self.parents[call]
        function = context.functions[0] if context.functions else None
        if isinstance(user, ast.Attribute):
            if isinstance(user.ctx, ast.Load):
                self._add(user, receiver, function)
            return
        if isinstance(user, ast.Call) and (literal := _asked_for(user, call)):
            self._add(user, receiver, function, name=literal)
            return
        alias = user.targets[0] if isinstance(user, ast.Assign) else None
        if not isinstance(alias, ast.Name) or function is None:
            raise CannotFold("super() is handed on as a value", call.lineno)
        assert isinstance(user, ast.Assign)
        uses = self._alias(alias.id, receiver, function, call.lineno)
        self.sites.aliases.append((user, uses))

    def _names_us(self, call: ast.Call) -> bool:
        """Whether ``super(C, x)`` in a class inside of ours speaks of our class, or of its parent."""
        owner = call.args[0] if len(call.args) == 2 else None
        ours = isinstance(owner, ast.Name) and owner.id == self.body.node.name
        return ours or (owner is not None and self.denoted.is_parent(owner))

    def _receiver(self, call: ast.Call, context: _Context) -> str | None:
        """What the members are looked up on; None where the call reaches past the parent."""
        if call.keywords or len(call.args) == 1 or len(call.args) > 2:
            raise CannotFold("this form of super() has no counterpart", call.lineno)
        if len(call.args) == 2:
            return self._explicit_receiver(call)
        if not context.functions:
            raise CannotFold("super() stands outside of a function", call.lineno)
        function = context.functions[0]
        first = first_parameter(function)
        if first is None:
            raise CannotFold("super() stands in a function without arguments", call.lineno)
        inside = function.body if isinstance(function.body, list) else [function.body]
        if first in names_in(inside).bound:
            raise CannotFold(f"{first} is assigned in a function with super()", call.lineno)
        return first

    def _explicit_receiver(self, call: ast.Call) -> str | None:
        owner, instance = call.args
        name = owner.id if isinstance(owner, ast.Name) else ""
        if self.denoted.is_parent(owner):
            # Past the parent: in the folded class that is past the class itself.
            context = self._context(call)
            first = first_parameter(context.functions[0]) if context.functions else None
            ours = isinstance(instance, ast.Name) and instance.id == first
            if ours and not context.nested:
                self.sites.edits.append((*self.lines.span(call), "super()"))
            else:
                self.sites.edits.append((*self.lines.span(owner), self.body.node.name))
            return None
        if name not in (self.body.node.name, "__class__"):
            raise CannotFold("super() is called with another class", call.lineno)
        source = self.lines.source(instance)
        plain = isinstance(instance, (ast.Name, ast.Attribute, ast.Call))
        return source if plain else f"({source})"

    def _alias(
        self, alias: str, receiver: str, function: AnyFunction, line: int
    ) -> list[ast.Attribute]:
        """``p = super()``: every use of the name has to be a member."""
        stored = 0
        uses: list[ast.Attribute] = []
        for node in ast.walk(function):
            if not isinstance(node, ast.Name) or node.id != alias:
                continue
            user = self.parents[node]
            if isinstance(node.ctx, ast.Load) and isinstance(user, ast.Attribute):
                uses.append(user)
            elif isinstance(node.ctx, ast.Store) and isinstance(user, ast.Assign):
                stored += 1
            else:
                stored += 2
        if stored != 1 or any(not isinstance(user.ctx, ast.Load) for user in uses):
            raise CannotFold(f"{alias} is super() and something else besides", line)
        for user in uses:
            self._add(user, receiver, function)
        return uses

    def _parent_name(self, node: ast.Name | ast.Attribute) -> None:
        user = self.parents[node]
        if isinstance(user, ast.Call) and is_super(user):
            return
        literal = ""
        if isinstance(user, ast.Call):
            literal = _asked_for(user, node) or ""
        elif isinstance(user, ast.Attribute) and not isinstance(user.ctx, ast.Load):
            raise CannotFold(f"{self.lines.source(user)} is changed", node.lineno)
        if not literal and not isinstance(user, ast.Attribute):
            return
        assert isinstance(user, (ast.Call, ast.Attribute))
        context = self._context(node)
        if context.functions:
            function = context.functions[-1]
            self._add(user, self.body.node.name, function, named=True, name=literal)
        elif context.nested or context.lazy:
            raise CannotFold(f"{self.lines.source(user)} is read in an inner scope", node.lineno)
        else:
            self._add(user, "", None, named=True, name=literal)

    def _add(
        self,
        node: ast.expr,
        receiver: str,
        function: AnyFunction | None,
        named: bool = False,
        name: str = "",
    ) -> None:
        user = self.parents[node]
        call = user if isinstance(user, ast.Call) and user.func is node else None
        name = node.attr if isinstance(node, ast.Attribute) else name
        self.sites.found.append(Site(node, name, receiver, self.item, function, call, named))


def _asked_for(user: ast.Call, value: ast.expr) -> str | None:
    """The name in ``getattr(super(), "run")``."""
    if not isinstance(user.func, ast.Name) or user.func.id != "getattr":
        return None
    if len(user.args) != 2 or user.args[0] is not value:
        return None
    name = user.args[1].value if isinstance(user.args[1], ast.Constant) else None
    return name if isinstance(name, str) and name.isidentifier() else None


def is_super(node: ast.AST) -> bool:
    """Whether an expression is a call of ``super``."""
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"
    )


def first_parameter(function: AnyFunction) -> str | None:
    """The name of a function's first argument, which ``super()`` takes for the instance."""
    listed = [*function.args.posonlyargs, *function.args.args]
    return listed[0].arg if listed else None


def passes_self(site: Site) -> bool:
    """Whether ``Parent.run(self, ...)`` is called with the instance of the method around it."""
    if not site.named or site.call is None or site.function is None or not site.call.args:
        return False
    first = site.call.args[0]
    return isinstance(first, ast.Name) and first.id == first_parameter(site.function)


def without_self(site: Site, lines: LineMap, code: str) -> Iterator[Edit]:
    """The edit that takes the instance out of the arguments of ``Parent.run(self, ...)``."""
    assert site.call is not None
    start, end = lines.span(site.call.args[0])
    rest = code[end:]
    stripped = rest.lstrip()
    if stripped.startswith(","):
        end += len(rest) - len(stripped) + 1
        end += len(code[end:]) - len(code[end:].lstrip())
    yield start, end, ""
