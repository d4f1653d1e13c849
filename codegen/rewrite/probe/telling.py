"""The probe interpreter with what code needs besides that looks for items by the ids of their tokens.

That code walks through lists of ids with ``index`` and ``while``, and has generators of its own. A
generator runs at once when it is called: what it does is seen by nobody but its loop.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

from codegen.rewrite.probe import budget
from codegen.rewrite.probe.operators import truth
from codegen.rewrite.probe.prompting import PromptInterpreter
from codegen.rewrite.probe.sound_prompts import PER_SECOND, SECONDS_OF_CHUNK, TOKENS, WINDOW
from codegen.rewrite.probe.trace import Bound, Break, Config, Continue, Return
from codegen.rewrite.probe.values import (
    LATE,
    OPAQUE,
    Module,
    Once,
    Unsupported,
    array,
    is_late,
    scalar,
)
from codegen.rewrite.vocabulary import field_value, token_role


@dataclass(frozen=True, eq=False)
class Inner:
    """A function in a function, with the names that it sees; ``yields`` tells a generator."""

    node: ast.FunctionDef
    env: dict[str, Any]
    yields: bool


class TokenInterpreter(PromptInterpreter):
    """Interprets a method that computes something for every token, told by the ids of tokens."""

    _yielded: list[Any]

    def _config_attribute(self, base: Config, name: str) -> Any:
        value = self._told(name)
        if value is None:
            return super()._config_attribute(base, name)
        self.trace.scalars[f"{base.text}.{name}"] = value
        return value

    def _told(self, name: str) -> int | None:
        """The value of a field that only such code reads."""
        role = token_role(name)
        if role:
            # What ends an item and the like is some token that is none of those.
            return TOKENS.get(role, 158 + len(name))
        if "second" in name:
            return SECONDS_OF_CHUNK if "chunk" in name else PER_SECOND[self.variant]
        return WINDOW[self.variant] if name == "n_window" else None

    def _module_attribute(self, base: Module, name: str) -> Any:
        """What the class at hand does not assign, but its heirs do, may be a field under its own name."""
        value = super()._module_attribute(base, name)
        if not isinstance(value, Bound) or self.index.method(base.cls, name) is not None:
            return value
        guess = self._told(name)
        if guess is None:
            guess = field_value(self.index.vocabulary, name, self.variant)
        if guess is None:
            return value
        self.trace.scalars[f"{base.text}.{name}"] = guess
        return guess

    def _list_method(self, target: list[Any], name: str, args: list[Any]) -> Any:
        if name != "index" or not 1 <= len(args) <= 2 or is_late(args) or isinstance(target, Once):
            return super()._list_method(target, name, args)
        budget.items(len(target))
        start = scalar(args[1]) if len(args) == 2 else 0
        wanted = array(args[0]).item()
        if not all(item.__class__ is int for item in target) or not start >= 0:
            raise Unsupported("a place in such a list")
        if wanted not in target[start:]:
            raise Unsupported("a place of what is not there")
        if self._call is not None:
            self.trace.calls.setdefault(self._call, set())
        return target.index(wanted, start)

    # -- loops and functions of its own ----------------------------------------------------------------

    def _stmt_While(self, node: ast.While, env: dict[str, Any]) -> None:
        while self._goes_on(node.test, env):
            try:
                self._block(node.body, env)
            except Break:
                return
            except Continue:
                continue
        self._block(node.orelse, env)

    def _goes_on(self, test: ast.expr, env: dict[str, Any]) -> bool:
        value = self._eval(test, env)
        if is_late(value) or value is OPAQUE:
            raise Unsupported("a loop of unknown length")
        self._note(test, truth(value))
        return truth(value)

    def _stmt_FunctionDef(self, node: ast.FunctionDef, env: dict[str, Any]) -> None:
        spec = node.args
        if ast.unparse(spec) or node.decorator_list:
            raise Unsupported("a function of its own with parameters")
        inside = [inner for statement in node.body for inner in ast.walk(statement)]
        if any(isinstance(inner, (ast.Nonlocal, ast.Global, ast.FunctionDef)) for inner in inside):
            raise Unsupported("a function of its own that writes to names outside")
        yields = any(isinstance(inner, ast.Yield) for inner in inside)
        env[node.name] = Inner(node, env, yields)

    def _expr_Call(self, node: ast.Call, env: dict[str, Any]) -> Any:
        called = env.get(node.func.id) if isinstance(node.func, ast.Name) else None
        if not isinstance(called, Inner):
            return super()._expr_Call(node, env)
        if node.args or node.keywords:
            raise Unsupported("arguments that the function does not take")
        self.trace.calls.setdefault(node, set())
        saved, self._yielded = getattr(self, "_yielded", []), []
        result = None
        try:
            self._block(called.node.body, dict(called.env))
        except Return as returned:
            result = returned.value
        finally:
            found, self._yielded = self._yielded, saved
        return Once(found) if called.yields else result

    def _expr_Yield(self, node: ast.Yield, env: dict[str, Any]) -> Any:
        budget.items(1)
        self._yielded.append(None if node.value is None else self._eval(node.value, env))
        return LATE
