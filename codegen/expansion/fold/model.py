"""The values of a fold, and the reason why there is none."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from codegen.text.classes import Function
from codegen.text.read_body import BodyItem, ClassBody
from codegen.text.scoping import Names, names_in

Edit = tuple[int, int, str]


class CannotFold(Exception):
    """The two classes cannot be one with the meaning of Python; ``line`` is of the child's text.

    ``warned``: the author may not have meant what Python makes of it.
    """

    def __init__(self, reason: str, line: int = 0, warned: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.line, self.warned = reason, line, warned


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a class stands: line ``n`` of its text is line ``offset + n`` of the file."""

    path: str
    offset: int
    name: str

    def line(self, line: int) -> int:
        """A line of the file."""
        return self.offset + line


#: A class, by where it is written (``own`` definition, parent's ``file``, or ``out`` of both) and name.
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Relative:
    """A class of the definition or of the parent's file, as written: what its own body binds, what
    it looks for further on by ``super()``, its bases, and its metaclass if it names one."""

    members: frozenset[str]
    calls: frozenset[str]
    bases: tuple[Key, ...]
    metaclass: str = ""


@dataclass(frozen=True, slots=True)
class Spellings:
    """How a definition names a class of a parent.

    ``dotted`` are the names of its module that denote it; ``denotes(module, name)`` tells whether an
    import in a function, spelled so, gives it.
    """

    dotted: frozenset[str]
    denotes: Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Pair:
    """A class of a definition and the parent class to fold it with, both as source text.

    ``base`` is the name of the parent in the definition, ``spellings`` are all it knows it by. ``taken`` are identifiers that new names
    must not be, ``relative`` tells about other classes; ``key_of`` where the class is written that a
    name of the definition, or (the second argument) of the parent, denotes. ``replaces`` is false where no assignment may take the place
    of a parent's. ``generated``: the parent's file is, so that some of its members are kept ones.
    """

    child: str
    parent: str
    base: str
    spellings: Spellings
    origin: Origin
    parent_origin: Origin
    taken: Collection[str]
    relative: Callable[[Key], Relative | None]
    key_of: Callable[[str, bool], Key]
    replaces: bool = True
    generated: bool = False


@dataclass(frozen=True, slots=True)
class Folded:
    """The source of the finished class (or classes), and what a reader should know about it."""

    lead: str
    text: str
    notes: tuple[str, ...] = ()
    #: The name of the parent where it stays a class of its own.
    apart: str = ""


@dataclass(frozen=True, eq=False, slots=True)
class Member:
    """One statement of a class body as the fold sees it.

    ``sure`` are names that it binds whenever it runs, ``maybe`` those that it can bind; ``read``
    those that it looks up in the class body. ``inherited`` are names that a statement of the
    definition means as the parent's (``Parent.kinds``).
    """

    item: BodyItem
    own: bool
    sure: frozenset[str]
    maybe: frozenset[str]
    deleted: frozenset[str]
    read: frozenset[str]
    inherited: frozenset[str] = frozenset()

    @property
    def function(self) -> Function | None:
        """The parts of a ``def``."""
        return self.item.function

    @property
    def node(self) -> ast.stmt:
        """The statement."""
        return self.item.node

    @property
    def bound(self) -> frozenset[str]:
        """All names that it binds or may bind."""
        return self.sure | self.maybe


def members_of(body: ClassBody, own: bool, annotations: bool) -> list[Member]:
    """The statements of a class body; ``annotations``: whether they are evaluated."""
    found = [_member(item, own, annotations) for item in body.items]
    for member in found:
        if _dynamic(member.node):
            raise CannotFold("the class body looks at its own names as a whole", member.node.lineno)
    return found


def annotation_of(name: str) -> str:
    """What an annotation binds: the entry of its name among the annotations of the class."""
    return f"{name}:"


def _dynamic(node: ast.stmt) -> bool:
    """Whether the statement itself, not a function in it, depends on its scope as a whole."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        parts: Sequence[ast.AST] = (*node.decorator_list, *node.args.defaults)
        return names_in(parts).dynamic
    return names_in([node]).dynamic


def _member(item: BodyItem, own: bool, annotations: bool) -> Member:
    node = item.node
    names = names_in([node], annotations)
    deleted = {
        target.id
        for inner in ast.walk(node)
        if isinstance(inner, ast.Delete)
        for target in inner.targets
        if isinstance(target, ast.Name)
    }
    sure, maybe = _split(node, names)
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        sure |= {annotation_of(node.target.id)}
    return Member(
        item, own, sure - deleted, maybe - deleted, frozenset(deleted), frozenset(names.read)
    )


def _split(node: ast.stmt, names: Names) -> tuple[frozenset[str], frozenset[str]]:
    simple = (
        ast.FunctionDef,
        ast.AsyncFunctionDef,
        ast.ClassDef,
        ast.Assign,
        ast.AugAssign,
        ast.AnnAssign,
        ast.Import,
        ast.ImportFrom,
        ast.Expr,
    )
    bound = frozenset(names.bound)
    return (bound, frozenset()) if isinstance(node, simple) else (frozenset(), bound)


def apply_edits(text: str, edits: Sequence[Edit]) -> str:
    """The text with every range replaced; ranges do not overlap."""
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text
