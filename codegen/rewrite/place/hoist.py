"""Hand a rotary module position ids instead of the sizes it computes them from.

A step of lift. The ids and what follows the product with the inverse frequencies move to the callers,
where the ids can be lifted as in any other encoder. An override that is left with the product alone is
removed where the parent's ``forward`` is that product.

    def forward(self, grid, sizes):                     def forward(self, position_ids):
        rotary_pos_ids = get_...(grid, sizes)               return (... * self.inv_freq).flatten(1)
        angles = (... * self.inv_freq).flatten(1)  ->
        return angles.cos(), angles.sin()               rotary_pos_ids = get_...(grid, sizes)
                                                        angles = self.rotary(rotary_pos_ids)
    embeddings = self.rotary(grid, sizes)               embeddings = (angles.cos(), angles.sin())

All callers in the tree have to be understood; otherwise the module keeps its parameters, and the
report says why.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from codegen.rewrite.emit.edits import Change, Edit, Insert, Redefine, Replace, Site, Substitute
from codegen.rewrite.functions import Function, parameters, self_attribute
from codegen.rewrite.helper_entry import Helper
from codegen.rewrite.helpers import LIFTED
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.nodes import is_written, only, target_of, walk
from codegen.rewrite.place.calls import bind_arguments, substitute
from codegen.rewrite.place.rotary import is_position_forward, position_forward
from codegen.rewrite.place.rotary_callers import Callers, CallSite, Refusal
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Record, model_of
from codegen.rewrite.vision_helpers import IMAGE_POS_IDS, ROTARY_POS_IDS
from codegen.text.lines import LineMap

(IDS,) = ROTARY_POS_IDS.outputs


def products(buffers: Sequence[str]) -> dict[str, str]:
    """Products of position ids and frequencies as extraction writes them, each with its buffer."""
    return {
        f"({ids}.unsqueeze(-1) * self.{buffer}).flatten(1)": buffer
        for buffer in buffers
        for ids in (IDS, f"{IDS}.to(self.{buffer}.device)")
    }


@dataclass(frozen=True)
class RotaryForward:
    """A ``forward`` that computes position ids, multiplies, and goes on with the product.

    ``body`` are the statements behind the helper call up to the ``return``; ``product`` lies in one
    of them or in ``result``, the returned expression.
    """

    cls: ClassInfo
    function: Function
    helper: Helper
    arguments: tuple[str, ...]
    product: ast.expr
    buffer: str
    body: tuple[ast.Assign, ...]
    result: ast.expr

    @property
    def text(self) -> LineMap:
        """The text it stands in."""
        return self.cls.module.text

    @property
    def local_names(self) -> set[str]:
        """Names that its statements assign."""
        return {
            n.id
            for statement in self.body
            for n in walk(statement)
            if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }

    @property
    def outer_names(self) -> set[str]:
        """Names that it takes from its module."""
        found: set[str] = set()
        for node in (*self.body, self.result):
            found |= names_outside(node, self.product)
        return found - self.local_names - set(dir(builtins))


def hoist_positions(state: RewriteState) -> set[tuple[str, str]]:
    """Rewrite rotary modules and their callers wherever the shape is found.

    Returns:
        The modules (dotted file, class) that others may take the place of: they and their callers
        have to stay as they are.
    """
    fixed = set()
    found = [
        rotary
        for info in state.candidates()
        for cls in state.classes(info)
        if (rotary := rotary_forward(cls, state.index.vocabulary.frequencies)) is not None
    ]
    for rotary in found:
        try:
            sites = Callers(state, rotary.cls, rotary.function).find()
            calls = [Site(site.cls, site.function, site_edits(rotary, site)) for site in sites]
        except Refusal as refusal:
            place = refusal.place or rotary.cls.module.place(rotary.function)
            reason = f"keeps its parameters: {refusal.reason}"
            state.note(_record(rotary, "left", place, reason))
            if refusal.replaced:
                fixed.add((rotary.cls.module.source.module, rotary.cls.name))
            continue
        removed = inherits_product(state, rotary.cls)
        own = Site(rotary.cls, rotary.function, (module_edit(rotary, removed),))
        place = rotary.cls.module.place(rotary.function)
        reason = "takes position ids; its callers compute them and go on with the product"
        helpers = tuple((site.cls.module, rotary.helper.name) for site in sites)
        record = _record(rotary, "lifted", place, reason)
        state.propose(Change("hoist", (*calls, own), helpers, (record,)))
    state.settle()
    for rotary in found:
        state.forget(rotary.cls.module.source.module, rotary.helper.name)
    state.settle()
    return fixed


def _record(rotary: RotaryForward, kind: str, place: str, reason: str) -> Record:
    helper = rotary.helper.name if kind == "lifted" else ""
    model = model_of(rotary.cls.module.source.module)
    return Record(model, rotary.cls.name, "forward", kind, place, helper, reason=reason)


# -- the shape ------------------------------------------------------------------------------------


def rotary_forward(cls: ClassInfo, buffers: Sequence[str]) -> RotaryForward | None:
    """The ``forward`` of a class if it has the shape, as extraction leaves it."""
    function = cls.methods.get("forward")
    if function is None or function.decorator_list or function.args.vararg or function.args.kwarg:
        return None
    segment = cls.module.segment(function)
    if not any(h.name in segment for h in (ROTARY_POS_IDS, IMAGE_POS_IDS)):
        return None
    first, *body = without_docstring(function)
    call = ids_call(first)
    last = body.pop() if body else None
    assigns = [node for node in body if isinstance(node, ast.Assign)]
    if call is None or not isinstance(last, ast.Return) or last.value is None:
        return None
    if len(assigns) < len(body):
        return None
    result = last.value
    product = find_product([*assigns, result], products(buffers))
    taken = {*parameters(function), IDS}
    if product is None or any(names_outside(n, product) & taken for n in (*assigns, result)):
        return None
    if assigns and is_written(target_of(assigns[-1]), ast.unparse(result)):
        # The last statement only names what is returned, and callers have names of their own.
        result = assigns.pop().value
    arguments = tuple(ast.unparse(argument) for argument in call.args)
    if not all(_is_carried(argument) for argument in call.args):
        return None
    helper = LIFTED[ast.unparse(call.func)]
    buffer = products(buffers)[ast.unparse(product)]
    return RotaryForward(cls, function, helper, arguments, product, buffer, tuple(assigns), result)


def _is_carried(argument: ast.expr) -> bool:
    """Tell whether an argument means something to callers: a name, a field of the module or a number."""
    if isinstance(argument, ast.Constant):
        return type(argument.value) is int
    return isinstance(argument, ast.Name) or bool(self_attribute(argument))


def find_product(
    nodes: Sequence[ast.stmt | ast.expr], products: Collection[str]
) -> ast.Call | None:
    """The product of position ids and inverse frequencies, if it occurs once."""
    found = [
        child
        for node in nodes
        for child in walk(node)
        if isinstance(child, ast.Call) and ast.unparse(child) in products
    ]
    return only(found)


def without_docstring(function: Function) -> list[ast.stmt]:
    """Statements of a function behind its docstring."""
    body = function.body
    return body[1:] if ast.get_docstring(function) is not None else body


def ids_call(statement: ast.stmt) -> ast.Call | None:
    """The call of ``rotary_pos_ids = <helper>(...)``."""
    if not isinstance(statement, ast.Assign) or not is_written(target_of(statement), IDS):
        return None
    call = statement.value
    if not isinstance(call, ast.Call) or call.keywords:
        return None
    return call if ast.unparse(call.func) in (ROTARY_POS_IDS.name, IMAGE_POS_IDS.name) else None


def names_outside(node: ast.AST, hole: ast.AST) -> set[str]:
    """Names in a tree, those in one of its parts left out."""
    if node is hole:
        return set()
    found = {node.id} if isinstance(node, ast.Name) else set()
    for child in ast.iter_child_nodes(node):
        found |= names_outside(child, hole)
    return found


def inherits_product(state: RewriteState, cls: ClassInfo) -> bool:
    """Tell whether a class without its own ``forward`` would have the product of a parent."""
    for ancestor in state.index.mro(cls)[1:]:
        if "forward" in ancestor.methods:
            forward = ancestor.methods["forward"]
            return is_position_forward(forward, state.index.vocabulary.frequencies)
    return False


# -- edits ----------------------------------------------------------------------------------------


def site_edits(rotary: RotaryForward, site: CallSite) -> tuple[Edit, ...]:
    """Put the computation in front of a statement that calls the module, the rest in place of the call.

    Raises:
        Refusal: the names of one place mean something else in the other.
    """
    text = site.cls.module.text
    bound = bind_arguments(site.call, rotary.function, text)
    arguments = [substitute(a, bound, f"self.{site.attribute}") for a in rotary.arguments]
    given = [argument for argument in arguments if argument is not None]
    if len(given) < len(arguments):
        raise Refusal("a call leaves a size to its default", site.place)
    check_names(rotary, site)
    product = f"self.{site.attribute}({IDS})"
    lines = [f"{IDS} = {rotary.helper.name}({', '.join(given)})"]
    for statement in rotary.body:
        source = with_product(rotary, statement, product).split("\n")
        indent = " " * statement.col_offset
        lines += [line.removeprefix(indent) if n else line for n, line in enumerate(source)]
    result = rotary.result
    new = with_product(rotary, result, product)
    # `(a), b` begins with a parenthesis that is not the tuple's; behind a name, it is no call.
    called = ast.parse(f"_{new}", mode="eval").body if new.startswith("(") else None
    bare = isinstance(result, ast.Tuple) and not isinstance(called, ast.Call)
    compound = not isinstance(result, (ast.Call, ast.Name, ast.Tuple))
    if bare or (compound and not is_whole(site)):
        new = f"({new})"
    return Insert(site.statement, tuple(lines)), Substitute(site.call, new)


def with_product(rotary: RotaryForward, node: ast.stmt | ast.expr, new: str) -> str:
    """Source of a node with the product replaced."""
    source, (start, end) = rotary.text.source(node), rotary.text.span(node)
    left, right = rotary.text.span(rotary.product)
    if not start <= left <= right <= end:
        return source
    return source[: left - start] + new + source[right - start :]


def is_whole(site: CallSite) -> bool:
    """Tell whether a call is all that its statement assigns or returns."""
    return getattr(site.statement, "value", None) is site.call


def check_names(rotary: RotaryForward, site: CallSite) -> None:
    """Refuse names that are taken in the caller, or that its module does not know."""
    targets = getattr(site.statement, "targets", []) if is_whole(site) else []
    own = {n.id for t in targets for n in walk(t) if isinstance(n, ast.Name)}
    nodes = list(walk(site.function))
    taken = {n.id for n in nodes if isinstance(n, ast.Name)} | set(parameters(site.function))
    clash = sorted((rotary.local_names - own | {IDS}) & taken)
    if clash:
        raise Refusal(f"the caller has another use for {', '.join(clash)}", site.place)
    stored = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for name in sorted(rotary.outer_names):
        here, there = meaning(rotary.cls.module, name), meaning(site.cls.module, name)
        if name in stored or not here or here != there:
            raise Refusal(f"{name} means something else in the caller", site.place)


def meaning(info: ModuleInfo, name: str) -> str:
    """What a name is in a module: the import or definition it comes from, empty if unknown."""
    if name in info.imports:
        return ".".join(info.imports[name])
    for node in info.tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if (alias.asname or alias.name.partition(".")[0]) == name:
                    return alias.name if alias.asname else name
    return f"{info.source.module}.{name}" if name in {*info.functions, *info.classes} else ""


def module_edit(rotary: RotaryForward, removed: bool) -> Edit:
    """Replace the ``forward`` of a rotary module, or remove it if its comments have a place to stay."""
    alone = len(rotary.cls.node.body) == 1
    if removed and (alone or "#" not in rotary.cls.module.segment(rotary.function)):
        return Replace((rotary.function,))
    return Redefine(position_forward(rotary.buffer))
