"""Run a processor's code on opaque tokens and small counts; nothing of the tree is executed for real.

Strings, numbers, lists and control flow are Python's; everything else is a :class:`Term`. What cannot be
followed raises Unsupported, what the program itself would raise is a :class:`Raised`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, islice
from types import GeneratorType
from typing import Any

from codegen.rewrite.tokens import limits, operators
from codegen.rewrite.tokens.codes import known_code
from codegen.rewrite.tokens.construction import construct
from codegen.rewrite.tokens.natives import call_native, call_term, method_of_value
from codegen.rewrite.tokens.scopes import Closure, Instance, Native, Scope
from codegen.rewrite.tokens.statements import FunctionCode, Returned, function_code
from codegen.rewrite.tokens.subject import Subject
from codegen.rewrite.tokens.terms import Term, Unsupported, World, freeze, term

STEPS = 6000
"""Statements and passes through loops that a run may take."""
_MANY = 200
"""Entries that are gone through in one step."""
_ITERATED = frozenset(
    (list, tuple, str, dict, set, range, enumerate, zip, map, reversed, GeneratorType)
    + (islice, accumulate, type(iter([])), type(iter(())), type(iter("")))
)
"""Types that Python goes through by itself."""


class Machine:
    """One run in one world."""

    def __init__(self, subject: Subject, world: World, whole: bool = False) -> None:
        """``whole``: with the library's own call (:mod:`codegen.rewrite.tokens.whole`)."""
        self.whole = whole
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
        code = function_code(closure.node)
        scope = Scope(self._bind(code, closure, list(args), dict(keywords)), closure.scope)
        if code.is_generator:
            scope.yields = []
        end = code.body(self, scope)
        if scope.yields is not None:
            return iter(scope.yields)
        return end.value if isinstance(end, Returned) else None

    def apply(self, called: Any, args: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
        """The result of a call."""
        if isinstance(called, Closure):
            return self.call(called, args, keywords)
        if isinstance(called, Term):
            return call_term(self, called, args, keywords)
        if isinstance(called, Native):
            if called.owner is None or isinstance(called.owner, Instance):
                return call_native(self, called, args, keywords)
            return method_of_value(self, called.owner, called.name, args, keywords)
        raise Unsupported("a call of something")

    def _bind(
        self, code: FunctionCode, closure: Closure, args: list[Any], keywords: dict[str, Any]
    ) -> dict[str, Any]:
        if closure.owner is not None:
            args.insert(0, closure.owner)
        names: dict[str, Any] = dict(zip(code.plain, args))
        if code.several:
            names[code.several] = tuple(args[len(code.plain) :])
        elif len(args) > len(code.plain):
            raise Unsupported("too many arguments")
        if any(key.startswith("**") for key in keywords):
            self._spread(keywords, [name for name, _ in code.pairs if name not in names], code)
        for name, default in code.pairs:
            if name in keywords:
                names[name] = keywords.pop(name)
            elif name not in names:
                if default is None:
                    raise Unsupported(f"no argument for {name}")
                names[name] = self.value(default, closure.scope or Scope({}))
        if code.named:
            names[code.named] = keywords
        elif keywords:
            raise Unsupported(f"an argument {next(iter(keywords))}")
        return names

    def _spread(self, keywords: dict[str, Any], missing: Sequence[str], code: FunctionCode) -> None:
        """Give parameters what a mapping that is unpacked may hold for them."""
        for key in [key for key in keywords if key.startswith("**")]:
            source = keywords[key] if code.named else keywords.pop(key)
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

    # -- values -----------------------------------------------------------------------------------

    def truth(self, value: Any) -> bool:
        """Whether a value counts as true."""
        kind = value.__class__
        if kind is bool:
            return bool(value)
        if kind is Term:
            return value.digest in self.present or self.world.truth(value)
        if kind is Closure or kind is Native or kind is Instance:
            return True
        return bool(value)

    def looped(self, value: Any) -> Iterator[Any]:
        """What a loop over a value goes through, where it begins at once: see :meth:`entries`."""
        return iter(value) if value.__class__ in _ITERATED else self.entries(value)

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
            if hasattr(value, "__len__"):
                limits.entries(len(value))
            # `yield from` would end an iterator that others go on with.
            for passed, item in enumerate(items):
                if passed >= _MANY:
                    self.spend()
                yield item

    def value(self, node: ast.expr, scope: Scope) -> Any:
        """What an expression gives.

        Raises:
            Unsupported: it cannot be followed.
            Raised: the program would fail.
        """
        return known_code(node)(self, scope)

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
