"""What a caller of lifted methods does about the results that they could be given.

A fact is known by its helper, by the arguments, and by what these mean where the call stands. A caller
with one such fact takes the results as optional parameters and hands them on; it computes them itself in
front of a call that would compute them in any case, under the same conditions as the call, so that the
arguments are there. With two facts of one helper (one encoder called for images and for videos) no
parameter can stand for both: each call keeps computing its own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codegen.rewrite.functions import Function
from codegen.rewrite.helper_entry import Helper
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import walk
from codegen.rewrite.place.bindings import (
    bound_arguments,
    carried,
    given_names,
    is_of_entry,
    names_in,
    own_attributes,
    stored_attributes,
)
from codegen.rewrite.reach import ENTRY, Reaching, Spot, may_leave_before


@dataclass(frozen=True, eq=False)
class HelperCall:
    """``targets = helper(arguments)``, with arguments as texts; ``statement`` if it is in the source.

    ``portable`` tells that the arguments mean the same where the method is entered, so that a caller can
    write them; ``eager`` that the method computes the results whenever it is called. ``rows`` is the number
    of rows that the statement itself gives the helper.
    """

    helper: Helper
    arguments: tuple[str, ...]
    statement: ast.Assign | None = None
    portable: bool = True
    eager: bool = True
    rows: str = ""

    @property
    def fact(self) -> tuple[object, ...]:
        """All that matters to callers."""
        return self.helper.name, self.arguments, self.portable, self.eager


@dataclass(frozen=True, eq=False)
class CallSite:
    """A call of an own method or of a submodule, with its target; ``this`` is what it is called on."""

    cls: ClassInfo
    function: Function
    call: ast.Call
    spot: Spot
    target: Function
    this: str


@dataclass(frozen=True, eq=False)
class Want:
    """Results that the target of a call site takes, with the arguments as the caller writes them."""

    site: CallSite
    call: HelperCall
    arguments: tuple[str, ...]
    meaning: tuple[tuple[str, frozenset[int]], ...]

    @property
    def key(self) -> tuple[object, ...]:
        """What has to agree for one value to serve two calls."""
        return self.arguments, self.meaning


@dataclass(frozen=True, eq=False)
class Carried:
    """Results that a caller takes as parameters: the fact, the calls they go to, and where they are computed.

    Without ``guards`` they are only handed on, and the called methods compute what is not given.
    """

    call: HelperCall
    wants: tuple[Want, ...]
    guards: tuple[Spot, ...]


def wants_of(site: CallSite, reaching: Reaching, calls: Sequence[HelperCall]) -> Iterator[Want]:
    """What a call site could be given of the results that its target takes."""
    bound = bound_arguments(site.call, site.target)
    if bound is None:
        return
    for call in calls:
        arguments = [carried(text, bound, site.this) for text in call.arguments]
        known = tuple(argument for argument in arguments if argument is not None)
        given = given_names(site.call) | set(bound)
        if not call.portable or len(known) < len(arguments) or given & set(call.helper.outputs):
            continue
        if own_attributes(known) & stored_attributes(site.function):
            continue
        statement = site.spot.statement
        meaning = tuple(
            (name, reaching.definitions(statement, name)) for name in sorted(names_in(known))
        )
        yield Want(site, call, known, meaning)


def unwritable(site: CallSite, call: HelperCall) -> str:
    """Why a caller cannot write the arguments of a helper that it could hand results of; empty if it can."""
    bound = bound_arguments(site.call, site.target)
    if bound is None:
        return "is called with expanded arguments"
    if not call.portable or set(call.helper.outputs) & given_names(site.call):
        return ""
    for argument in call.arguments:
        given = [bound[name] for name in names_in((argument,)) if name in bound]
        if carried(argument, bound, site.this) is None and given:
            return f"is called with {', '.join(ast.unparse(node) for node in given)}"
    return ""


def carry(
    function: Function, reaching: Reaching, wants: Sequence[Want], own: HelperCall | None
) -> Carried | str:
    """What the caller does about the results of one helper, or why it leaves them to the called methods."""
    helper = wants[0].call.helper
    if len({want.key for want in wants}) > 1:
        return "is called for different inputs"
    if own is not None:
        return _handed(reaching, wants, own)
    taken = _taken(reaching, wants)
    if taken:
        return f"has another use for {taken}"
    want = wants[0]
    if _changes_inside_loop(want, wants):
        return "is called in a loop for inputs that change in it"
    call = HelperCall(
        helper,
        want.arguments,
        None,
        all(is_of_entry(reaching, function, w.site.spot.statement, w.arguments) for w in wants),
        any(_is_certain(function, w) for w in wants),
    )
    return Carried(call, tuple(wants), tuple(_guards(wants)))


def _handed(reaching: Reaching, wants: Sequence[Want], own: HelperCall) -> Carried | str:
    """Results that the caller computes itself already go to calls behind that computation, if they are the same."""
    assert own.statement is not None
    meaning = tuple(
        (name, reaching.definitions(own.statement, name))
        for name in sorted(names_in(own.arguments))
    )
    same = all((w.arguments, w.meaning) == (own.arguments, meaning) for w in wants)
    made = frozenset({id(own.statement)})
    for want in wants:
        names = own.helper.outputs
        reached = [reaching.definitions(want.site.spot.statement, name) for name in names]
        if not same or any(found != made for found in reached):
            return "is called for other inputs than the ones whose results are computed here"
    return Carried(own, tuple(wants), ())


def _taken(reaching: Reaching, wants: Sequence[Want]) -> str:
    """A result whose name has another value in front of a call, empty where all are free."""
    for want in wants:
        for name in want.call.helper.outputs:
            if reaching.definitions(want.site.spot.statement, name):
                return name
    return ""


def _changes_inside_loop(want: Want, wants: Sequence[Want]) -> bool:
    """Tell whether a call is repeated for arguments that the repeated statements assign."""
    for loop in {loop for w in wants for loop in w.site.spot.loops}:
        inside = {id(node) for node in walk(loop)}
        if any(definition in inside for _, found in want.meaning for definition in found):
            return True
    return False


def _is_certain(function: Function, want: Want) -> bool:
    """Tell whether the method reaches the call whenever it is called, and the call the helper."""
    spot = want.site.spot
    certain = spot.is_at_top and spot.always and want.call.eager
    return certain and not may_leave_before(function, spot.statement)


def _guards(wants: Sequence[Want]) -> Iterator[Spot]:
    """Places in front of calls that compute the results in any case, none where an earlier one has run."""
    chosen: list[Spot] = []
    for want in wants:
        spot = want.site.spot
        if not spot.always or not want.call.eager:
            continue
        if any(spot.follows(earlier) for earlier in chosen):
            continue
        chosen.append(spot)
        yield spot


def is_direct(reaching: Reaching, statement: ast.stmt, outputs: Sequence[str]) -> bool:
    """Tell whether a parameter named like a result would reach the statement that computes it.

    Another value under that name in front of the statement would be taken for one that was given.
    """
    allowed = {frozenset(), frozenset({ENTRY})}
    return all(reaching.definitions(statement, name) in allowed for name in outputs)
