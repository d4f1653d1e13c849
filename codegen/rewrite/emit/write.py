"""Write the edits of one method: libcst on the lines of that method, found by their ``ast`` positions.

Only the lines of the method are parsed, below a ``class`` line of their own so that their indentation
stays; what no edit touches is printed as it was read.
"""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Mapping, Sequence

import libcst as cst

from codegen.rewrite.emit.blocks import BlockWriter, StatementEdits
from codegen.rewrite.emit.docstring import marked_optional, with_entries
from codegen.rewrite.emit.edits import (
    AddKeywords,
    AddOption,
    AddParameters,
    Branch,
    Describe,
    DropKeyword,
    Edit,
    ElseIf,
    Enclose,
    Insert,
    LetOut,
    Redefine,
    Replace,
    Substitute,
    nodes_of,
)
from codegen.rewrite.emit.expressions import enclosed, substituted, with_keywords, without_keyword
from codegen.rewrite.emit.hidden import INDENT, hidden
from codegen.rewrite.emit.layout import comment_line, comments_in, with_lead
from codegen.rewrite.emit.masked import masks
from codegen.rewrite.emit.places import Excerpt, excerpt, parsed
from codegen.rewrite.emit.positions import Place, Places
from codegen.rewrite.emit.signature import with_none, with_option, with_parameters
from codegen.rewrite.emit.splices import Splice
from codegen.rewrite.emit.style import Style
from codegen.text.lines import LineMap
from codegen.text.statements import first_line

_HEADER = "class _:\n"
_STATEMENTS = frozenset(
    (cst.IndentedBlock, cst.SimpleStatementSuite, cst.Module, cst.If, cst.FunctionDef)
)
"""Nodes, apart from expressions, at which something may be due once all in them is done."""


PLAIN = Style()


class EditError(Exception):
    """An edit that cannot be written; the reason is for the report."""


def write_edits(
    text: LineMap,
    siblings: Sequence[ast.stmt],
    node: ast.stmt,
    edits: Sequence[Edit],
    style: Style = PLAIN,
) -> Splice:
    """Carry out the edits of a statement in the body of a class, usually a method.

    Args:
        text: of the module.
        siblings: all statements in the body of the class.
        node: the statement.
        edits: what is to be done to it, and to what it holds.
        style: how the file writes some things.

    Returns:
        What comes in the place of its lines, decorators included.

    Raises:
        EditError: the lines cannot be read, or a node that an edit speaks of is not found in them.
    """
    assert node.end_lineno is not None
    first = first_line(node)
    if Replace((node,)) in edits and len(siblings) > 1:
        return removal(text, node, siblings[-1] is node)
    header = _HEADER if node.col_offset else ""
    unseen = hidden(text, node, edits)
    spans = masks(text, node, edits, unseen)
    lines = excerpt(text, (first, node.end_lineno), header, unseen, spans)
    try:
        module, positions = parsed(lines.text)
        writer = Writer(positions, lines, node, edits, style, _new_of(module))
        code = module.visit(writer).code
    except (cst.ParserSyntaxError, cst.CSTValidationError) as error:
        raise EditError(f"libcst refuses it: {str(error).splitlines()[0]}") from error
    writer.check_done()
    return Splice(
        text.start_of(first),
        text.start_of(node.end_lineno + 1),
        lines.restored(code, writer.new or ()),
    )


def _new_of(module: cst.Module) -> list[Sequence[str]] | None:
    """A place for lines that libcst need not see; None where it would write them in another way."""
    plain = module.has_trailing_newline and module.default_newline == "\n"
    return [] if plain and module.default_indent == INDENT else None


def removal(text: LineMap, node: ast.stmt, is_last: bool) -> Splice:
    """Take a statement out of its class, with the blank lines that set it apart."""
    assert node.end_lineno is not None
    start, end = text.start_of(first_line(node)), text.start_of(node.end_lineno + 1)
    before, behind = text.text[:start], text.text[end:]
    if is_last:
        start = len(before.rstrip("\n")) + 1
    else:
        end += len(behind) - len(behind.lstrip("\n"))
    return Splice(start, end, "")


class Writer(cst.CSTTransformer):
    """One walk over the lines of a method that carries out all edits."""

    def __init__(
        self,
        positions: Mapping[int, Places],
        lines: Excerpt,
        node: ast.stmt,
        edits: Sequence[Edit],
        style: Style,
        new: list[Sequence[str]] | None = None,
    ) -> None:
        super().__init__()
        self.new = new
        self.positions = positions
        self.lines = lines
        self.style = style
        self.edits = tuple(dict.fromkeys(edits))
        self.root = lines.start(node)
        self.statements = StatementEdits()
        self.expressions: dict[Places, list[Edit]] = {}
        self.branches: dict[Place, list[ElseIf]] = {}
        comments = {lines.start(s): found for s, found in lines.hidden.comments.items()}
        self.blocks = BlockWriter(self.statements, self._place, style, comments, new)
        for edit in self.edits:
            self._enter(edit)
        starts = (start for start, _ in self.expressions)
        self.due = sorted({self.root, *self.statements.touched, *starts, *self.branches})

    # -- what is due where ------------------------------------------------------------------------

    def _enter(self, edit: Edit) -> None:
        due = self.statements
        if isinstance(edit, Insert):
            side = due.behind if edit.behind else due.before
            side.setdefault(self._touch(edit.anchor), []).append(edit)
        elif isinstance(edit, Replace):
            places = [self._touch(statement) for statement in edit.statements]
            due.replaced[places[0]] = edit, frozenset(places)
        elif isinstance(edit, Branch):
            places = [self._touch(statement) for statement in edit.statements]
            due.branches[places[0]] = edit, frozenset(places)
        elif isinstance(edit, ElseIf):
            self.branches.setdefault(self.lines.start(edit.node), []).append(edit)
        elif isinstance(edit, (Substitute, Enclose)):
            self.expressions.setdefault(self.lines.span(edit.node), []).append(edit)
        elif isinstance(edit, (AddKeywords, DropKeyword)):
            self.expressions.setdefault(self.lines.span(edit.call), []).append(edit)

    def _touch(self, statement: ast.stmt) -> Place:
        place = self.lines.start(statement)
        self.statements.touched.add(place)
        return place

    def check_done(self) -> None:
        """Raise EditError unless every edit was carried out."""
        for edit in self.edits:
            if edit not in self.statements.done:
                raise EditError(f"no place for {describe(edit)}")

    def _place(self, node: cst.CSTNode) -> Place:
        return self.positions[id(node)][0]

    def _span(self, node: cst.BaseExpression) -> Places:
        """Where ``ast`` has an expression: a tuple or generator with its parentheses."""
        if isinstance(node, (cst.Tuple, cst.GeneratorExp)) and node.lpar:
            return self.positions[id(node.lpar[-1])][0], self.positions[id(node.rpar[0])][1]
        return self.positions[id(node)]

    # -- the walk ---------------------------------------------------------------------------------

    def on_visit(self, node: cst.CSTNode) -> bool:
        """Look into a node only if an edit is due in it: visiting is most of the work."""
        found = self.positions.get(id(node))
        if found is None:
            return False
        next_due = bisect_left(self.due, found[0])
        return next_due < len(self.due) and self.due[next_due] <= found[1]

    def on_visit_attribute(self, node: cst.CSTNode, attribute: str) -> None:
        """Nothing is due between the parts of a node: no method need be looked for."""

    def on_leave_attribute(self, original_node: cst.CSTNode, attribute: str) -> None:
        """See :meth:`on_visit_attribute`."""

    def on_leave(self, original_node: cst.CSTNode, updated_node: cst.CSTNode) -> object:  # type: ignore[override]
        """Carry out what is due at a node, once what is due inside it is done."""
        if original_node.__class__ not in _STATEMENTS:
            if not self.expressions or not isinstance(original_node, cst.BaseExpression):
                return updated_node
            if id(original_node) in self.positions:
                assert isinstance(updated_node, cst.BaseExpression)
                return self._expression(original_node, updated_node)
        elif isinstance(original_node, cst.IndentedBlock):
            assert isinstance(updated_node, cst.IndentedBlock)
            return self._block(original_node, updated_node)
        elif isinstance(original_node, cst.SimpleStatementSuite):
            assert isinstance(updated_node, cst.SimpleStatementSuite)
            if self.blocks.is_touched([original_node]):
                block = self.blocks.write([original_node], [updated_node])
                return cst.IndentedBlock(block.body, footer=block.footer)
        elif isinstance(original_node, cst.Module):
            assert isinstance(updated_node, cst.Module)
            if self.blocks.is_touched(original_node.body):
                block = self.blocks.write(original_node.body, updated_node.body, pad=False)
                footer = (*block.footer, *updated_node.footer)
                return updated_node.with_changes(body=block.body, footer=footer)
        elif isinstance(original_node, cst.If):
            assert isinstance(updated_node, cst.If)
            return self._if(original_node, updated_node)
        elif isinstance(original_node, cst.FunctionDef):
            assert isinstance(updated_node, cst.FunctionDef)
            if self._place(original_node) == self.root:
                return self._method(updated_node)
        return updated_node

    def _expression(self, original: cst.BaseExpression, updated: cst.BaseExpression) -> cst.CSTNode:
        for edit in self.expressions.get(self._span(original), ()):
            if isinstance(edit, Substitute):
                updated = substituted(updated, self.style.expression(edit.new))
            elif isinstance(edit, Enclose):
                updated = enclosed(updated, edit.function, edit.arguments, self.style)
            elif isinstance(updated, cst.Call) and isinstance(edit, AddKeywords):
                updated = with_keywords(updated, edit.keywords, self.style)
            elif isinstance(updated, cst.Call) and isinstance(edit, DropKeyword):
                updated = without_keyword(updated, edit.name)
            else:
                continue
            self.statements.done.add(edit)
        return updated

    def _block(self, original: cst.IndentedBlock, updated: cst.IndentedBlock) -> cst.IndentedBlock:
        if not self.blocks.is_touched(original.body):
            return updated
        block = self.blocks.write(original.body, updated.body)
        footer = (*block.footer, *updated.footer)
        return updated.with_changes(body=block.body, footer=footer)

    def _if(self, original: cst.If, updated: cst.If) -> cst.If:
        for edit in self.branches.get(self._place(original), ()):
            if not isinstance(updated.orelse, cst.Else):
                raise EditError("an if statement without else")
            (made,) = self.style.lines(
                [f"if {edit.test}:", *(f"    {line}" for line in edit.lines)]
            )
            assert isinstance(made, cst.If)
            updated = updated.with_changes(orelse=made.with_changes(orelse=updated.orelse))
            self.statements.done.add(edit)
        return updated

    def _method(self, function: cst.FunctionDef) -> cst.FunctionDef:
        for edit in self.edits:
            if isinstance(edit, AddParameters):
                function = with_parameters(function, edit.names, self.root[1], self.style)
            elif isinstance(edit, LetOut):
                function = with_none(function, edit.names, self.root[1], self.style)
                function = left_out(function, edit)
            elif isinstance(edit, AddOption):
                function = with_option(function, edit.parameter, self.root[1])
            elif isinstance(edit, Describe):
                function = described(function, edit, " " * (self.root[1] + 4))
            elif isinstance(edit, Redefine):
                function = redefined(function, self.style.lines(edit.lines))
            else:
                continue
            self.statements.done.add(edit)
        return function


def described(function: cst.FunctionDef, edit: Describe, margin: str) -> cst.FunctionDef:
    """A function whose docstring describes further parameters."""
    string = _docstring(function)
    if string is None:
        return function
    opening = string.value.split("\n")[0].strip()
    # An override without decorators inherits them; a raw docstring is the sign of this one.
    completed = function.name.value == "forward" and opening == 'r"""'
    code = cst.Module([]).code_for_node
    completed |= any("auto_docstring" in code(item) for item in function.decorators)
    new = with_entries(string.value, edit.names, edit.prefix, margin, completed)
    return with_docstring(function, new)


def left_out(function: cst.FunctionDef, edit: LetOut) -> cst.FunctionDef:
    """A function whose docstring says of parameters that they are optional."""
    string = _docstring(function)
    if string is None:
        return function
    return with_docstring(function, marked_optional(string.value, edit.names))


def _docstring(function: cst.FunctionDef) -> cst.SimpleString | None:
    """The docstring of a function, if it is one string."""
    body = function.body
    first = body.body[0] if isinstance(body, cst.IndentedBlock) and body.body else None
    if not isinstance(first, cst.SimpleStatementLine) or not isinstance(first.body[0], cst.Expr):
        return None
    string = first.body[0].value
    return string if isinstance(string, cst.SimpleString) else None


def with_docstring(function: cst.FunctionDef, value: str) -> cst.FunctionDef:
    """A function that has a docstring, with another one; libcst's own way looks through all its code."""
    body = function.body
    line, *rest = body.body
    assert isinstance(line, cst.SimpleStatementLine) and isinstance(line.body[0], cst.Expr)
    string = line.body[0].value
    assert isinstance(string, cst.SimpleString)
    expression = line.body[0].with_changes(value=string.with_changes(value=value))
    line = line.with_changes(body=(expression, *line.body[1:]))
    return function.with_changes(body=body.with_changes(body=(line, *rest)))


def redefined(function: cst.FunctionDef, lines: Sequence[cst.CSTNode]) -> cst.FunctionDef:
    """Another definition with the decorators of a function, and with its comments at the top."""
    (new,) = lines
    assert isinstance(new, cst.FunctionDef) and isinstance(new.body, cst.IndentedBlock)
    bare = function.with_changes(decorators=(), leading_lines=(), lines_after_decorators=())
    comments = [comment_line(comment) for comment in comments_in(bare)]
    first, *rest = new.body.body
    assert isinstance(first, (cst.SimpleStatementLine, cst.BaseCompoundStatement))
    body = [with_lead(first, [*comments, *first.leading_lines]), *rest]
    return new.with_changes(
        decorators=function.decorators,
        leading_lines=function.leading_lines,
        lines_after_decorators=function.lines_after_decorators,
        body=new.body.with_changes(body=body),
    )


def describe(edit: Edit) -> str:
    """An edit in a few words, for a message."""
    node = next(nodes_of(edit), None)
    what = type(edit).__name__
    return f"{what} of {ast.unparse(node)}" if node is not None else what
