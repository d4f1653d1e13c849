"""Build a class of a definition from the class it inherits from.

Members are stacked: the parent's attributes and methods in their order, the definition's replace
them in place or follow. ``super()`` calls are expanded into the parent's statements.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace

from codegen.errors import CodegenError, fail
from codegen.expansion.merge_methods import MethodMerger, is_deletion
from codegen.text.classes import Base, Class, Function, Parameters, adjust_indent
from codegen.text.lexer import lex, name_tokens
from codegen.text.lines import split_lines
from codegen.text.statements import Statement
from codegen.trees.dialect import Dialect
from codegen.trees.names import common_suffix

_ATTRIBUTE_DELETION = re.compile(r"^\s*[\w.]+\s*=\s*AttributeError\s*\(")
#: The decorator that stands for "none".
MARKER = "no_inherit_decorator"
#: The decorator that may join the parent's instead of replacing them.
_DEPRECATION = "deprecate_kwarg"
_FOREIGN = "change the parent's file, or write the class without that parent"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a merge happens, for error messages.

    ``line`` is that of the ``class`` keyword, ``offset`` the number of lines in front of the text
    that the class was parsed from (its leading lines belong to it).
    """

    path: str
    line: int
    class_name: str
    offset: int

    def line_of(self, statement: Statement) -> int:
        """Line of a member of the class in the file."""
        return self.offset + statement.line


def merge_class(
    child: Class, parent: Class, parent_base: str, place: Place, dialect: Dialect
) -> str:
    """Return the source of ``child`` with everything it inherits from ``parent`` folded in.

    ``parent_base`` is the base name in the child that denotes ``parent``.
    """
    bases = _merge_bases(child, parent, parent_base, place, dialect)
    decorators, after = choose_decorators(child, parent, dialect.decorator_marker, place)
    header = replace(
        parent,
        name=child.name,
        decorators=decorators,
        after_decorators=after,
        bases=tuple(Base(base, True, True) for base in bases),
    ).header()
    docstrings = child.docstrings or parent.docstrings
    attributes = _merge_attributes(child, parent, place)
    methods = _merge_methods(child, parent, bases, place, dialect)
    pieces = [f"{item.lead}{item.text}\n" for item in (*docstrings, *attributes)]
    pieces += methods
    return header + ("".join(pieces) or "    pass\n").rstrip("\n")


def choose_decorators(
    child: Class | Function, parent: Class | Function | None, marker: bool, place: Place
) -> tuple[str, str]:
    """The decorators of a merged class or method, and the lines between them and the keyword."""
    inherited = (parent.decorators, parent.after_decorators) if parent else ("", "")
    after = parent.after_decorators if parent else child.after_decorators
    if marker and re.search(rf"@{MARKER}\b", child.decorators):
        if child.decorators.count("@") > 1:
            raise _marker_beside_others(place.path, place.line)
        return "", after
    return (child.decorators, after) if child.decorators else inherited


def _method_decorators(
    own: Function, inherited: Function, dialect: Dialect, place: Place
) -> tuple[str, str]:
    """The same for an overriding method, whose deprecations may join what it inherits."""
    names = own.decorator_names
    joins = dialect.deprecations_join and names and all(map(_is_deprecation, names))
    if not (joins and inherited.decorators):
        return choose_decorators(own, inherited, dialect.decorator_marker, place)
    # @can_return_tuple          the parent's; its own deprecations are replaced
    # @deprecate_kwarg("cache")  the method's
    others = [
        text
        for name, text in zip(inherited.decorator_names, _decorators_apart(inherited))
        if not _is_deprecation(name)
    ]
    return "".join(others) + own.decorators, inherited.after_decorators


def _is_deprecation(decorator: str) -> bool:
    """Whether the source of a decorator is ``deprecate_kwarg(...)``, however it is imported."""
    return decorator.partition("(")[0].rpartition(".")[2] == _DEPRECATION


def _decorators_apart(method: Function) -> list[str]:
    """The source of each decorator, with the comments in front of it."""
    text = f"if True:\n{method.decorators}{method.indent}def method(): pass\n"
    block = ast.parse(text).body[0]
    assert isinstance(block, ast.If) and isinstance(block.body[0], ast.FunctionDef)
    # Behind the end of the one before, which is where its own comments begin.
    ends = [1, *(item.end_lineno or item.lineno for item in block.body[0].decorator_list)]
    lines = split_lines(text)
    return ["".join(lines[start:end]) for start, end in zip(ends, ends[1:])]


def without_marker(text: str, path: str, offset: int) -> str:
    """A class that is emitted as written, without the decorator marker on it and its methods.

    ``offset`` is the number of lines in front of ``text`` in the file, for messages.
    """
    lines = split_lines(text)
    for node in ast.walk(ast.parse(text)):
        decorators = getattr(node, "decorator_list", ())
        marked = [item for item in decorators if ast.unparse(item).endswith(MARKER)]
        if marked and len(decorators) > 1:
            raise _marker_beside_others(path, offset + marked[0].lineno)
        if marked:
            lines[marked[0].lineno - 1] = ""
    return "".join(lines)


def _marker_beside_others(path: str, line: int) -> CodegenError:
    return fail(
        "decorator-marker",
        f"@{MARKER} stands together with other decorators",
        path,
        line,
        "use the marker alone, or drop it: listed decorators replace the parent's",
    )


def _merge_bases(
    child: Class, parent: Class, parent_base: str, place: Place, dialect: Dialect
) -> list[str]:
    for base in child.bases:
        if not base.dotted:
            raise fail(
                "unsupported-base",
                f"base {base.text} of class {child.name} is not a plain or dotted name",
                place.path,
                place.line,
                "a class that is folded with its parent may list only names as bases",
            )
    added = [base.text for base in child.bases if base.text != parent_base]
    original = [base.text for base in parent.bases]
    result = []
    for base in parent.bases:
        chosen = base.text
        for candidate in added if base.plain else ():
            suffix = common_suffix(base.text, candidate)
            specialised = (
                dialect.specialised_base_replaces
                and candidate != base.text
                and candidate.endswith(base.text)
            )
            if (suffix and suffix[0].isupper()) or specialised:
                chosen = candidate
                break
        if chosen != base.text:
            added.remove(chosen)
        result.append(chosen)
    if dialect.appends_bases:
        result += [base for base in added if base not in original]
    if "nn.Module" in result and "GradientCheckpointingLayer" in result:
        result.remove("nn.Module")
    return result


def _merge_attributes(child: Class, parent: Class, place: Place) -> list[Statement]:
    _check_targets(child, parent, place)
    merged = dict(parent.attributes)
    for name, statement in child.attributes:
        if _ATTRIBUTE_DELETION.match(statement.text):
            if name not in merged:
                raise fail(
                    "missing-attribute",
                    f"class {child.name} deletes attribute {name}, which its parent lacks",
                    place.path,
                    place.line_of(statement),
                    "remove the line, or check the spelling of the attribute",
                )
            del merged[name]
        else:
            merged[name] = statement
    return list(merged.values())


def _check_targets(child: Class, parent: Class, place: Place) -> None:
    """Refuse what has no single name to stack members by."""
    for owner in (child, parent):
        own = owner is child
        for _, statement in owner.attributes:
            node = statement.node
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], (ast.Tuple, ast.List)):
                raise fail(
                    "tuple-attribute",
                    f"class {owner.name} assigns several attributes in one statement: "
                    f"{statement.text.strip()}",
                    place.path,
                    place.line_of(statement) if own else place.line,
                    "write one assignment for each attribute" if own else _FOREIGN,
                )
        for name, line in owner.repeated:
            raise fail(
                "repeated-method",
                f"class {owner.name} defines {name} twice, and the second has no decorator",
                place.path,
                place.offset + line if own else place.line,
                "give the methods different names" if own else _FOREIGN,
            )


def _merge_methods(
    child: Class, parent: Class, bases: list[str], place: Place, dialect: Dialect
) -> list[str]:
    marker = dialect.decorator_marker
    own = dict(child.methods)
    inherited = dict(parent.methods)
    if dialect.attribute_displaces_method:
        displaced = {name for name, _ in child.attributes} - own.keys()
        inherited = {name: item for name, item in inherited.items() if name not in displaced}
    if dialect.calls_listed_bases:
        bases = [base.text for base in child.bases]
    merger = MethodMerger(inherited, tuple(bases), place.path, place.offset, dialect)
    result = []
    for key, method in inherited.items():
        if key not in own:
            result.append(f"{method.lead}{method.source}\n")
        elif not is_deletion(own[key]):
            result.append(merger.text(_override(own[key], method, dialect, place), own[key].name))
    for key, method in own.items():
        if key not in inherited:
            decorators, after = choose_decorators(method, None, marker, place)
            plain = replace(method, decorators=decorators, after_decorators=after)
            result.append(merger.text(plain, method.name))
    names = {method.name for method in own.values()}
    return [merger.nested(text, names) for text in result]


def _with_keyword_only(own: Parameters, inherited: Function) -> Parameters:
    """Parameters with those keyword-only ones of the parent that its body, to be folded in, reads."""
    read = {name for item in inherited.body for name in name_tokens(lex(item.text).code)}
    given = {item.name for item in own.positional}
    wanted = [item for item in inherited.parameters.keyword_only if item.name in read - given]
    merged = {item.name: item for item in (*wanted, *own.keyword_only)}
    keyword_only = tuple(merged.values())
    star = (own.star or inherited.parameters.star) if wanted else own.star
    return replace(own, star=star, keyword_only=keyword_only)


def _override(own: Function, inherited: Function, dialect: Dialect, place: Place) -> Function:
    """Combine an overriding method with the signature parts it inherits (body still its own)."""
    decorators, after = _method_decorators(own, inherited, dialect, place)
    parameters = own.parameters
    if parameters.catch_all and parameters.catch_all.name == "super_kwargs":
        merged = {item.name: item for item in inherited.parameters.positional}
        merged |= {item.name: item for item in parameters.positional[1:]}
        parameters = replace(
            parameters,
            positional=tuple(merged.values()),
            catch_all=inherited.parameters.catch_all,
        )
        if any("super()" in statement.text for statement in own.body):
            parameters = _with_keyword_only(parameters, inherited)
    parameters = replace(parameters, opening=inherited.parameters.opening)
    body = own.body
    if not own.docstrings:
        body = (
            *(adjust_indent(item, inherited.indent, own.indent) for item in inherited.docstrings),
            *own.body,
        )
    return replace(
        own,
        lead=inherited.lead,
        decorators=decorators,
        after_decorators=after,
        keyword=inherited.keyword,
        parameters=parameters,
        returns=own.returns or inherited.returns,
        body=body,
    )
