"""Edits of members: the models that change are compared with those that `impact` names."""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterator, Mapping

from benchmarks.provenance.oracle import Edit, Oracle, Score, as_read
from benchmarks.provenance.words import sources
from codegen.errors import CodegenError
from codegen.explain.atlas import Atlas
from codegen.explain.impact import Subject, impact_of
from codegen.explain.named import Named, named_in
from codegen.text.lines import LineMap

#: What is edited: bodies of methods and of functions, values of attributes of classes and of the module,
#: decorators, signatures.
PARTS = ("method", "function", "attribute", "constant", "decorator", "signature")


def measure_members(
    atlas: Atlas,
    count: int,
    seed: int = 0,
    parts: tuple[str, ...] = ("method", "function"),
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, Score]:
    """Edit ``count`` random members that others are built from, of each kind in turn; ``tell`` hears of
    each what changed and what was said to."""
    chance, oracle = random.Random(seed), Oracle(atlas)
    candidates: dict[str, list[tuple[Edit, Subject]]] = {part: [] for part in parts}
    for path in sources(atlas):
        # Read once for all edits of a file.
        here, there = (_by_name(text) for text in (atlas.text(path), as_read(atlas, path)))
        for part, edit, subject in _edits(as_read(atlas, path), path):
            found = _as_written(atlas, edit, subject, here, there)
            if part in candidates and found is not None:
                candidates[part].append((edit, found))
    scores = {part: Score() for part in parts}
    for index, part in enumerate(parts):
        share = count // len(parts) + (index < count % len(parts))
        for edit, subject in chance.sample(candidates[part], min(share, len(candidates[part]))):
            score = scores[part]
            before = len(score.faults)
            _compare(atlas, oracle, part, edit, subject, score)
            told = f"{score.both} of {score.said} said and {score.changed} changed"
            tell(f"{part} {edit.path}:{subject.name}: {told}, {sum(score.apart.values())} apart")
            for fault in score.faults[before:]:
                tell(f"  {fault}")
    return scores


def _by_name(text: str) -> Mapping[str, Named]:
    """What has a name in a file; of several the last one counts."""
    return {member.name: member for member in named_in(text)}


def _as_written(
    atlas: Atlas,
    edit: Edit,
    subject: Subject,
    here: Mapping[str, Named],
    there: Mapping[str, Named],
) -> Subject | None:
    """What is edited in the file as it was given, which passes may have changed before it is read.

    None where they changed these lines themselves, or made the member.
    """
    if not atlas.is_rewritten(edit.path):
        return subject
    member, read = here.get(subject.name), there.get(subject.name)
    if member is None or read is None:
        return None
    if subject.member is not None:
        return Subject(subject.name, edit.path, member.first, member.last, member)
    first, last = (line - read.first + member.first for line in (subject.first, subject.last))
    old, new = (text.split("\n") for text in (atlas.text(edit.path), as_read(atlas, edit.path)))
    same = old[member.first - 1 : last] == new[read.first - 1 : subject.last]
    return Subject(subject.name, edit.path, first, last) if same else None


def _compare(
    atlas: Atlas, oracle: Oracle, part: str, edit: Edit, subject: Subject, score: Score
) -> None:
    try:
        changed = oracle.changed([edit])
    except CodegenError as error:
        score.apart[f"cannot be expanded ({error.diagnostics[0].code})"] += 1
        return
    really = {atlas.owners[each] for each in changed}
    around = part in ("decorator", "signature")
    reached = impact_of(atlas, [subject]).reached
    said = {item.model for item in reached if item.body or around}
    score.count(said, really, f"{part} {edit.path}:{subject.name}")


def _edits(text: str, path: str) -> Iterator[tuple[str, Edit, Subject]]:
    """What can be edited in a file, with what `impact` is asked about."""
    lines = LineMap(text)
    members = {(member.header, member.kind): member for member in named_in(text)}
    for node in ast.walk(ast.parse(text)):
        line = getattr(node, "lineno", 0)
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            kind = "class" if isinstance(node, ast.ClassDef) else "function"
            member = members.get((line, kind))
            if member is not None:
                yield from _around(node, member, path, lines)
                if isinstance(node, ast.FunctionDef):
                    yield from _body(node, member, path, lines)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            member = members.get((line, "assignment"))
            if member is not None:
                yield from _value(node.value, member, path, lines)


def _body(
    node: ast.FunctionDef, member: Named, path: str, lines: LineMap
) -> Iterator[tuple[str, Edit, Subject]]:
    if member.body <= member.header or member.docstring[1] > 0:
        return
    start = lines.start_of(member.body)
    edit = Edit(path, start, "", f"{' ' * node.body[0].col_offset}edited_here = 1\n")
    subject = Subject(member.name, path, member.first, member.last, member)
    yield "method" if member.owner else "function", edit, subject


def _value(
    value: ast.expr, member: Named, path: str, lines: LineMap
) -> Iterator[tuple[str, Edit, Subject]]:
    """A literal gets another value; what marks a deletion or lists the exports stays."""
    literal = isinstance(value, (ast.Constant, ast.List, ast.Tuple, ast.Dict))
    if not literal or member.name == "__all__" or "." in member.name.partition(".")[2]:
        return
    start, end = lines.span(value)
    edit = Edit(path, start, lines.text[start:end], f"repr({lines.text[start:end]})")
    subject = Subject(member.name, path, member.first, member.last, member)
    yield "attribute" if member.owner else "constant", edit, subject


def _around(
    node: ast.FunctionDef | ast.ClassDef, member: Named, path: str, lines: LineMap
) -> Iterator[tuple[str, Edit, Subject]]:
    """A decorator, or the default of a parameter, gets another name or value."""
    for decorator in node.decorator_list[:1]:
        start, end = lines.span(decorator)
        old = lines.text[start:end]
        subject = Subject(member.name, path, decorator.lineno, decorator.end_lineno or 0)
        yield "decorator", Edit(path, end, "", ".edited_here"), subject
        assert old
    if isinstance(node, ast.FunctionDef) and node.args.defaults:
        start, end = lines.span(node.args.defaults[-1])
        line = node.args.defaults[-1].lineno
        edit = Edit(path, start, lines.text[start:end], "...")
        yield "signature", edit, Subject(member.name, path, line, line)
