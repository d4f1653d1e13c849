"""Members of the parent that are kept beside those that override them, under private names."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from codegen.errors import fail
from codegen.expansion.fold.methods import kept_decorators
from codegen.expansion.fold.model import CannotFold, Member, Pair
from codegen.text.classes import last_name
from codegen.text.lexer import lex
from codegen.text.read_body import BodyItem
from codegen.text.statements import Statement

#: Methods that Python binds to the class without a decorator.
_IMPLICIT = {
    "__new__": "staticmethod",
    "__init_subclass__": "classmethod",
    "__class_getitem__": "classmethod",
}


#: How members are called that an earlier expansion kept of a class further up.
_KEPT = re.compile(r"_[A-Z]\w*_\w+")


def check_kept_names(pair: Pair, child: Sequence[Member], above: Sequence[Member]) -> None:
    """Refuse to override what the parent has under a private name only because it was generated.

    By the definitions alone the name is free. Raises CodegenError.
    """
    if not pair.generated:
        return
    kept = {name for member in above for name in member.sure if _KEPT.fullmatch(name)}
    for member in child:
        if taken := sorted(member.sure & kept):
            raise fail(
                "kept-name",
                f"{pair.origin.name} defines {taken[0]}, the name under which the generated "
                f"{pair.base} keeps a method of its own parent",
                pair.origin.path,
                pair.origin.line(member.item.statement.line),
                "call it otherwise",
            )


class Privates:
    """The private names of one fold: which are needed, and the members that bear them."""

    def __init__(self, pair: Pair, above: list[Member]) -> None:
        self.pair, self.above = pair, above
        self.names: dict[str, str] = {}
        self._made: set[Member] = set()
        self._defs: set[Member] = {member for member in above if member.function}

    def name_for(self, name: str, line: int) -> str:
        """The private name of a member of the parent, which is needed from now on."""
        if name == "__getattribute__":
            raise CannotFold("__getattribute__ would be asked for its own parent", line)
        if any(name in member.sure and _is_cached(member.node) for member in self.above):
            raise CannotFold(f"{name} keeps its value under its own name", line)
        if any(name in member.maybe or name in member.deleted for member in self.above):
            raise CannotFold(f"the parent defines {name} under a condition", line)
        if name not in self.names:
            owner = self.pair.parent_origin.name.lstrip("_")
            plain = f"_{owner}_{_bare(name)}"
            chosen, count = plain, 2
            while chosen in self.pair.taken or chosen in self.names.values():
                chosen = f"{plain}_{count}"
                count += 1
            self.names[name] = chosen
        return self.names[name]

    def is_method(self, name: str) -> bool:
        """Whether the parent's member is a plain method, which gets its instance when called."""
        binders = [member for member in self.above if name in member.bound]
        function = binders[-1].function
        return function is not None and not function.decorators and name not in _IMPLICIT

    def is_def(self, member: Member) -> bool:
        """Whether a member stands among the methods."""
        return member in self._defs

    def members(
        self, own: Collection[Member], markers: Mapping[str, Member]
    ) -> tuple[list[Member], dict[Member, str]]:
        """The parent's members with the private ones behind what they are, and their sources."""
        replaced = {name for member in own for name in member.sure} | markers.keys()
        members: list[Member] = []
        texts: dict[Member, str] = {}
        last = {name: member for member in self.above for name in member.sure}
        for member in self.above:
            members.append(member)
            texts[member] = _text(member.item)
            for name, private in self.names.items():
                if last.get(name) is not member:
                    continue
                kept = self._kept(member, name, private, replaced, members)
                members.append(kept[0])
                texts[kept[0]] = kept[1]
                if member in self._defs:
                    self._defs.add(kept[0])
        return members, texts

    def _kept(
        self,
        member: Member,
        name: str,
        private: str,
        replaced: Collection[str],
        before: list[Member],
    ) -> tuple[Member, str]:
        """A private member: the method itself under another name, or a second name for it."""
        binders = [each for each in self.above if name in each.bound]
        readers = [each for each in self.above if name in each.read]
        lonely = len(binders) == 1 and not readers and member.function is not None
        if lonely and (name in replaced or "cached" in member.function.decorators):  # type: ignore[union-attr]
            copy = Member(
                member.item, False, frozenset({private}), frozenset(), frozenset(), member.read
            )
            return copy, _renamed(member.item, private)
        text = f"    {private} = {name}"
        node = ast.parse(text.strip()).body[0]
        item = BodyItem(Statement("", text, (node,), 0, 0))
        alias = Member(
            item, False, frozenset({private}), frozenset(), frozenset(), frozenset({name})
        )
        return alias, f"{text}\n"


def _is_cached(node: ast.stmt) -> bool:
    """Whether a method is a property that puts its value among the instance's attributes."""
    return isinstance(node, ast.FunctionDef) and any(
        last_name(each) == "cached_property" for each in node.decorator_list
    )


def _bare(name: str) -> str:
    """A name without the underscores around it, which would make it special again."""
    return name.strip("_") if name.startswith("__") else name.lstrip("_") or name


def _text(item: BodyItem) -> str:
    if item.function is not None:
        return f"{item.function.lead}{item.function.source}\n"
    return f"{item.statement.lead}{item.statement.text}\n"


def _renamed(item: BodyItem, private: str) -> str:
    function = item.function
    assert function is not None
    decorators = kept_decorators(item)
    implicit = _IMPLICIT.get(function.name)
    if implicit and f"@{implicit}" not in decorators:
        decorators = f"{function.indent}@{implicit}\n{decorators}"
    return replace(function, name=private, decorators=decorators).text()


def mangle_apart(child: str, parent: str, base: str) -> str:
    """The parent's text with ``__x`` spelled as Python mangles it, where the child has one, too.

    In one class both would be the same attribute; under inheritance they are two.
    """
    owner = base.lstrip("_")
    code = lex(parent).code
    own = set(_private_names(lex(child).code))
    clashing = {
        name
        for name in _private_names(code)
        if name in own or re.search(rf"\b_{owner}{name}\b", child)
    }
    if not clashing:
        return parent
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(clashing)))})(?!\w)")
    pieces, done = [], 0
    for match in pattern.finditer(code):
        pieces += [parent[done : match.start()], f"_{owner}{match.group()}"]
        done = match.end()
    return "".join(pieces) + parent[done:]


def _private_names(code: str) -> set[str]:
    """Names that Python mangles: two underscores in front, not two behind."""
    return {
        name
        for name in re.findall(r"(?<!\w)__\w+", code)
        if not name.endswith("__") and name.strip("_")
    }
