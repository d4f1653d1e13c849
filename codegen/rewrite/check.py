"""What must hold of a method that a rule has changed, before anybody sees it.

The lines parse; they use no name that is unresolved and was not before; only what the rule planned to
remove is gone, and no comment is.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from codegen.rewrite.aliases import Aliases, resolve_aliases
from codegen.rewrite.early import early_reads
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
    texts_of,
)
from codegen.rewrite.nodes import BLOCKS, children, of_kind, walk
from codegen.rewrite.plain_reads import plain_reads
from codegen.text.lexer import lex
from codegen.text.lines import LineMap
from codegen.text.statements import first_line
from codegen.text.unresolved import BUILT_IN, free_names

_HEADER = "class _:\n"
_WORDS = re.compile(r"\w+")


@dataclass(frozen=True)
class Changed:
    """A statement in the body of a class, usually a method, before and after some edits."""

    node: ast.stmt
    old: str
    new: str
    edits: tuple[Edit, ...]

    @cached_property
    def tree(self) -> ast.Module | str:
        """The new lines, as a module of their own; why they do not parse."""
        try:
            return ast.parse(_alone(self.node, self.new))
        except SyntaxError as error:
            return error.msg

    @property
    def header(self) -> int:
        """How many lines stand in front of the new ones in :attr:`tree`."""
        return 1 if self.node.col_offset else 0

    def statements(self, tree: ast.Module) -> list[ast.stmt]:
        """The statements of such a module, without what stands around them."""
        holder = tree.body[0]
        return holder.body if self.header and isinstance(holder, ast.ClassDef) else tree.body

    @cached_property
    def _names(self) -> frozenset[str]:
        """Names that the new lines read from their module, and that Python does not have itself."""
        assert not isinstance(self.tree, str)
        statements = self.statements(self.tree)
        function = statements[0] if len(statements) == 1 else None
        names = plain_reads(function) if isinstance(function, ast.FunctionDef) else None
        return (free_names(_alone(self.node, self.new)) if names is None else names) - BUILT_IN

    def added_names(self, known: Collection[str]) -> frozenset[str]:
        """Names that the new lines read from their module, and the old ones do not; none if they do not parse.

        Those that are ``known`` and what Python has itself are left out: mostly nothing is left to compare.
        """
        if isinstance(self.tree, str):
            return frozenset()
        names = self._names.difference(known)
        return names - _free_names(_alone(self.node, self.old)) if names else names


def problem_of(changed: Changed, names: Collection[str], aliases: Aliases) -> str:
    """What is wrong with the new lines of a statement; empty if nothing is.

    Args:
        changed: the statement and what was planned.
        names: that the module knows once the change is made.
        aliases: how the module calls torch.
    """
    tree = changed.tree
    if isinstance(tree, str):
        return f"what was written does not parse ({tree})"
    unresolved = changed.added_names(names)
    if unresolved:
        return f"what was written uses {', '.join(sorted(unresolved))}, which nothing defines"
    suspects = _spoken_of(changed.edits)
    early = _early_reads(changed.statements(tree), suspects)
    if early:
        early -= _early_reads(ast.parse(_alone(changed.node, changed.old)).body, suspects)
    if early:
        return f"what was written reads {', '.join(sorted(early))} before it is assigned"
    lost = _lost(changed, tree, aliases)
    if lost:
        return f"{lost} is gone, which was not planned"
    comments = Counter(_comments(changed.old)) - Counter(_comments(changed.new))
    if comments:
        return f"the comment {next(iter(comments))} is gone"
    return ""


def _alone(node: ast.stmt, lines: str) -> str:
    """The lines of a statement, which may be gone, as a module of their own."""
    return (_HEADER if node.col_offset else "") + (lines if lines.strip() else " pass\n")


def _early_reads(statements: Sequence[ast.stmt], suspects: Collection[str] | None) -> set[str]:
    """Local names, of the suspects, that a statement of a method reads although no way to it assigns them."""
    if suspects is not None and not suspects:
        return set()
    methods = [node for statement in statements for node in of_kind(statement, ast.FunctionDef)]
    return {name for method in methods for name in early_reads(method, suspects)}


def _spoken_of(edits: Sequence[Edit]) -> set[str] | None:
    """Names that edits write, or that stand in what they remove or move; None where that may be any name.

    What else a method reads and assigns is as it was.
    """
    if any(isinstance(edit, Redefine) for edit in edits):
        return None
    words = (word for edit in edits for text in texts_of(edit) for word in _WORDS.findall(text))
    nodes = (node for edit in edits for node in nodes_of(edit))
    return {*words, *(name.id for node in nodes for name in of_kind(node, ast.Name))}


@lru_cache(maxsize=1024)
def _free_names(text: str) -> frozenset[str]:
    return free_names(text)


def _comments(text: str) -> list[str]:
    return [text[start:end].strip() for start, end in lex(text).comments] if "#" in text else []


def _lost(changed: Changed, tree: ast.Module, aliases: Aliases) -> str:
    """A statement, or the head of one, that is gone although no edit removes or changes it."""

    def heads_of(whole: ast.Module) -> list[ast.AST]:
        return [head for part in changed.statements(whole) for head in _heads(part)]

    wanted, found = list(_untouched(changed.node, changed.edits)), heads_of(tree)
    # What stands there letter by letter is there; only the rest has to be written anew to be compared.
    first = first_line(changed.node)
    spelled = Counter(map(_spelling(changed.old, first), wanted))
    there = map(_spelling(_alone(changed.node, changed.new), 1), found)
    if not spelled - Counter(there):
        return ""
    spelled_out = ast.parse(_alone(changed.node, changed.new))  # the tree itself goes into the file
    resolve_aliases(spelled_out, aliases)
    lost = Counter(map(_head, wanted)) - Counter(map(_head, heads_of(spelled_out)))
    return next(iter(lost), "")


def _spelling(text: str, first: int) -> Callable[[ast.AST], str]:
    """How statements of a text are spelled, or the heads of compound ones up to what they hold.

    ``first`` is the number of the first line of the text.
    """
    lines = LineMap(text)

    def spelling(node: ast.AST) -> str:
        start, end = _place(node), _place(node, True)
        inner = next((child for name in BLOCKS for child in getattr(node, name, None) or ()), None)
        if inner is not None:
            end = _place(inner)
        if start is None or end is None:
            return _head(node)
        return text[
            lines.offset(start[0] - first + 1, start[1]) : lines.offset(end[0] - first + 1, end[1])
        ]

    return spelling


def _place(node: ast.AST, end: bool = False) -> tuple[int, int] | None:
    """Line and column of a node with its decorators, or of its end; None for a case of a match."""
    if not isinstance(node, (ast.stmt, ast.ExceptHandler)):
        return None
    if end:
        return node.end_lineno or node.lineno, node.end_col_offset or 0
    first: ast.expr | ast.stmt | ast.ExceptHandler = node
    for decorator in getattr(node, "decorator_list", ())[:1]:
        first = decorator
    return first.lineno, first.col_offset


def _untouched(node: ast.stmt, edits: Sequence[Edit]) -> Iterator[ast.AST]:
    """Statements that no edit removes or changes; of those that hold others the heads count."""
    removed: set[ast.AST] = set()
    changed: set[ast.AST] = set()
    for edit in edits:
        if isinstance(edit, Replace):
            removed.update(edit.statements)
        elif isinstance(edit, (Substitute, Enclose)):
            changed.add(edit.node)
        elif isinstance(edit, (AddKeywords, DropKeyword)):
            changed.add(edit.call)
        elif isinstance(edit, Redefine):
            return
        elif isinstance(edit, (AddParameters, AddOption)):
            changed.add(node)
        elif isinstance(edit, LetOut) and isinstance(node, ast.FunctionDef):
            changed |= {node, node.body[0]}
        elif isinstance(edit, Describe) and isinstance(node, ast.FunctionDef):
            changed.add(node.body[0])
        else:
            assert isinstance(edit, (Insert, Branch, ElseIf, Describe))
    yield from _heads(node, removed, changed)


def _heads(
    node: ast.AST, removed: Collection[ast.AST] = (), changed: Collection[ast.AST] = ()
) -> Iterator[ast.AST]:
    """A statement and those in it, but for what is removed and for those whose own part is changed."""
    if node in removed:
        return
    bodies = (
        [child for name in BLOCKS for child in getattr(node, name, ())]
        if isinstance(node, (ast.stmt, ast.ExceptHandler, ast.match_case))
        else []
    )
    if not _is_near(node, changed) or not any(c in changed for c in _own_part(node, bodies)):
        yield node
    for child in bodies:
        yield from _heads(child, removed, changed)


def _is_near(node: ast.AST, changed: Collection[ast.AST]) -> bool:
    """Whether one of some nodes may be below another, by the lines on which they begin."""
    if not isinstance(node, ast.stmt):
        return bool(changed)
    first, last = first_line(node), node.end_lineno or node.lineno
    return any(first <= getattr(part, "lineno", first) <= last for part in changed)


def _own_part(node: ast.AST, bodies: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """A node and all below it, without the blocks that it holds."""
    yield node
    blocks = {id(child) for child in bodies}
    for child in children(node):
        if id(child) not in blocks:
            yield from walk(child)


def _head(node: ast.AST) -> str:
    """The text of a simple statement, or of a compound one up to its colon."""
    if not any(getattr(node, name, None) for name in BLOCKS):
        return ast.unparse(node)
    bare = type(node)(**{name: getattr(node, name) for name in node._fields if hasattr(node, name)})
    for name in BLOCKS:
        if hasattr(bare, name) and isinstance(getattr(bare, name), list):
            setattr(bare, name, [])
    return ast.unparse(ast.fix_missing_locations(ast.copy_location(bare, node)))
