"""Where nodes of libcst begin and end: what its ``PositionProvider`` gives, in less than half of the time.

Finding positions means writing the module out, token by token. libcst's own provider searches each token
for line ends with a regular expression and makes three objects for every node; here both are plain. They
agree, which ``tests/rewrite/test_positions_in_lines.py`` holds them to.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

from libcst import CSTNode, Module
from libcst.metadata.position_provider import PositionProvidingCodegenState

Place = tuple[int, int]
"""Line and character, as libcst counts them in the lines it is given."""
Places = tuple[Place, Place]
"""Where a node begins, and where it ends."""


def places_of(module: Module) -> Mapping[int, Places]:
    """Where each node of a module is, by the identity of the node."""
    state = _Writing(module.default_indent, module.default_newline, None)  # type: ignore[arg-type]
    state.found = {}
    module._codegen(state)
    return state.found


class _Recording:
    """Records where a node is, but for the space around it."""

    __slots__ = ("end", "node", "start", "state", "where")

    def __init__(
        self, state: _Writing, node: CSTNode, start: CSTNode | None, end: CSTNode | None
    ) -> None:
        self.state, self.node, self.start, self.end = state, node, start, end

    def __enter__(self) -> None:
        self.where = self.state.line, self.state.column

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        state, found = self.state, self.state.found
        found[id(self.node)] = (
            self.where if self.start is None else found[id(self.start)][0],
            (state.line, state.column) if self.end is None else found[id(self.end)][1],
        )


class _Writing(PositionProvidingCodegenState):
    """Writes a module out and notes where nodes are."""

    found: dict[int, Places]

    def _update_position(self, value: str) -> None:
        if "\n" in value or "\r" in value:
            super()._update_position(value)
        else:
            self.column += len(value)

    def before_codegen(self, node: CSTNode) -> None:
        """See :class:`PositionProvidingCodegenState`."""
        self._stack.append((self.line, self.column))  # type: ignore[arg-type]

    def after_codegen(self, node: CSTNode) -> None:
        """See :class:`PositionProvidingCodegenState`: what was recorded without space stays."""
        start = self._stack.pop()
        if id(node) not in self.found:
            self.found[id(node)] = start, (self.line, self.column)  # type: ignore[assignment]

    def record_syntactic_position(  # type: ignore[override]
        self,
        node: CSTNode,
        *,
        start_node: CSTNode | None = None,
        end_node: CSTNode | None = None,
    ) -> _Recording:
        """See :class:`PositionProvidingCodegenState`."""
        return _Recording(self, node, start_node, end_node)
