"""What the encoders of a package take as precomputed tensors, and what these are computed from.

Read from the encoders as the passes left them:

    if rotary_pos_ids is None:
        rotary_pos_ids = get_rotary_pos_ids(grid_thw, self.spatial_merge_size)

is a demand for ``get_rotary_pos_ids`` of ``("grid_thw", "spatial_merge_size")``, once ``__init__`` says that
the attribute comes from the configuration.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from codegen.rewrite.functions import Function, parameters, self_attribute
from codegen.rewrite.helper_entry import VISION, Helper
from codegen.rewrite.helpers import HELPER_MODULES, LIFTED, LONGEST
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import glance, of_kind, walk
from codegen.rewrite.state import RewriteState

Argument = str | int
"""A number, or the name of an input, of an earlier result or of a configuration attribute (a square root
of one is written ``name**0.5``, a quotient ``name//name``)."""


_BATCH = {"merge_sizes", "input_features", "feature_lens", "chunk_lengths"}
"""Parameters of encoders, besides grids, that follow from what a processor returns."""

_SECTIONS = ("vision_config", "audio_config")
"""Parts of a configuration where the fields of encoders are looked up outside of the model."""


@dataclass(frozen=True, slots=True)
class Demand:
    """A helper whose results an encoder takes, with the arguments the encoder would call it with.

    ``source`` is the helper whose result is the argument of one that serves all modalities.
    """

    helper: Helper
    arguments: tuple[Argument, ...]
    source: Helper | None = None

    @property
    def is_vision(self) -> bool:
        """Whether it is about images and videos, not about audios."""
        return (self.source or self.helper).module == VISION


def find_demands(state: RewriteState, package: str) -> tuple[list[Demand], list[str]]:
    """Demands of the encoders in a package, in their order there, and what stands in the way of others.

    A helper is left out, with the reason, where an argument cannot be known outside the encoder or where
    two encoders call it differently.
    """
    found: dict[str, Demand] = {}
    unknown: dict[str, str] = {}
    differing = set()
    longest: dict[Demand, None] = {}
    for info in state.candidates():
        if info.source.module.rpartition(".")[0] != package:
            continue
        for cls in state.classes(info):
            for function, helper, call in _demanding(state.index, cls):
                arguments = _arguments(state.index, cls, function, call)
                if arguments is None:
                    unknown[helper.name] = f"{ast.unparse(call)} in {cls.name} needs its own state"
                elif (
                    found.setdefault(helper.name, Demand(helper, arguments)).arguments != arguments
                ):
                    differing.add(helper.name)
                else:
                    longest.update(dict.fromkeys(_longest(state.index, cls, helper)))
    reasons = [reason for name, reason in unknown.items() if name not in found]
    reasons += [f"encoders call {name} with different arguments" for name in sorted(differing)]
    known = [demand for name, demand in found.items() if name not in differing]
    return [*known, *(d for d in longest if d.source in [k.helper for k in known])], reasons


def _longest(index: Index, cls: ClassInfo, helper: Helper) -> Iterator[Demand]:
    """What the layers of an encoder compute from results of a helper, where the encoder takes that, too."""
    forward = index.method(cls, "forward")
    names = parameters(forward[1]) if forward is not None else []
    for boundaries, measure in LONGEST.items():
        if boundaries in helper.outputs and measure.outputs[0] in names:
            yield Demand(measure, (boundaries,), helper)


def _demanding(index: Index, cls: ClassInfo) -> Iterator[tuple[Function, Helper, ast.Call]]:
    """Guarded calls of the ``forward`` of a class, and those of methods whose results it only hands on."""
    found = index.method(cls, "forward")
    if found is None:
        return
    forward, names = found[1], set(parameters(found[1]))
    own = list(guarded_calls(forward))
    yield from ((forward, helper, call) for helper, call in own)
    known = {helper.name for helper, _ in own}
    for function in cls.methods.values():
        for helper, call in guarded_calls(function) if function is not forward else ():
            if helper.name not in known and names.issuperset(helper.outputs):
                yield function, helper, call


def guarded_calls(function: Function) -> Iterator[tuple[Helper, ast.Call]]:
    """Helper calls that are made only where their results, parameters of the function, are None."""
    for helper, assigned in guarded_results(function):
        assert isinstance(assigned.value, ast.Call)
        yield helper, assigned.value


def guarded_results(function: Function) -> Iterator[tuple[Helper, ast.Assign]]:
    """The statements of such calls."""
    seen = glance(function)
    if seen is not function and not any(_guarded(seen)):
        return iter(())
    return _guarded(function)


def _guarded(function: Function) -> Iterator[tuple[Helper, ast.Assign]]:
    names = set(parameters(function))
    for node in of_kind(function, ast.If):
        # What is done to a result behind the call, as for tracing, is of no interest here.
        for assigned in node.body:
            call = assigned.value if isinstance(assigned, ast.Assign) else None
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
                continue
            helper = LIFTED.get(call.func.id)
            if helper is None or not names.issuperset(helper.outputs):
                continue
            if all(f"{name} is None" in ast.unparse(node.test) for name in helper.outputs):
                assert isinstance(assigned, ast.Assign)
                yield helper, assigned


def _arguments(
    index: Index, cls: ClassInfo, function: Function, call: ast.Call
) -> tuple[Argument, ...] | None:
    """Positional arguments of a helper call; its keywords only bound shapes while tracing."""
    found = [_argument(index, cls, function, node) for node in call.args]
    known = tuple(argument for argument in found if argument is not None)
    return known if len(known) == len(found) else None


def _argument(index: Index, cls: ClassInfo, function: Function, node: ast.expr) -> Argument | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.Name):
        if node.id in parameters(function) and node.id.endswith("grid_thw"):
            return "grid_thw"
        return node.id if node.id in _BATCH or node.id in HELPER_MODULES else None
    made = _followed(index, cls, node)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        made = _entry(_followed(index, cls, node.value), node.slice.value)
    return _configured(node) or _configured(made) or _side_of_table(index, cls, node)


def _entry(node: ast.expr, number: object) -> ast.expr:
    """The entry of a tuple or list that is written out; the node itself of anything else."""
    listed = node.elts if isinstance(node, (ast.Tuple, ast.List)) else []
    known = isinstance(number, int) and 0 <= number < len(listed)
    return listed[number] if known and isinstance(number, int) else node


def _side_of_table(index: Index, cls: ClassInfo, node: ast.expr) -> str | None:
    """``a//b`` of ``int(self.table.weight.shape[0] ** 0.5)``, for a table of as many rows as a square of it."""
    name = _table_of_root(node)
    table = index.attribute(cls, name) if name else None
    if table is None or not isinstance(table[2], ast.Call) or not table[2].args:
        return None
    squared = _followed(index, cls, table[2].args[0])
    if not isinstance(squared, ast.BinOp) or not isinstance(squared.op, ast.Pow):
        return None
    side = _followed(index, cls, squared.left)
    if getattr(squared.right, "value", None) != 2 or not isinstance(side, ast.BinOp):
        return None
    parts = [_configured(_followed(index, cls, part)) for part in (side.left, side.right)]
    if not isinstance(side.op, ast.FloorDiv) or None in parts:
        return None
    return f"{parts[0]}//{parts[1]}"


def _table_of_root(node: ast.expr) -> str:
    """``table`` of ``int(self.table.weight.shape[0] ** 0.5)``, empty for anything else."""
    weight = next((n for n in walk(node) if getattr(n, "attr", "") == "weight"), None)
    name = self_attribute(weight.value) if isinstance(weight, ast.Attribute) else ""
    root = f"int(self.{name}.weight.shape[0] ** 0.5)"
    return name if name and ast.unparse(node) == root else ""


def _followed(index: Index, cls: ClassInfo, node: ast.expr) -> ast.expr:
    """What ``__init__`` assigns to an attribute of ``self``, and so on."""
    seen: set[str] = set()
    while (name := self_attribute(node)) and name not in seen:
        seen.add(name)
        found = index.attribute(cls, name)
        if found is None:
            break
        node = found[2]
    return node


def _configured(node: ast.expr) -> str | None:
    """``name`` of ``config.name`` or ``config.vision_config.name``, ``name**0.5`` of ``int(config.name ** 0.5)``."""
    if isinstance(node, ast.Attribute):
        owner = node.value
        if isinstance(owner, ast.Attribute) and owner.attr in _SECTIONS:
            owner = owner.value
        is_config = isinstance(owner, ast.Name) and owner.id == "config"
        return node.attr if is_config or self_attribute(owner) == "config" else None
    if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "int":
        return None
    root = node.args[0] if node.args else None
    if not isinstance(root, ast.BinOp) or not isinstance(root.op, ast.Pow):
        return None
    name = _configured(root.left)
    exponent = getattr(root.right, "value", None)
    return f"{name}**0.5" if name is not None and exponent == 0.5 else None
