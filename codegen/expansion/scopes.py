"""Set up the scopes of one expansion: the definition's own names and those of each parent."""

from __future__ import annotations

from collections.abc import Mapping

from codegen.expansion.model import Definition, ParsedModule
from codegen.expansion.nodes import Node, Scope, render_slice
from codegen.expansion.rename import Spelling
from codegen.trees.names import module_file_type

#: In a clash between a parent's and the definition's variable the latter wins for these names.
_DEFINITION_WINS = ("_CHECKPOINT", "_EXPECTED", "_FOR_DOC", "_HIDDEN_STATES_START_POSITION")


def own_scope(definition: Definition) -> Scope:
    """The definition's own functions, assignments and classes, as written."""
    nodes, riders = _nodes(definition.module, None, definition.model)
    positions = {name: node.symbol.position for name, node in nodes.items()}
    return Scope(nodes, positions, riders=riders)


def parent_scope(
    parent: ParsedModule,
    spelling: Spelling,
    definition: Definition,
    own: Scope,
    file_type: str | None,
) -> Scope:
    """A parent's renamed names, overlaid with those of the definition."""
    nodes, riders = _nodes(parent, spelling, definition.model)
    positions = {name: node.symbol.position for name, node in nodes.items()}
    neighbours = {spelling.name(name): kind for name, kind in parent.neighbours.items()}
    for name, node in own.nodes.items():
        if node.symbol.owner:
            nodes.setdefault(name, node)
        elif node.kind == "function" or (
            node.kind == "assignment" and _definition_wins(node, nodes.get(name))
        ):
            nodes[name] = node
            if node.kind == "assignment":
                riders[name] = own.riders.get(name, [])
    own_classes = {name for name, node in own.nodes.items() if node.kind == "class"}
    extra = frozenset(
        name
        for name in own_classes
        if name not in neighbours and (name not in nodes or nodes[name].kind != "class")
    )
    scope = Scope(nodes, positions, neighbours, file_type, extra, riders)
    scope.link()
    return scope


def redirect_imported(
    definition: Definition, own: Scope, parents: Mapping[str, Scope]
) -> dict[str, str]:
    """Bring functions and variables imported from parents into the other scopes.

    Returns the parent module of every name that joined the definition's own names.
    """
    joined: dict[str, str] = {}
    added: dict[str, Node] = {}
    immediate: dict[str, frozenset[str]] = {}
    for imported in definition.parents:
        name, scope = imported.name, parents[imported.module]
        node = scope.nodes.get(name)
        if node is None or node.kind == "class" or name not in scope.immediate:
            continue
        present = added.get(name) or own.nodes.get(name)
        if present is not None and present.kind == node.kind:
            continue
        added[name] = node
        joined[name] = imported.module
        immediate[name] = scope.immediate[name]
        for used in sorted(scope.immediate[name]):
            if used not in own.nodes and used in scope.nodes and used != name:
                added[used] = scope.nodes[used]
                joined[used] = imported.module
        if node.kind == "function":
            _redirect(name, node, scope, parents)
    own.nodes.update({name: node for name, node in added.items() if name not in own.nodes})
    own.link(only=set(own.positions))
    known = own.known()
    own.immediate.update({name: uses & known for name, uses in immediate.items()})
    return joined


def _redirect(name: str, node: Node, home: Scope, parents: Mapping[str, Scope]) -> None:
    """Let ``name`` and all it reaches denote the nodes of its home in every other parent."""
    closure = home.closure(name)
    kind = module_file_type(node.module.source.module)
    for scope in parents.values():
        if scope is home:
            continue
        scope.nodes[name] = node
        # from .image_processing_beta import N: a file that need not exist, or not define N, where
        # the definition takes N from the video processor. From there it is copied, like any other.
        if scope.neighbours.get(name, kind) != kind:
            del scope.neighbours[name]
        if closure:
            scope.redirected[name] = closure
            scope.nodes.update({used: home.nodes[used] for used in closure if used in home.nodes})


def _definition_wins(node: Node, other: Node | None) -> bool:
    if other is None or other.kind != "assignment":
        return True
    if any(pattern in node.name for pattern in _DEFINITION_WINS):
        return True
    return "_DOCSTRING" in node.name and not node.symbol.value_is_none


def _nodes(
    module: ParsedModule, spelling: Spelling | None, model: str
) -> tuple[dict[str, Node], dict[str, list[str]]]:
    """Nodes by new name, and for each variable the statements that travel with it."""
    rename = spelling.name if spelling else str
    nodes = {
        rename(name): Node(rename(name), symbol.kind, module, symbol, spelling, model)
        for name, symbol in module.symbols.items()
    }
    riders: dict[str, list[str]] = {}
    for symbol in module.riders:
        text = render_slice(module, spelling, model, symbol.lead_end, symbol.end)
        if rename(symbol.owner) in nodes:
            nodes[text] = Node(text, "assignment", module, symbol, spelling, model)
            riders.setdefault(rename(symbol.owner), []).append(text)
    return nodes, riders
