"""Whether a parent's body can stand in place of the call of its method, and with what bindings.

    def run(self, value):                    def run(self, value):
        return super().run(value)     ->         shifted = value + self.size
                                                 return self.norm(shifted)

The statements run in one frame then. They may where every name means what it meant: arguments keep
their names or are bound in front, and neither side sees the other's locals.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from codegen.expansion.fold.sites import first_parameter, is_super
from codegen.text.classes import last_name
from codegen.text.scoping import Names, is_generator, names_in, own_nodes, parameter_names

_Function = ast.FunctionDef | ast.AsyncFunctionDef
#: Decorators that change nothing where they stand on a function and on one that it calls.
_ONCE_OR_TWICE = frozenset(
    {"classmethod", "staticmethod", "abstractmethod", "override", "final", "no_grad"}
    | {"inference_mode", "auto_docstring", "can_return_tuple"}
)


@dataclass(frozen=True, slots=True)
class Inline:
    """A call that the parent's body replaces: statement ``index`` of the method's body.

    ``bindings`` are the parent's parameters that have to be assigned first, with their values;
    a value is an expression of the call or a literal default.
    """

    index: int
    bindings: tuple[tuple[str, ast.expr], ...] = ()


def find_call(function: _Function) -> tuple[int, ast.Call] | None:
    """The statement that is just ``[return] super().<own name>(...)`` or its spelled-out form."""
    for index, statement in enumerate(function.body):
        if isinstance(statement, (ast.Expr, ast.Return)):
            call = statement.value
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and call.func.attr == function.name
                and is_super(call.func.value)
            ):
                return index, call
    return None


def plan_inline(child: _Function, parent: _Function, several: bool) -> Inline | str:
    """How the parent's body takes the place of its call, or why it cannot.

    ``several``: the method reaches for the parent's method in more than one place.
    """
    found = find_call(child)
    if found is None:
        return "the call is part of something else"
    if several:
        return "the parent's method is used more than once"
    index, call = found
    reason = _kinds_differ(child, parent) or _decorated(child, parent)
    reason = reason or _ends_early(child, parent, index)
    if reason:
        return reason
    assigned = _bind(call, parent, child.name == "__init__")
    if isinstance(assigned, str):
        return assigned
    frame = _Frame.of(child, parent, index)
    if any(name not in assigned and name not in frame.own() for name in _required(parent)):
        return "an argument is a variable of the module"
    reason = frame.unsafe_binding(assigned) or frame.clash(assigned)
    return reason or Inline(index, tuple(assigned.items()))


def _kinds_differ(child: _Function, parent: _Function) -> str:
    plain = (
        isinstance(item, ast.FunctionDef) and not is_generator(item) for item in (child, parent)
    )
    if not all(plain):
        return "one of the two is a generator or asynchronous"
    if first_parameter(child) is None or first_parameter(child) != first_parameter(parent):
        return "the first parameters differ"
    return ""


def _decorated(child: _Function, parent: _Function) -> str:
    """The parent's decorators have to hold for its statements; one without any takes them over."""
    own, inherited = ([ast.dump(item) for item in each.decorator_list] for each in (child, parent))
    if own and inherited and not set(inherited) <= set(own):
        return "the decorators differ"
    if own and not all(last_name(each) in _ONCE_OR_TWICE for each in parent.decorator_list):
        return "a decorator of both would act twice"
    return ""


def _ends_early(child: _Function, parent: _Function, index: int) -> str:
    if isinstance(child.body[index], ast.Return):
        last = index == len(child.body) - 1
        return "" if last else "statements follow the return"
    if any(isinstance(node, ast.Return) for node in own_nodes(parent.body)):
        return "the parent's method returns"
    return ""


def _bind(call: ast.Call, parent: _Function, free: bool) -> dict[str, ast.expr] | str:
    """The parameters that do not get the variable of their own name, with what they get.

    Only literal values are bound, unless ``free``: in a constructor any expression may be.
    """
    arguments = parent.args
    if arguments.posonlyargs:
        return "the parent has positional-only parameters"
    given = _given(call, arguments)
    if isinstance(given, str):
        return given
    defaults = _defaults(arguments)
    bound: dict[str, ast.expr] = {}
    for name in [*given, *(each for each in parameter_names(arguments)[1:] if each not in given)]:
        value = given.get(name) or defaults.get(name)
        if value is None:
            return f"the call does not give {name}"
        if isinstance(value, ast.Name) and value.id == name:
            continue
        if name not in given and not _is_literal(value):
            return f"the default of {name} is evaluated elsewhere"
        if not _is_literal(value) and not free:
            return "the arguments differ from the parent's parameters"
        if any(isinstance(each, (ast.Await, ast.NamedExpr, ast.Yield)) for each in ast.walk(value)):
            return "an argument has an effect of its own"
        bound[name] = value
    return bound


def _given(call: ast.Call, arguments: ast.arguments) -> dict[str, ast.expr] | str:
    """What the call passes, by parameter; stars only from one catch-all to that of its name."""
    positional = [item.arg for item in arguments.args[1:]]
    named = {*positional, *(item.arg for item in arguments.kwonlyargs)}
    given: dict[str, ast.expr] = {}
    for index, value in enumerate(call.args):
        if isinstance(value, ast.Starred):
            star = arguments.vararg
            whole = index == len(positional) == len(call.args) - 1
            if not (star and whole and _is_name(value.value, star.arg)):
                return "arguments are passed on with a star"
            given[star.arg] = value.value
        elif index < len(positional):
            given[positional[index]] = value
        else:
            return "more arguments than the parent has parameters"
    for keyword in call.keywords:
        if keyword.arg is None:
            rest = arguments.kwarg
            if not (rest and _is_name(keyword.value, rest.arg)):
                return "arguments are passed on with two stars"
            given[rest.arg] = keyword.value
        elif keyword.arg in named and keyword.arg not in given:
            given[keyword.arg] = keyword.value
        else:
            return f"{keyword.arg} is no parameter of its own in the parent"
    if arguments.kwarg and arguments.kwarg.arg in given:
        own = [name for name in named if not _is_name(given.get(name), name)]
        if own:
            # What is not passed by its own name could be among the rest.
            return "arguments are passed on with two stars"
    return given


def _required(parent: _Function) -> list[str]:
    return parameter_names(parent.args)[1:]


def _defaults(arguments: ast.arguments) -> dict[str, ast.expr]:
    listed = arguments.args[len(arguments.args) - len(arguments.defaults) :]
    found = {item.arg: value for item, value in zip(listed, arguments.defaults)}
    for item, default in zip(arguments.kwonlyargs, arguments.kw_defaults):
        if default is not None:
            found[item.arg] = default
    if arguments.vararg:
        found[arguments.vararg.arg] = ast.Tuple([], ast.Load())
    if arguments.kwarg:
        found[arguments.kwarg.arg] = ast.Dict([], [])
    return found


def _is_literal(node: ast.expr) -> bool:
    """A value that cannot change: a constant, a signed one, a tuple of such, or an empty ``{}``."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.operand, ast.Constant)
    if isinstance(node, ast.Tuple):
        return all(map(_is_literal, node.elts))
    # Only the catch-all that a call leaves empty; it is a new one for every call.
    return isinstance(node, ast.Dict) and not node.keys and not hasattr(node, "lineno")


def _is_name(node: ast.expr | None, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


@dataclass(frozen=True, slots=True)
class _Frame:
    """The names on both sides of a call: ``before`` and ``after`` it, and of the parent's body."""

    parameters: frozenset[str]
    before: Names
    after: Names
    statements: Sequence[ast.stmt]
    parent: _Function
    body: Names

    @staticmethod
    def of(child: _Function, parent: _Function, index: int) -> _Frame:
        body = names_in(parent.body)
        # `x: int` without a value makes a local variable, too.
        declared = (node for node in own_nodes(parent.body) if isinstance(node, ast.AnnAssign))
        body.bound |= {node.target.id for node in declared if isinstance(node.target, ast.Name)}
        return _Frame(
            frozenset(parameter_names(child.args)),
            names_in(child.body[:index]),
            names_in(child.body[index + 1 :]),
            child.body[index + 1 :],
            parent,
            body,
        )

    def own(self) -> set[str]:
        """The child's own variables."""
        return {*self.parameters, *self.before.bound, *self.after.bound}

    def unsafe_binding(self, bindings: dict[str, ast.expr]) -> str:
        """A parameter may be bound where nothing behind reads the name with its old meaning."""
        own = self.own()
        later = list(bindings)
        for name in bindings:
            later.remove(name)
            users = self.after.mentioned | self.before.captured
            if name not in own:
                users |= self.before.mentioned
            if name in users:
                return f"{name} means something else in the overriding method"
            if any(name in names_in([bindings[each]]).mentioned for each in later):
                return f"{name} is needed for another argument"
        return ""

    def clash(self, bindings: dict[str, ast.expr]) -> str:
        """A name that would mean something else in the common frame."""
        own, body = self.own(), self.body
        if body.dynamic or self.before.dynamic or self.after.dynamic:
            return "the code looks at its variables as a whole"
        parameters = set(parameter_names(self.parent.args))
        outside = (body.read | body.captured) - parameters - body.bound
        found = outside & own
        found |= body.bound & (self.before.captured | self._read_after())
        found |= (body.bound - own) & self.before.read
        found |= body.captured & self.after.bound
        rest = self.parent.args.kwarg
        if rest and rest.arg in self.after.mentioned and self._touches(rest.arg):
            found.add(rest.arg)
        if found:
            return f"{', '.join(sorted(found))} would mean something else"
        return ""

    def _read_after(self) -> set[str]:
        """Names that the statements behind the call read before they bind them themselves."""
        bound: set[str] = set()
        found: set[str] = set()
        for statement in self.statements:
            names = names_in([statement])
            found |= (names.read | names.captured) - bound
            if isinstance(statement, (ast.Assign, ast.AnnAssign)):
                bound |= names.bound
        return found

    def _touches(self, name: str) -> bool:
        """Whether the parent's body does more with its catch-all than to pass it on."""
        passed = {
            id(node.value)
            for statement in self.parent.body
            for node in ast.walk(statement)
            if isinstance(node, ast.keyword) and node.arg is None
        }
        return any(
            isinstance(node, ast.Name) and node.id == name and id(node) not in passed
            for statement in self.parent.body
            for node in ast.walk(statement)
        )
