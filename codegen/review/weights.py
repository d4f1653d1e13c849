"""Weights of a class as its methods make them: what decides about keys of the state dict and sizes.

Two ways to write the same weight are equal here: arguments by position or by name, sizes directly or
through a name that the method or the class gives a value once. What decides about no size (the
epsilon of a norm, the values that a parameter starts with) is left out.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from codegen.review.names import Naming
from codegen.review.syntax import below, dotted

Method = ast.FunctionDef | ast.AsyncFunctionDef

#: Modules of torch without parameters or buffers.
STATELESS = frozenset(
    {
        *("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "Identity", "Flatten", "Unflatten"),
        *("ReLU", "ReLU6", "GELU", "SiLU", "Mish", "Tanh", "Sigmoid", "Softmax", "LogSoftmax"),
        *("LeakyReLU", "ELU", "Softplus", "Hardtanh", "Hardswish", "GLU", "Softsign"),
        *("MaxPool1d", "MaxPool2d", "MaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d"),
        *("AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "Fold", "Unfold"),
        *("Upsample", "PixelShuffle", "PixelUnshuffle", "ZeroPad2d", "ReflectionPad2d"),
        *("CrossEntropyLoss", "MSELoss", "BCEWithLogitsLoss", "L1Loss", "CosineSimilarity"),
    }
)
#: Modules that hold others: their arguments are these.
CONTAINERS = frozenset({"ModuleList", "ModuleDict", "Sequential", "ParameterList", "ParameterDict"})
#: Parameters of constructors by position, as far as they are given so.
_POSITIONS: Mapping[str, tuple[str, ...]] = {
    "Linear": ("in_features", "out_features", "bias"),
    "Embedding": ("num_embeddings", "embedding_dim", "padding_idx"),
    "LayerNorm": ("normalized_shape", "eps", "elementwise_affine", "bias"),
    "RMSNorm": ("normalized_shape", "eps", "elementwise_affine"),
    "GroupNorm": ("num_groups", "num_channels", "eps", "affine"),
    **{
        f"BatchNorm{n}d": ("num_features", "eps", "momentum", "affine", "track_running_stats")
        for n in (1, 2, 3)
    },
    **{
        f"Conv{transposed}{n}d": ("in_channels", "out_channels", "kernel_size", "stride")
        + (
            ("padding", "output_padding", "groups", "bias")
            if transposed
            else ("padding", "dilation", "groups", "bias")
        )
        for n in (1, 2, 3)
        for transposed in ("", "Transpose")
    },
}
#: Parameters of constructors of torch that decide about no size.
_SIZELESS = frozenset(
    {
        *("eps", "momentum", "stride", "padding", "dilation", "padding_mode", "output_padding"),
        *("padding_idx", "max_norm", "norm_type", "scale_grad_by_freq", "sparse", "num_groups"),
        *("dropout", "batch_first", "device", "dtype", "inplace", "activation", "norm_first"),
        *("requires_grad", "generator", "layout", "pin_memory", "fill_value", "std", "mean"),
    }
)
#: Functions that make a tensor of the size that their arguments say, whatever it holds.
_FACTORIES = frozenset({"ones", "zeros", "empty", "rand", "randn"})
_LIKE = frozenset({"ones_like", "zeros_like", "empty_like", "rand_like", "randn_like"})


@dataclass(frozen=True, slots=True)
class Weight:
    """A parameter, buffer or submodule: how it is made, and where (1-based line).

    ``made`` is the source of what makes it, ``size`` what of that decides about keys and sizes, ""
    where nothing does or nothing is known. ``kind``: parameter, buffer, module, container, or the
    name of a class of the file, or what builds one, which may have no weights of its own.
    """

    made: str
    constructor: str
    line: int
    size: str
    kind: str


class Values:
    """What names stand for within a class: locals and attributes that are given a value once."""

    def __init__(self, node: ast.ClassDef) -> None:
        self._class: dict[str, ast.expr] = {}
        for item in node.body:
            targets = item.targets if isinstance(item, ast.Assign) else []
            if isinstance(item, ast.AnnAssign) and item.value is not None:
                targets = [item.target]
            value = getattr(item, "value", None)
            for target in targets:
                if isinstance(target, ast.Name) and isinstance(value, ast.Constant):
                    self._class[f"self.{target.id}"] = value
        #: What of this is the same in another state of the class.
        self.constants = repr([(name, ast.dump(value)) for name, value in self._class.items()])
        self._method: Method | None = None
        self._read: dict[str, ast.expr] | None = {}

    def enter(self, method: Method) -> None:
        """Look at the assignments of another method, once they are asked for."""
        self._method, self._read = method, None

    @property
    def _local(self) -> Mapping[str, ast.expr]:
        if self._read is None:
            assert self._method is not None
            self._read = _assigned_once(self._method)
        return self._read

    def settled(self, node: ast.expr, depth: int = 4) -> ast.expr:
        """An expression with the values of names in it, as far as they are simple."""
        if depth == 0 or not any(map(self._stands_for, ast.walk(node))):
            return node
        return _Settle(self, depth).visit(copy.deepcopy(node))  # type: ignore[no-any-return]

    def _stands_for(self, node: ast.AST) -> bool:
        """Whether a node is a name or attribute that is given a value once."""
        if isinstance(node, ast.Name):
            name = node.id
        elif isinstance(node, ast.Attribute) and _is_own(node):
            name = f"self.{node.attr}"
        else:
            return False
        return name in self._local or name in self._class

    def value(self, name: str) -> ast.expr | None:
        """What a name stands for, if that is no call of something that makes a tensor or module."""
        found = self._local.get(name) or self._class.get(name)
        if found is None or any(isinstance(each, _UNSETTLED) for each in ast.walk(found)):
            return None
        return found


def _assigned_once(method: Method) -> dict[str, ast.expr]:
    known: dict[str, ast.expr] = {}
    times: Counter[str] = Counter()
    arguments: set[str] = set()
    for item in below(method):
        if isinstance(item, (ast.Name, ast.Attribute)):
            if isinstance(item.ctx, ast.Store):
                times[dotted(item)] += 1
        elif isinstance(item, ast.arg):
            arguments.add(item.arg)
        elif isinstance(item, ast.Assign) and len(item.targets) == 1:
            target = item.targets[0]
            if isinstance(target, ast.Name) or _is_own(target):
                known[dotted(target)] = item.value
    return {k: v for k, v in known.items() if times[k] == 1 and k not in arguments}


_UNSETTLED = (ast.Lambda, ast.ListComp, ast.GeneratorExp, ast.DictComp, ast.Await, ast.Yield)


class _Settle(ast.NodeTransformer):
    def __init__(self, values: Values, depth: int) -> None:
        self._values, self._depth = values, depth

    def visit_Name(self, node: ast.Name) -> ast.expr:
        found = self._values.value(node.id)
        return self._values.settled(found, self._depth - 1) if found is not None else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if _is_own(node):
            found = self._values.value(dotted(node))
            if found is not None:
                return self._values.settled(found, self._depth - 1)
            return node
        self.generic_visit(node)
        return node


def _is_own(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )


def read_weight(
    value: ast.expr, naming: Naming, modules: frozenset[str], values: Values
) -> Weight | None:
    """The weight that a value assigned to an attribute is; None if it is none."""
    if isinstance(value, ast.IfExp):
        return read_weight(value.body, naming, modules, values) or read_weight(
            value.orelse, naming, modules, values
        )
    if not isinstance(value, ast.Call):
        return None
    name = dotted(value.func)
    last = name.rsplit(".", 1)[-1]
    of_torch = name.startswith(("nn.", "torch.nn.")) and last[:1].isupper()
    built = last in ("_from_config", "from_config") or name in modules
    if not (of_torch or built) or (of_torch and last in STATELESS):
        return None
    text = naming.text(ast.unparse(value))
    if not of_torch:
        return Weight(text, naming.text(name), value.lineno, "", name)
    if last in CONTAINERS:
        size = _content_size(value, values)
        return Weight(text, naming.text(name), value.lineno, naming.text(size), "container")
    if last == "Parameter":
        size = _tensor_size(value.args[0], values) if value.args else ""
        return Weight(text, naming.text(name), value.lineno, naming.text(size), "parameter")
    size = _constructor_size(last, value, values)
    return Weight(text, naming.text(name), value.lineno, naming.text(size), "module")


def _content_size(call: ast.Call, values: Values) -> str:
    """What is in a container: its modules with what decides about them, and how often."""
    said: list[str] = []
    for item in ast.walk(call):
        if isinstance(item, ast.comprehension):
            said.append(f"for {ast.unparse(values.settled(item.iter))}")
        if not isinstance(item, ast.Call) or item is call:
            continue
        last = dotted(item.func).rsplit(".", 1)[-1]
        if last[:1].isupper() and last not in STATELESS:
            said.append(f"{last}({_constructor_size(last, item, values)})")
    return " ".join(said)


def read_registered(call: ast.Call, naming: Naming, values: Values) -> tuple[str, Weight] | None:
    """Name and weight that ``register_buffer`` or ``register_parameter`` registers by a constant name;
    None for other calls, and for buffers that are not kept."""
    func = call.func
    if not (_is_own(func) and isinstance(func, ast.Attribute) and call.args):
        return None
    if func.attr not in ("register_buffer", "register_parameter", "add_module"):
        return None
    first = call.args[0]
    if not isinstance(first, ast.Constant):
        return None
    given = {item.arg: item.value for item in call.keywords}
    tensor = call.args[1] if len(call.args) > 1 else given.get("tensor", given.get("param"))
    kept = call.args[2] if len(call.args) > 2 else given.get("persistent")
    if isinstance(kept, ast.Constant) and kept.value is False and func.attr == "register_buffer":
        return None
    made = naming.text(ast.unparse(tensor)) if tensor is not None else ""
    size = naming.text(_tensor_size(tensor, values)) if tensor is not None else ""
    kind = {"register_buffer": "buffer", "register_parameter": "parameter"}.get(func.attr, "module")
    if tensor is None or not size.startswith(_KNOWN):
        size = ""  # what the values of a buffer are computed from says nothing about its size
    return str(first.value), Weight(made, kind, call.lineno, size, kind)


#: How the size of a tensor begins that a factory makes.
_KNOWN = "size "


def _tensor_size(node: ast.expr, values: Values) -> str:
    """What decides about the size of a tensor: the arguments of the function that makes it."""
    settled = values.settled(node)
    made = _factory(settled)
    if not isinstance(made, ast.Call):
        return ast.unparse(settled)
    name = dotted(made.func)
    last = name.rsplit(".", 1)[-1]
    size = [item.value for item in made.keywords if item.arg == "size"]
    if name.startswith("torch.") and last in _FACTORIES:
        return _size(size or made.args)
    if name.startswith("torch.") and last in (*_LIKE, "full"):
        return _size(size or made.args[:1])
    if name == "torch.normal" and size:
        return _size(size)
    return ast.unparse(settled)


def _factory(node: ast.expr) -> ast.expr:
    """The tensor that is scaled, shifted or negated: it has the size of the result."""
    while isinstance(node, (ast.BinOp, ast.UnaryOp)):
        if isinstance(node, ast.UnaryOp):
            node = node.operand
        else:
            sides = (node.left, node.right)
            node = next((each for each in sides if not isinstance(each, ast.Constant)), sides[0])
    return node


def _size(sizes: list[ast.expr]) -> str:
    if len(sizes) == 1 and isinstance(sizes[0], (ast.Tuple, ast.List)):
        sizes = sizes[0].elts
    return _KNOWN + ", ".join(map(ast.unparse, sizes))


def _constructor_size(name: str, call: ast.Call, values: Values) -> str:
    """The arguments of a constructor of torch that decide about sizes, by name where it is known."""
    positions = _POSITIONS.get(name, ())
    said: dict[str, str] = {}
    for index, item in enumerate(call.args):
        key = positions[index] if index < len(positions) else f"{index:02}"
        said[key] = ast.unparse(values.settled(item))
    for keyword in call.keywords:
        said[keyword.arg or "**"] = ast.unparse(values.settled(keyword.value))
    defaults = {"bias": "True", "affine": "True", "elementwise_affine": "True", "groups": "1"}
    return ", ".join(
        f"{key}={value}"
        for key, value in sorted(said.items())
        if key not in _SIZELESS and defaults.get(key) != value
    )
