"""Attributes of modules and configurations, found from the ``__init__`` that assigns them."""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import Any

import numpy as np

from codegen.rewrite.functions import parameters, self_attribute
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import glance, walk
from codegen.rewrite.probe.budget import OverBudget, numbers
from codegen.rewrite.probe.machine import Machine
from codegen.rewrite.probe.trace import Bound, Config, Embedding, root_name
from codegen.rewrite.probe.values import LATE, InvFreq, Module
from codegen.rewrite.vocabulary import field_value

_DEEPEST = 12
"""Attributes and calls that lead further are not followed."""


@lru_cache(maxsize=4096)
def written_attributes(node: ast.stmt) -> tuple[str, ...]:
    """Names of the attributes of ``self`` that a statement or function writes to, as often as it does."""
    stored = (
        n for n in walk(node) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)
    )
    return tuple(found.attr for found in stored if self_attribute(found))


class Attributes(Machine):
    """Reads ``self.<name>`` and ``config.<name>``."""

    def _config_attribute(self, base: Config, name: str) -> Any:
        text = f"{base.text}.{name}"
        if name.endswith("_config"):
            return Config(text)
        value = field_value(self.index.vocabulary, name, self.variant)
        if value is None:
            self.trace.unknown[name] = text
            return LATE
        fields = self.trace.fields
        fields.setdefault(name, value)
        if self.distinct:
            value <<= [n for n, v in fields.items() if v == value].index(name)
        self.trace.scalars[text] = value
        self._number(value)
        return value

    def _module_attribute(self, base: Module, name: str) -> Any:
        """Evaluate ``self.<name>`` from the ``__init__`` that assigns it."""
        text = f"{base.text}.{name}"
        if text in self._written:
            return self._written[text]
        known = self._plain.get((id(base), name))
        if known is not None and self._depth < _DEEPEST:
            _, value, steps = known
            self.meter.step(steps)
            self.trace.scalars[text] = value
            self._number(value)
            return value
        if name == "config":
            return Config(text)
        if self.index.vocabulary.is_frequencies(name):
            return InvFreq(name)
        if base.cls is None:
            return Bound(base, name)
        if self.index.method(base.cls, name) is not None:
            return Bound(base, name)
        found = self.index.attribute(base.cls, name)
        if found is None:
            return Bound(base, name)
        owner, _, expression = found
        before = self.meter.steps
        value = self._init_value(base, owner, expression, text)
        if isinstance(value, (int, float, list, tuple)) and self._is_reset(base.cls, owner, name):
            return LATE
        for place, number in enumerate(value) if isinstance(value, tuple) else ():
            if isinstance(number, int):
                self.trace.scalars[f"{text}[{place}]"] = number
        if isinstance(value, int) and not isinstance(value, bool):
            self.trace.scalars[text] = value
            self._number(value)
            is_field = isinstance(expression, ast.Attribute) and root_name(expression) == "config"
            if is_field or isinstance(expression, ast.Name):
                # Each time nothing but this number is read, and nothing else left in the trace.
                self._plain[id(base), name] = base, value, before - self.meter.steps
        return value

    def _is_reset(self, cls: ClassInfo, owner: ClassInfo, name: str) -> bool:
        """Tell whether an attribute need not be what ``__init__`` first assigns to it.

        Another method may write to it, and so may a second statement or one under a condition.
        """
        key = (id(cls.node), id(owner.node), name)
        if key not in self.index.resets:
            self.index.resets[key] = self._may_be_reset(cls, owner, name)
        return self.index.resets[key]

    def _may_be_reset(self, cls: ClassInfo, owner: ClassInfo, name: str) -> bool:
        owners = self.index.mro(cls)
        others = (f for o in owners for f in o.methods.values() if f.name != "__init__")
        if any(name in written_attributes(glance(function)) for function in others):
            return True
        init = glance(owner.methods["__init__"])
        whole = [s for s in init.body if isinstance(s, (ast.Assign, ast.AnnAssign))]
        return written_attributes(init).count(name) > 1 or not any(
            name in written_attributes(statement) for statement in whole
        )

    def _init_value(self, base: Module, owner: ClassInfo, node: ast.expr, text: str) -> Any:
        if isinstance(node, ast.Call):
            return self._built(base, owner, node, text)
        saved = self.trace.scalars.copy()
        init = owner.methods["__init__"]
        env = self._frame(init, base, [], base.bound)
        env["config"] = Config(f"{base.text}.config")
        self._depth += 1
        try:
            return LATE if self._depth > _DEEPEST else self._eval(node, env)
        except OverBudget:
            raise
        except Exception:  # what fails here is not what the method needs
            return LATE
        finally:
            self._depth -= 1
            self.trace.scalars = saved

    def _built(self, base: Module, owner: ClassInfo, node: ast.Call, text: str) -> Any:
        """Value of ``self.x = Something(...)``: a learned table, a submodule or a number."""
        name = (
            node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        )
        init = owner.methods["__init__"]
        env = self._frame(init, base, [], base.bound)
        env["config"] = Config(f"{base.text}.config")
        if name == "Embedding" and node.args:
            return self._table(base, node, env, text)
        if name in ("int", "torch_int"):
            value = self._quiet(node, env)
            return LATE if value is None else value
        local = node.func.id if isinstance(node.func, ast.Name) else ""
        if name == "_from_config" and isinstance(node.func, ast.Attribute):
            local = getattr(node.func.value, "id", "")
        cls = self.index.resolve(owner.module.source.module, local) if local else None
        return Module(cls, text, self._constructor_args(cls, node, env) if cls else {})

    def _table(self, base: Module, node: ast.Call, env: dict[str, Any], text: str) -> Any:
        count = self._quiet(node.args[0], env)
        if not isinstance(count, int):
            return LATE
        numbers(3 * max(count, 0))
        rows = np.random.default_rng(3).normal(size=(count, 3))
        table = Embedding(text, rows)
        self.trace.embeddings[text] = table
        return table

    def _constructor_args(
        self, cls: ClassInfo, node: ast.Call, env: dict[str, Any]
    ) -> dict[str, Any]:
        found = self.index.method(cls, "__init__")
        if found is None:
            return {}
        names = parameters(found[1])[1:]
        bound = {name: self._quiet(arg, env) for name, arg in zip(names, node.args)}
        bound.update({k.arg: self._quiet(k.value, env) for k in node.keywords if k.arg})
        return {name: LATE if value is None else value for name, value in bound.items()}

    def _quiet(self, node: ast.expr, env: dict[str, Any]) -> Any:
        saved = self.trace.scalars.copy()
        try:
            return self._eval(node, env)
        except OverBudget:
            raise
        except Exception:  # what fails here is not what the method needs
            return None
        finally:
            self.trace.scalars = saved
