"""Fold a class with its parent, with the meaning of Python: the steps in their order."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from codegen.errors import fail
from codegen.expansion.fold.apart import keep_apart
from codegen.expansion.fold.bases import merge_bases
from codegen.expansion.fold.headers import (
    MADE_MEMBERS,
    check_headers,
    check_metaclass,
    makes_members,
    merge_keywords,
    needs_own_annotation,
)
from codegen.expansion.fold.inline import Inline, find_call, plan_inline
from codegen.expansion.fold.layout import Plan, Unit, arrange, droppable
from codegen.expansion.fold.marks import is_marker
from codegen.expansion.fold.methods import (
    Noted,
    inlined,
    kept_decorators,
    override,
)
from codegen.expansion.fold.model import (
    CannotFold,
    Edit,
    Folded,
    Member,
    Pair,
    annotation_of,
    apply_edits,
    members_of,
)
from codegen.expansion.fold.private import Privates, check_kept_names, mangle_apart
from codegen.expansion.fold.sites import Site, Sites, find_sites, passes_self, without_self
from codegen.expansion.fold.super_kwargs import expand_super_kwargs
from codegen.expansion.merge import Place, choose_decorators
from codegen.text.classes import Base, last_name
from codegen.text.lexer import lex
from codegen.text.lines import LineMap, split_lines
from codegen.text.read_body import BodyItem, ClassBody, is_string, read_body
from codegen.text.scoping import lists_variables

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def fold_class(pair: Pair) -> Folded:
    """One class that behaves as the child of the pair does under plain inheritance.

    Where that is not possible the parent stays a class of its own. Raises CodegenError for what can
    be neither.
    """
    pair = replace(pair, parent=mangle_apart(pair.child, pair.parent, pair.parent_origin.name))
    parent = read_body(pair.parent)
    edits = expand_super_kwargs(read_body(pair.child), parent, pair.origin)
    pair_written = replace(pair, child=apply_edits(pair.child, list(edits)))
    try:
        return _Fold(pair_written, parent).run()
    except CannotFold as cause:
        return keep_apart(pair, cause)


@dataclass(frozen=True, slots=True)
class _Planned:
    """A method whose call of the parent's is replaced by its body, and the parent's method."""

    plan: Inline
    inherited: BodyItem
    values: dict[str, str]


class _Fold:
    """One fold; lives only inside :func:`fold_class`."""

    def __init__(self, pair: Pair, parent: ClassBody) -> None:
        self.pair, self.parent = pair, parent
        self.child = read_body(pair.child)
        self.above = members_of(parent, False, True)
        self.notes: list[str] = []
        self.names = {name for member in self.above for name in member.bound}
        self.privates = Privates(pair, self.above)

    def run(self) -> Folded:
        """The finished class."""
        check_kept_names(self.pair, members_of(self.child, True, True), self.above)
        check_headers(self.child, self.parent, self.above)
        check_metaclass(self.parent, self.pair)
        bases = merge_bases(self.pair, self.child.head.bases, self.parent.head.bases, self.names)
        sites = find_sites(self.child, self.pair.spellings)
        planned = self._plan_inlining(sites.found)
        self.inherited: dict[int, set[str]] = {}
        self.read_plainly = [member.read for member in members_of(self.child, True, True)]
        edits = [*sites.edits, *self._idle_aliases(sites)]
        for site in sites.found:
            if site.item not in planned or not _is_inlined(site, self.child):
                edits += self._resolve(site)
        written = read_body(apply_edits(self.child.text, edits))
        own = [
            self._own_member(index, member)
            for index, member in enumerate(members_of(written, True, True))
        ]
        units = self._arranged(own, planned)
        return self._finished(written, bases, units)

    def _plan_inlining(self, sites: list[Site]) -> dict[int, _Planned]:
        """The methods that take the parent's statements in, by the index of the member."""
        planned: dict[int, _Planned] = {}
        for index, item in enumerate(self.child.items):
            node = item.node
            if not isinstance(node, _Function) or find_call(node) is None:
                continue
            inherited = self.only_def(node.name)
            same = [site for site in sites if site.item == index and site.name == node.name]
            if inherited is None or sum(_named(each, node.name) for each in self.child.items) > 1:
                continue
            assert isinstance(inherited.node, _Function)
            plan = plan_inline(node, inherited.node, len(same) != 1)
            if isinstance(plan, Inline) and _alone(item, plan.index):
                values = {name: ast.unparse(value) for name, value in plan.bindings}
                planned[index] = _Planned(plan, inherited, values)
        return planned

    def only_def(self, name: str) -> BodyItem | None:
        """The parent's method of a name, if that is bound by nothing else."""
        binders = [member for member in self.above if name in member.bound]
        return binders[0].item if len(binders) == 1 and binders[0].function else None

    def _resolve(self, site: Site) -> Iterable[Edit]:
        """The edits that let a site find the parent's member in the folded class."""
        lines = LineMap(self.child.text)
        start, end = lines.span(site.node)
        name = site.name
        if name not in self.names:
            return self._beyond(site, lines)
        if site.function is not None and lists_variables(site.function):
            raise CannotFold("super() is one of the variables that are listed", site.node.lineno)
        if not site.receiver:
            self.inherited.setdefault(site.item, set()).add(name)
            return [(start, end, name)]
        private = self.privates.name_for(name, site.node.lineno)
        if passes_self(site) and self.privates.is_method(name):
            first = site.call.args[0].id  # type: ignore[union-attr]
            code = lex(self.child.text).code
            return [(start, end, f"{first}.{private}"), *without_self(site, lines, code)]
        return [(start, end, f"{site.receiver}.{private}")]

    def _idle_aliases(self, sites: Sites) -> Iterable[Edit]:
        """``p = super()`` goes where every ``p.run`` becomes something else."""
        lines = LineMap(self.child.text)
        for assignment, uses in sites.aliases:
            start, end = lines.start_of(assignment.lineno), lines.start_of(assignment.lineno + 1)
            alone = self.child.text[start:end].strip() == lines.source(assignment)
            if alone and all(use.attr in self.names for use in uses):
                yield start, end, ""

    def _beyond(self, site: Site, lines: LineMap) -> Iterable[Edit]:
        """A member that the parent's own body does not have: ``super()`` finds it as before."""
        if site.name in MADE_MEMBERS and makes_members(self.parent):
            raise CannotFold(f"a decorator of the parent makes its {site.name}", site.node.lineno)
        if not site.named or (site.name.startswith("__") and not passes_self(site)):
            return []
        if not passes_self(site):
            raise CannotFold(
                f"{self.pair.base}.{site.name} comes from further up", site.node.lineno
            )
        assert site.call is not None
        first = lines.source(site.call.args[0])
        start, end = lines.span(site.node)
        owner = f"super({self.child.node.name}, {first}).{site.name}"
        return [(start, end, owner), *without_self(site, lines, lex(self.child.text).code)]

    def _own_member(self, index: int, member: Member) -> Member:
        """A member of the definition; one that gets an annotation of the parent's binds that, too."""
        node, inherited = member.node, self.inherited.get(index, set())
        sure = set(member.sure)
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            bound = {name for each in self.above for name in each.bound}
            sure |= {annotation_of(name) for name in sure} & bound
        # What is written with the parent's name in front is read as a plain name now.
        read = member.read - (inherited - self.read_plainly[index])
        return replace(member, sure=frozenset(sure), read=read, inherited=frozenset(inherited))

    def _arranged(self, own: list[Member], planned: dict[int, _Planned]) -> list[Unit]:
        markers = {
            name: member
            for member in own
            if is_marker(member.item)
            for name in member.sure
            if name in self.names
        }
        self._refuse_idle_markers(own)
        self._refuse_own_deletions(own, markers)
        standing = [member for member in own if member not in markers.values()]
        above, texts = self.privates.members(standing, markers)
        dropped = droppable(above, standing, {*markers, *self._unhashed(standing)})
        left = {name for each in above if each not in dropped for name in each.bound} & set(markers)
        left -= {name for member in standing for name in member.sure}
        if left:
            name = min(left)
            line = markers[name].item.statement.line
            raise CannotFold(f"{name} is deleted, but the class body needs it", line)
        dropped |= _strings_about(above, dropped, markers)
        first = {name: each for each in reversed(above) if each in dropped for name in each.sure}
        heirs = _heirs(own)
        units = []
        for index, member in enumerate(own):
            if member in standing:
                place = next((first[name] for name in sorted(member.sure) if name in first), None)
                text = self._own_text(member, planned.get(index), member in heirs)
                units.append(Unit(member, text, member.function is not None, place))
        inherited = [Unit(each, texts[each], self.privates.is_def(each)) for each in above]
        documented = bool(self.child.docstring or self.parent.docstring)
        return arrange(Plan(inherited, units, documented, dropped))

    def _unhashed(self, own: list[Member]) -> set[str]:
        """A class that defines ``__eq__`` alone has no hash, whatever its parent has."""
        bound = {name for member in own for name in member.bound}
        return {"__hash__"} if "__eq__" in bound and "__hash__" not in bound else set()

    def _refuse_own_deletions(self, own: list[Member], markers: dict[str, Member]) -> None:
        """A deletion is of what the parent has; behind a member of that name it is two at once."""
        for index, member in enumerate(own):
            for name in sorted(member.sure & markers.keys()):
                marker = markers[name]
                if member is not marker and own.index(marker) > index:
                    raise fail(
                        "deleted-member",
                        f"class {self.pair.origin.name} defines {name} and deletes it",
                        self.pair.origin.path,
                        self.pair.origin.line(marker.item.statement.line),
                        "keep one of the two",
                    )

    def _refuse_idle_markers(self, own: list[Member]) -> None:
        """An attribute that is deleted has to be there."""
        from difflib import get_close_matches

        for member in own:
            name = next(iter(member.sure), "")
            if not is_marker(member.item) or name in self.names:
                continue
            if member.function is None:
                close = get_close_matches(name, sorted(self.names), 1)
                raise fail(
                    "missing-attribute",
                    f"class {self.pair.origin.name} deletes attribute {name}, "
                    "which its parent lacks",
                    self.pair.origin.path,
                    self.pair.origin.line(member.item.statement.line),
                    f"did you mean {close[0]}?" if close else "remove it, or check the spelling",
                )

    def _own_text(self, member: Member, planned: _Planned | None, heir: bool) -> str:
        """A member of the definition as it is printed."""
        function = member.function
        if function is None:
            statement = member.item.statement
            text = needs_own_annotation(member, self.above, self.child, self.parent, self.pair)
            return f"{statement.lead}{text or statement.text}\n"
        inherited = self._inherited_def(function.name) if heir else None
        result = override(member.item, inherited)
        self._check_decorators(member, inherited)
        if planned is None:
            return result.text()
        call = result.body[planned.plan.index + len(result.body) - len(function.body)]
        merged, noted = inlined(
            result,
            planned.inherited,
            planned.plan,
            call,
            planned.values,
            self._methods(),
            self.pair.replaces,
        )
        self.notes += map(self._note, noted)
        return merged.text()

    def _methods(self) -> dict[str, ast.stmt]:
        """The methods that the finished class has, by name."""
        items = [*(member.item for member in self.above), *self.child.items]
        return {item.function.name: item.node for item in items if item.function}

    def _inherited_def(self, name: str) -> BodyItem | None:
        """The parent's method that a method of this name overrides: not one of its overloads."""
        for member in self.above:
            if member.function and name in member.sure:
                node = member.node
                assert isinstance(node, _Function)
                if all(last_name(each) != "overload" for each in node.decorator_list):
                    return member.item
        return None

    def _check_decorators(self, member: Member, inherited: BodyItem | None) -> None:
        """Decorators that are inherited are read in another place than they were written for."""
        if inherited is None or member.function is None or member.function.decorators:
            return
        node = inherited.node
        assert isinstance(node, _Function)
        used = {
            each.id
            for item in node.decorator_list
            for each in ast.walk(item)
            if isinstance(each, ast.Name)
        }
        if used & self.names and kept_decorators(inherited):
            raise CannotFold(
                f"the decorators of the parent's {node.name} use the class body",
                member.item.statement.line,
            )

    def _note(self, noted: Noted) -> str:
        origin, above = self.pair.origin, self.pair.parent_origin
        return (
            f"note: {origin.path}:{origin.line(noted.line)}: {noted.attribute} takes the place of "
            f"{above.path}:{above.line(noted.parent_line)}, and line {above.line(noted.read_line)} "
            f"reads it: there Python would read the parent's value"
        )

    def _finished(self, written: ClassBody, bases: list[str], units: list[Unit]) -> Folded:
        origin = self.pair.origin
        place = Place(origin.path, origin.line(written.node.lineno), origin.name, origin.offset)
        decorators, after = choose_decorators(written.head, self.parent.head, True, place)
        head = replace(
            self.parent.head,
            name=origin.name,
            decorators=decorators,
            after_decorators=after,
            bases=tuple(Base(base, True, True) for base in bases),
            keywords=merge_keywords(written, self.parent),
            type_parameters=self.parent.head.type_parameters or written.head.type_parameters,
        )
        docstring = written.docstring or self.parent.docstring
        pieces = [f"{docstring.lead}{docstring.text}\n"] if docstring else []
        pieces += [unit.text for unit in units]
        footers = [each.footer for each in (self.parent, written) if each.footer.strip()]
        pieces += [f"{footer.rstrip()}\n" for footer in footers]
        if not any(piece.strip() for piece in pieces) or (footers and not units and not docstring):
            pieces.append("    pass\n")
        header = head.header()
        return Folded(
            head.lead + _own_comments(written),
            header[len(head.lead) :] + "".join(pieces).rstrip("\n"),
            tuple(self.notes),
        )


def _own_comments(written: ClassBody) -> str:
    """Comments in front of a class and in its head, as lines of their own."""
    text = written.text
    lines = LineMap(text)
    lead = "".join(line for line in split_lines(written.head.lead) if line.strip())
    start = lines.start_of(written.node.lineno)
    end = lines.start_of(written.node.body[0].lineno)
    inside = (
        text[left:right].strip()
        for left, right in lex(text).comments
        if start <= left < end and text[lines.start_of(lines.line_at(left)) : left].strip()
    )
    return lead + "".join(f"{comment}\n" for comment in inside)


def _strings_about(
    members: list[Member], dropped: set[Member], deleted: Collection[str]
) -> set[Member]:
    """The strings behind attributes that are deleted: they describe what is not there any more."""
    return {
        member
        for before, member in zip(members, members[1:])
        if before in dropped and before.sure <= set(deleted) and is_string(member.node)
    }


def _named(item: BodyItem, name: str) -> bool:
    return item.function is not None and item.function.name == name


def _alone(item: BodyItem, index: int) -> bool:
    """Whether the statement of a method stands on a line of its own."""
    function, node = item.function, item.node
    assert function is not None and isinstance(node, _Function)
    return all(len(statement.nodes) == 1 for statement in function.body) and len(
        function.body
    ) == len(node.body)


def _is_inlined(site: Site, child: ClassBody) -> bool:
    """Whether a site is the very call that the parent's statements replace."""
    node = child.items[site.item].node
    assert isinstance(node, _Function)
    found = find_call(node)
    return found is not None and found[1].func is site.node


def _heirs(own: list[Member]) -> set[Member]:
    """Of the methods of each name the one that takes the decorators and docstring of the parent's:
    the last, but for the other parts of a property."""
    found: dict[str, Member] = {}
    for member in own:
        if member.function is not None:
            parts = {f"{member.function.name}.{part}" for part in ("setter", "getter", "deleter")}
            if not parts & set(member.function.decorator_names):
                found[member.function.name] = member
    return set(found.values())
