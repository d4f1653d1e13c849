"""Which expressions are functions of one row each: then it does not matter how many rows come at a time.

Rows lie along the first axis. An expression is known to keep them apart only if every operation in it is:
modules and functions of a row, arithmetic with numbers, and views that leave the first axis alone.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from codegen.rewrite.functions import Function, self_attribute
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import target_of, walk
from codegen.rewrite.vocabulary import torch_name

MODULES = frozenset(
    ("GELU", "Identity", "LayerNorm", "Linear", "Mish", "RMSNorm", "ReLU", "SiLU", "Tanh")
    + ("FastGELUActivation", "GELUActivation", "NewGELUActivation", "QuickGELUActivation")
)
"""Classes of modules whose output rows depend on the input row of the same place only."""
CONVOLUTIONS = frozenset(("Conv1d", "Conv2d", "Conv3d"))
"""Classes that are functions of one entry of a batch each; the entries are rows here."""
ELEMENTWISE = frozenset(
    ("elu", "gelu", "leaky_relu", "mish", "relu", "relu6", "selu", "silu", "tanh", "sigmoid", "abs")
    + ("exp", "log", "sqrt", "rsqrt", "softplus", "hardswish", "square", "neg", "clone", "detach")
)
"""Functions and methods of one element each."""
CONVERSIONS = frozenset(("to", "type", "type_as", "float", "half", "bfloat16", "double"))
ALONG_AXES = frozenset(("mean", "sum", "softmax", "log_softmax", "amax", "amin", "cumsum"))
"""Methods along an axis, which must not be the first."""
_ACTIVATIONS = "ACT2FN"


@dataclass(frozen=True)
class Rows:
    """Decides expressions of one method; ``names`` are those that hold rows at the place."""

    index: Index
    cls: ClassInfo
    function: Function
    batched: bool = False

    def problem(self, node: ast.expr, names: frozenset[str]) -> str:
        """Why an expression is not known to keep the rows of some names apart; empty if it is."""
        if isinstance(node, ast.Name):
            return "" if node.id in names else f"{node.id} is not made of the rows"
        if isinstance(node, ast.BinOp):
            return self._arithmetic(node, names)
        if isinstance(node, ast.UnaryOp):
            return self.problem(node.operand, names)
        if isinstance(node, ast.Call):
            return self._call(node, names)
        return self._unknown(node)

    def _unknown(self, node: ast.AST) -> str:
        return f"{ast.unparse(node)} is not known to keep rows apart"

    def _arithmetic(self, node: ast.BinOp, names: frozenset[str]) -> str:
        if isinstance(node.op, ast.MatMult):
            return self._unknown(node)
        sides = [side for side in (node.left, node.right) if not self._is_number(side)]
        problems = [self.problem(side, names) for side in sides]
        return next((problem for problem in problems if problem), "")

    def _is_number(self, node: ast.expr) -> bool:
        """Tell whether an expression is a number: a literal, or an attribute made of literals and fields."""
        if isinstance(node, ast.Constant):
            return isinstance(node.value, (int, float))
        if isinstance(node, ast.UnaryOp):
            return self._is_number(node.operand)
        found = (
            self.index.attribute(self.cls, self_attribute(node)) if self_attribute(node) else None
        )
        if found is None:
            return False
        parts = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop)
        return all(isinstance(part, parts) for part in walk(found[2]))

    def _call(self, node: ast.Call, names: frozenset[str]) -> str:
        mentioned = {n.id for n in walk(node) if isinstance(n, ast.Name)} & names
        module = self_attribute(node.func)
        if module:
            if len(node.args) != 1 or node.keywords:
                return self._unknown(node)
            return self.problem(node.args[0], names) or self._module(node, module)
        name = torch_name(node.func)
        if name:
            plain = name.rpartition(".")[2] in ELEMENTWISE and node.args
            rest = [*node.args[1:], *(k.value for k in node.keywords)]
            if not plain or any(self._mentions(argument, names) for argument in rest):
                return self._unknown(node)
            return self.problem(node.args[0], names)
        if isinstance(node.func, ast.Attribute) and mentioned:
            return self._method(node, node.func, names)
        return self._unknown(node)

    @staticmethod
    def _mentions(node: ast.expr, names: frozenset[str]) -> bool:
        return any(isinstance(n, ast.Name) and n.id in names for n in walk(node))

    def _method(self, node: ast.Call, function: ast.Attribute, names: frozenset[str]) -> str:
        given = [*node.args, *(k.value for k in node.keywords)]
        plain = function.attr in ELEMENTWISE | CONVERSIONS | {"contiguous"}
        if not plain:
            axes = [_integer(argument) for argument in given]
            along = function.attr in ALONG_AXES and bool(given)
            turned = function.attr == "transpose" and len(axes) == 2
            flat = function.attr == "flatten" and len(axes) in (1, 2)
            wide = function.attr in ("unsqueeze", "squeeze") and len(axes) == 1
            first = axes[:1] if along or flat else axes
            if not (along or turned or flat or wide) or any(a is None or a < 1 for a in first):
                return self._unknown(node)
        elif any(self._mentions(argument, names) for argument in given):
            return self._unknown(node)
        return self.problem(function.value, names)

    def _module(self, node: ast.Call, name: str) -> str:
        found = self.index.attribute(self.cls, name)
        made = found[2] if found is not None else None
        if found is not None and made is not None and self._is_row_wise(found[0], made):
            return ""
        return f"self.{name} is not known to keep rows apart"

    def _is_row_wise(self, owner: ClassInfo, made: ast.expr) -> bool:
        if isinstance(made, ast.Subscript):
            return ast.unparse(made.value) == _ACTIVATIONS
        if not isinstance(made, ast.Call):
            return False
        kind = ast.unparse(made.func).rpartition(".")[2]
        if kind == "Sequential":
            return bool(made.args) and all(self._is_row_wise(owner, a) for a in made.args)
        if kind in MODULES or (self.batched and kind in CONVOLUTIONS):
            return True
        cls = self.index.resolve(owner.module.source.module, kind)
        forward = cls.methods.get("forward") if cls is not None else None
        return cls is not None and forward is not None and self._forward(cls, forward)

    def _forward(self, cls: ClassInfo, function: Function) -> bool:
        """Tell whether a module is a plain row of such operations."""
        args = function.args
        names = [a.arg for a in (*args.posonlyargs, *args.args)][1:]
        if cls.node is self.cls.node or len(names) != 1 or args.vararg or args.kwonlyargs:
            return False
        rows = Rows(self.index, cls, function, self.batched)
        *body, last = function.body
        known, problem = rows.through(body, frozenset(names))
        if problem or not isinstance(last, ast.Return) or last.value is None:
            return False
        return not rows.problem(last.value, known)

    def through(
        self, body: Sequence[ast.stmt], names: frozenset[str]
    ) -> tuple[frozenset[str], str]:
        """Names that hold rows behind some assignments, or why that is not known."""
        for statement in body:
            target = target_of(statement)
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                continue
            if not isinstance(statement, ast.Assign) or not isinstance(target, ast.Name):
                return names, self._unknown(statement).replace("\n", " ")
            problem = self.problem(statement.value, names)
            if problem:
                return names, problem
            names |= {target.id}
        return names, ""


def _integer(node: ast.expr) -> int | None:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
