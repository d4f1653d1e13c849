"""What would vanish with statements that a helper replaces, besides their results.

A statement may go only if all that it does is known to have no other effect: operators, builtins, torch
functions and tensor methods that the interpreter knows, functions of the tree for which the same
holds, and writes to what the statements made themselves. Everything else is named: an ``assert``, a
``raise``, a logger, a counter in ``self``, a call of something that is not known.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from codegen.rewrite.functions import Function
from codegen.rewrite.nodes import walk
from codegen.rewrite.probe.builtin_calls import BUILTINS
from codegen.rewrite.probe.functions import FUNCTIONS, TRACING
from codegen.rewrite.probe.tensor_methods import KNOWN
from codegen.rewrite.probe.trace import mutates, root_name
from codegen.rewrite.recognise.guards import Guards

Callee = Callable[[ast.Call], Iterable[Function] | None]
"""The functions that a call may enter; None for a call that is not known."""

NO_GUARDS = Guards()
_NAMESPACES = ("torch", "F", "nn", "math", "itertools")
_ALL_PURE = ("math", "itertools")
_PURE_FUNCTIONS = frozenset(FUNCTIONS) | KNOWN | TRACING | {"is_torchdynamo_compiling", "torch_int"}
VIEWS = frozenset(
    ("reshape", "view", "unsqueeze", "squeeze", "expand", "permute", "transpose", "t", "flatten")
    + ("unbind", "split", "to", "contiguous", "detach", "cpu", "cuda", "type", "type_as")
    + ("int", "long", "float", "double", "bool")
)
"""Methods whose result may share the memory of their tensor."""
_PURE_METHODS = KNOWN | {"append", "extend", "insert"}
_PURE_BUILTINS = frozenset(BUILTINS) | {"bool", "sorted", "round", "divmod", "map", "filter", "set"}
_PURE_BUILTINS |= {"iter", "next", "groupby"}
_QUIET_CONTEXTS = ("torch.no_grad", "torch.inference_mode", "torch.enable_grad")
_STATEMENTS = {
    ast.Assert: "an assert",
    ast.Raise: "a raise",
    ast.Global: "a write to a global name",
    ast.Nonlocal: "a write to a name outside",
    ast.Try: "a try",
    ast.Delete: "a del",
    ast.Import: "an import",
    ast.ImportFrom: "an import",
    ast.Yield: "a yield",
    ast.YieldFrom: "a yield",
    ast.Await: "an await",
    ast.FunctionDef: "a function of its own",
    ast.AsyncFunctionDef: "a function of its own",
    ast.ClassDef: "a class of its own",
    ast.While: "a while loop",
}


@dataclass(frozen=True)
class Objection:
    """Why a computation is left as it is, and where."""

    node: ast.AST
    reason: str

    @property
    def line(self) -> int:
        """Line in its file, 0 where the node has none."""
        return int(getattr(self.node, "lineno", 0))


def vanishing(
    statements: Iterable[ast.stmt],
    function: Function,
    callee: Callee,
    guards: Guards = NO_GUARDS,
    fresh: Collection[str] = (),
    ending: Collection[type[ast.AST]] = (),
) -> Objection | None:
    """The first effect of statements of a function, and of all that they call, that is not a result.

    What ``guards`` keeps does not vanish. Names that are ``fresh`` hold what nobody else sees written.
    Kinds of statements that are ``ending`` are known to come to an end, and count for what is in them.
    """
    seen: set[Function] = set()
    spared = guards.spared
    for statement in statements:
        own = _fresh_names(function).union(fresh)
        found = _effect(statement, own, callee, seen, spared, ending)
        if found is not None:
            why = guards.why.get(found.node, "")
            return replace(found, reason=f"{found.reason}: {why}") if why else found
    return None


def _effect(
    tree: ast.AST,
    fresh: frozenset[str],
    callee: Callee,
    seen: set[Function],
    spared: Collection[ast.AST] = (),
    ending: Collection[type[ast.AST]] = (),
) -> Objection | None:
    for node in walk(tree):
        if node in spared or type(node) in ending:
            continue
        what = _STATEMENTS.get(type(node)) or _written(node, fresh)
        if what is None and isinstance(node, ast.With):
            what = _context(node)
        if what is None and isinstance(node, ast.Call):
            what = _called(node, fresh, callee)
        if what is not None:
            return Objection(node, f"{what} would vanish")
        if isinstance(node, ast.Call):
            for function in callee(node) or ():
                found = None if function in seen else _inside(function, callee, seen, ending)
                if found is not None:
                    return found
    return None


def _inside(
    function: Function,
    callee: Callee,
    seen: set[Function],
    ending: Collection[type[ast.AST]] = (),
) -> Objection | None:
    """An effect of a function that is called."""
    seen.add(function)
    for decorator in function.decorator_list:
        name = ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator)
        if name not in ("staticmethod", *_QUIET_CONTEXTS):
            return Objection(decorator, f"what the decorator {name} does would vanish")
    fresh = _fresh_names(function)
    for statement in function.body:
        found = _effect(statement, fresh, callee, seen, (), ending)
        if found is not None:
            return found
    return None


@lru_cache(maxsize=4096)
def _fresh_names(function: Function) -> frozenset[str]:
    """Names that only ever hold what the function makes, so that writing into it is seen by nobody.

    ``x = []`` and ``x = y + 1`` make something; ``x = self.seen`` and a parameter do not.
    """
    values: list[tuple[set[str], ast.expr]] = []
    for node in walk(function):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            values += [(_names(target), node.value) for target in targets]
        elif isinstance(node, (ast.For, ast.comprehension)):
            values.append((_names(node.target), node.iter))
    fresh = {name for names, _ in values for name in names}
    fresh -= {argument.arg for argument in walk(function.args) if isinstance(argument, ast.arg)}
    changed = True
    while changed:
        shared = {n for names, value in values if not _makes(value, fresh) for n in names & fresh}
        changed = bool(shared)
        fresh -= shared
    return frozenset(fresh)


def _names(target: ast.expr) -> set[str]:
    stored = (n for n in walk(target) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    return {node.id for node in stored}


def _makes(value: ast.expr, fresh: Collection[str]) -> bool:
    """Tell whether an expression gives something new, or a part of what is new."""
    if isinstance(value, (ast.Tuple, ast.List)):
        return all(_makes(item, fresh) for item in value.elts)
    if isinstance(value, ast.Starred):
        return _makes(value.value, fresh)
    if isinstance(value, ast.IfExp):
        return _makes(value.body, fresh) and _makes(value.orelse, fresh)
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        root = root_name(value.func.value)
        if root in (*_NAMESPACES, "self", *fresh):
            return True
        return value.func.attr in KNOWN - VIEWS or _makes(value.func.value, fresh)
    if isinstance(value, ast.Call):
        parts = (
            value.args if getattr(value.func, "id", "") in ("enumerate", "zip", "reversed") else []
        )
        return all(_makes(part, fresh) for part in parts)
    if isinstance(value, (ast.Name, ast.Subscript, ast.Attribute)):
        return root_name(value) in fresh or getattr(value, "attr", "") == "shape"
    kinds = (ast.ListComp, ast.GeneratorExp, ast.BinOp, ast.Constant, ast.Compare, ast.UnaryOp)
    return isinstance(value, kinds)


def _written(node: ast.AST, fresh: frozenset[str]) -> str | None:
    """What a node writes to outside of the statements."""
    if isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, ast.Store):
        root = root_name(node)
        if root not in fresh:
            return f"a write to {ast.unparse(node) if root == 'self' else root or 'an object'}"
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        # ``x += 1`` changes a list or a tensor in place, whoever else holds it.
        return None if node.target.id in fresh else f"a write to what {node.target.id} holds"
    return None


def _context(node: ast.With) -> str | None:
    for item in node.items:
        call = item.context_expr
        name = ast.unparse(call.func if isinstance(call, ast.Call) else call)
        if name not in _QUIET_CONTEXTS:
            return f"the context of {name}"
    return None


def _called(node: ast.Call, fresh: frozenset[str], callee: Callee) -> str | None:
    """A call that may do more than return a value."""
    function = node.func
    if callee(node) is not None:
        return None
    if isinstance(function, ast.Name):
        known = function.id in _PURE_BUILTINS or function.id in _PURE_FUNCTIONS
        return None if known else f"a call of {function.id}"
    if not isinstance(function, ast.Attribute):
        return "a call of something that is not known"
    root = root_name(function)
    if mutates(function.attr):
        known = function.attr.rstrip("_") in _PURE_METHODS
        return None if known and root in fresh else f"a call of {_dotted(function)}"
    if root in _NAMESPACES and isinstance(function.value, (ast.Name, ast.Attribute)):
        return (
            None
            if function.attr in _PURE_FUNCTIONS or root in _ALL_PURE
            else f"a call of {_dotted(function)}"
        )
    return None if function.attr in _PURE_METHODS else f"a call of {_dotted(function)}"


def _dotted(function: ast.Attribute) -> str:
    text = ast.unparse(function)
    return text if len(text) <= 40 else f"...{text[-36:]}"
