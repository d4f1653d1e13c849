"""What of a class decides whether its body can be folded at all: keywords, decorators, slots."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from codegen.errors import fail
from codegen.expansion.fold.model import CannotFold, Key, Member, Pair, annotation_of
from codegen.expansion.fold.sites import is_super
from codegen.text.classes import last_name
from codegen.text.read_body import ClassBody

#: Decorators that make members out of the body of the class they stand on.
_MAKING = frozenset(
    {"dataclass", "define", "frozen", "mutable", "attrs", "s", "total_ordering", "strict"}
)
#: Those that make fields of the annotated attributes of that very body, and of no class below.
_DATA = _MAKING - {"total_ordering", "strict", "attrs"}
#: Those that give the class slots unless they are told otherwise.
_SLOTTED = frozenset({"define", "frozen", "mutable"})
#: Their arguments that say what instances of that very class are.
_OF_INSTANCES = frozenset({"frozen", "slots", "weakref_slot"})
#: Metaclasses to which it does not matter in which of two classes a member stands.
_PLAIN_METACLASSES = frozenset({"type", "ABCMeta", "EnumMeta", "EnumType"})
#: Bases that make something of the class that lists them, and not of the classes below it.
_LISTED_ONLY = ("Protocol", "NamedTuple")
_TUPLE_MEMBERS = frozenset(
    {"__new__", "__init__", "__getnewargs__", "_make", "_replace", "_asdict", "_source"}
)
#: Decorators that change nothing about the class they stand on.
_WORDS = frozenset({"final", "runtime_checkable", "requires", "deprecated", "experimental"})
#: Members that such decorators make.
MADE_MEMBERS = frozenset(
    {"__init__", "__repr__", "__eq__", "__hash__", "__setattr__", "__delattr__", "__replace__"}
    | {"__lt__", "__le__", "__gt__", "__ge__", "__getstate__", "__setstate__"}
)
#: Parts of the names of bases whose annotated attributes are fields.
_FIELDS = ("Config", "BaseModel", "Kwargs", "TypedDict", "NamedTuple", "Struct")
#: Members that act on the class itself when it is made, or decide what its instances are.
_OWN_ONLY = {
    "__slots__": "__slots__ hold for one class only",
    "__init_subclass__": "__init_subclass__ runs for the classes below the parent",
    "__getattribute__": "__getattribute__ is asked for every member",
}


def check_headers(child: ClassBody, parent: ClassBody, above: Sequence[Member]) -> None:
    """Raise CannotFold where one class cannot be what the two are."""
    names = {name for member in above for name in member.bound}
    own = {
        node.id: node.lineno
        for item in child.items
        for node in ast.walk(item.node)
        if isinstance(node, ast.Name) and node.id == "__slots__"
    }
    if own:
        raise CannotFold(_OWN_ONLY["__slots__"], next(iter(own.values())))
    for name, reason in _OWN_ONLY.items():
        if name in names:
            raise CannotFold(reason)
    _check_keywords(child, parent)
    _check_listed(child, parent)
    _check_own_class(parent)
    _check_places(child, parent)
    _check_data(child, parent)
    made = _making(parent)
    listed = [ast.dump(each) for each in child.node.decorator_list]
    if made and child.node.decorator_list and not all(ast.dump(each) in listed for each in made):
        raise CannotFold(
            f"@{last_name(made[0])} of the parent makes members of the parent's body only",
            child.node.lineno,
        )
    acting = [each for each in parent.node.decorator_list if not _is_word(each)]
    if child.node.decorator_list:
        for each in acting:
            if ast.dump(each) not in listed and each not in made:
                raise CannotFold(
                    f"@{last_name(each)} of the parent is about the parent", child.node.lineno
                )
    own_making = _making(child)
    if own_making and not made and above and _annotated(above):
        raise CannotFold(
            f"@{last_name(own_making[0])} would make fields of the parent's attributes",
            child.node.lineno,
        )


def check_metaclass(parent: ClassBody, pair: Pair) -> None:
    """Raise CannotFold where a metaclass is written that could tell one class body from two."""
    own = (each.value for each in parent.node.keywords if each.arg == "metaclass")
    found = [ast.unparse(each) for each in own]
    queue = [pair.key_of(base.text, True) for base in parent.head.bases]
    seen: set[Key] = set()
    while queue:
        key = queue.pop()
        relative = None if key in seen else pair.relative(key)
        seen.add(key)
        if relative is not None:
            found += [relative.metaclass] if relative.metaclass else []
            queue += relative.bases
    for name in found:
        if name.rpartition(".")[2] not in _PLAIN_METACLASSES:
            raise CannotFold(f"the metaclass {name} sees the body of every class")


def _check_listed(child: ClassBody, parent: ClassBody) -> None:
    """A parent is a protocol or a named tuple by its own bases, a class below it is neither."""
    listed = {last_name(base) for base in child.node.bases}
    for base in parent.node.bases:
        name = last_name(base)
        if name in listed or name not in _LISTED_ONLY:
            continue
        # Methods alone do not care whether the class is the named tuple itself.
        acting = [item.node for item in child.items if _is_read_by_named_tuple(item.node)]
        if name == "Protocol" or acting:
            line = acting[0].lineno if acting else child.node.lineno
            raise CannotFold(f"only the parent itself is a {name}", line)


def _is_read_by_named_tuple(node: ast.stmt) -> bool:
    """Whether it makes a field, or a member that a named tuple does not let its body define."""
    special = isinstance(node, ast.FunctionDef) and node.name in _TUPLE_MEMBERS
    return isinstance(node, ast.AnnAssign) or special


def _check_own_class(parent: ClassBody) -> None:
    """``__class__`` in a method is the class that it is written in; in ``super()`` that is meant."""
    for item in parent.items:
        calls = (each for each in ast.walk(item.node) if is_super(each))
        meant = {arg for call in calls if isinstance(call, ast.Call) for arg in call.args}
        for node in ast.walk(item.node):
            if isinstance(node, ast.Name) and node.id == "__class__" and node not in meant:
                raise CannotFold("a method of the parent speaks of the class that it stands in")


def _check_places(child: ClassBody, parent: ClassBody) -> None:
    """Fields behind ``_: KW_ONLY`` are so in the class that says it, and in none below."""
    fields = [
        [i.node for i in each.items if isinstance(i.node, ast.AnnAssign)]
        for each in (child, parent)
    ]
    notes = [ast.unparse(note.annotation) for each in fields for note in each]
    marks = [note for note in notes if note.strip("'\"").endswith("KW_ONLY")]
    if marks and all(fields):
        raise CannotFold("KW_ONLY is about the fields of one class", child.node.lineno)


def _check_data(child: ClassBody, parent: ClassBody) -> None:
    """Without a decorator of its own a class keeps the constructor and the fields of its parent."""
    making = [each for each in parent.node.decorator_list if last_name(each) in _DATA]
    if not making:
        return
    decorator = f"@{last_name(making[0])}"
    slots = any(
        isinstance(n, ast.keyword) and n.arg == "slots" for m in making for n in ast.walk(m)
    )
    if slots or last_name(making[0]) in _SLOTTED:
        raise CannotFold(_OWN_ONLY["__slots__"], child.node.lineno)
    if child.node.decorator_list:
        return
    for item in child.items:
        if isinstance(item.node, ast.AnnAssign):
            raise CannotFold(
                f"{ast.unparse(item.node.target)} is no new field, nor a new default of one, without "
                f"{decorator} on {child.node.name}",
                item.node.lineno,
                warned=True,
            )
    arguments = {
        each.arg for node in making for each in ast.walk(node) if isinstance(each, ast.keyword)
    }
    found = _OF_INSTANCES.intersection(each for each in arguments if each)
    if found or last_name(making[0]) in ("frozen", "define"):
        what = min(found, default=last_name(making[0]))
        raise CannotFold(f"{decorator} makes only the parent itself {what}", child.node.lineno)


def _is_word(decorator: ast.expr) -> bool:
    """Whether a decorator of a class only says or documents something, for readers and checkers."""
    name = last_name(decorator)
    return "docstring" in name or name in _WORDS


def _annotated(above: Sequence[Member]) -> bool:
    return any(isinstance(member.node, ast.AnnAssign) for member in above)


def _making(body: ClassBody) -> list[ast.expr]:
    return [each for each in body.node.decorator_list if last_name(each) in _MAKING]


def makes_members(body: ClassBody) -> bool:
    """Whether a decorator makes members that the body of the class does not show."""
    return bool(_making(body))


def _keywords(body: ClassBody) -> dict[str, str]:
    return {each.arg or "**": ast.dump(each.value) for each in body.node.keywords}


def _check_keywords(child: ClassBody, parent: ClassBody) -> None:
    """Keywords other than the metaclass are for one class only, and have to agree."""
    own, inherited = _keywords(child), _keywords(parent)
    own.pop("metaclass", None)
    inherited.pop("metaclass", None)
    if inherited and own != inherited:
        raise CannotFold("the parent has class keywords of its own", child.node.lineno)


def merge_keywords(child: ClassBody, parent: ClassBody) -> tuple[str, ...]:
    """The class keywords: the definition's, and the parent's metaclass where that has none."""
    if any(each.arg == "metaclass" for each in child.node.keywords):
        return child.head.keywords
    pairs = zip(parent.head.keywords, parent.node.keywords)
    inherited = tuple(text for text, each in pairs if each.arg == "metaclass")
    return (*child.head.keywords, *inherited)


def needs_own_annotation(
    member: Member, above: Sequence[Member], child: ClassBody, parent: ClassBody, pair: Pair
) -> str | None:
    """A plain assignment over an annotated attribute of the parent, with that annotation.

    Under inheritance the annotation stays where it is. Where it makes a field, an assignment below
    does not change the field's default: that is refused, since no one means it.
    """
    node = member.node
    if not isinstance(node, ast.Assign) or len(node.targets) > 1:
        return None
    target = node.targets[0]
    if not isinstance(target, ast.Name):
        return None
    annotated = [
        each.node
        for each in above
        if isinstance(each.node, ast.AnnAssign) and annotation_of(target.id) in each.sure
    ]
    if not annotated:
        return None
    annotation = ast.get_source_segment(parent.text, annotated[-1].annotation)
    if _has_fields(child) or _has_fields(parent):
        raise fail(
            "field-without-annotation",
            f"{target.id} is a field of the parent, and Python leaves its default as it is where a "
            "class below assigns it without an annotation",
            pair.origin.path,
            pair.origin.line(member.item.statement.line),
            f"write `{target.id}: {annotation} = ...`",
        )
    text = member.item.statement.text
    at = text.index(target.id) + len(target.id)
    return f"{text[:at]}: {annotation}{text[at:]}"


def _has_fields(body: ClassBody) -> bool:
    if _making(body):
        return True
    return any(last_name(base).endswith(_FIELDS) for base in body.node.bases)
