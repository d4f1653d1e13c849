"""The stages of a review in their order: two sides in, a report out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from codegen.review.attribute import Attributed, Attribution, closure_of
from codegen.review.compare import Reading, compare_texts, count_plain, gone_file
from codegen.review.edits import join_edits
from codegen.review.freshness import Expected
from codegen.review.group import group_changes
from codegen.review.lineage import Lineage, Pool
from codegen.review.model import (
    Change,
    MemberChange,
    Report,
    Side,
    SourceCount,
    Stale,
    Summary,
    Unexplained,
)
from codegen.review.promises import Finding
from codegen.review.reach import not_reached
from codegen.review.risks import find_risks, findings_of
from codegen.review.source_hunks import source_changes, split_hunks
from codegen.review.unexplained import sort_out_rest
from codegen.run.sync import Options
from codegen.trees.tree import Tree


@dataclass(frozen=True)
class Question:
    """What is reviewed: a tree and two of its states, and what is known of their freshness.

    ``roots`` are the folders of sides that lie in one, ``commits`` the names of those that git has
    ("" for others). ``parents_only``: of hand-written files,
    those count that generated ones are made of (always so in a library).

    ``options`` are those by which either side is expanded; None where only its texts are known.
    ``expected`` are the texts that the definitions of the head give, where the files say otherwise or are
    missing; ``known`` is False where nobody could ask some of these definitions. ``base_expected`` finds the same for the base, for the models that are named, when it is needed.
    """

    tree: Tree
    base: Side
    head: Side
    stale: tuple[Stale, ...] = ()
    expected: Mapping[str, str] = field(default_factory=dict)
    known: bool = True
    base_expected: Callable[[Sequence[str]], Expected] = lambda models: Expected(False, {})
    notes: tuple[str, ...] = ()
    roots: tuple[Path | None, Path | None] = (None, None)
    commits: tuple[str, str] = ("", "")
    parents_only: bool = False
    options: Options | None = None


def build_report(question: Question) -> Report:
    """Compare, attribute, fold, and look for risks."""
    pool = Pool()
    base = Lineage(question.tree, question.base, pool)
    head = Lineage(question.tree, question.head, pool)
    generated, findings = generated_changes(base, head, question.tree.config.helpers)
    everyone = {*base.side.definitions, *head.side.definitions}
    parents = frozenset(source for path in everyone for source in closure_of(path, base, head))
    narrow = question.parents_only or question.tree.kind != "project"
    sources = source_changes(base, head, parents if narrow else None)
    edits = join_edits(split_hunks(sources, base, head))
    attribution = Attribution(edits, base, head)
    attributed = [i for found in generated.values() for i in attribution.attribute(found)]
    attributed, unexplained, notes = sort_out_rest(
        question, (edits, attribution.edits_of), attributed, generated
    )
    changes = group_changes(edits, attributed)
    risks = find_risks(changes, findings, (base, head), unexplained)
    return Report(
        _summary(question, sources, generated, changes, attributed, unexplained),
        question.stale,
        tuple(unexplained),
        tuple(risks),
        tuple(changes),
        tuple(not_reached(question.tree, changes, head)),
        (*question.notes, *notes),
    )


def generated_changes(
    base: Lineage, head: Lineage, helpers: str
) -> tuple[dict[str, list[MemberChange]], dict[str, tuple[Finding, ...]]]:
    """What differs in each generated file that both sides, or one of them, have, and what it does
    not keep of its promises: both are read while the file's syntax trees are at hand."""
    found, findings = {}, {}
    old, new = base.side, head.side
    for path in sorted({*old.generated, *new.generated}):
        before, after = old.text(path), new.text(path)
        if before != after:
            model = (new if path in new.generated else old).model_of(path)
            sides = Reading(before, base.naming(path)), Reading(after, head.naming(path))
            if path in new.texts or old.generated.get(path) in new.texts:
                found[path] = compare_texts(path, model, *sides)
            else:
                found[path] = gone_file(path, model, sides[0])
            findings[path] = findings_of(path, base, head, helpers)
    return found, findings


def _summary(
    question: Question,
    sources: Sequence[MemberChange],
    generated: Mapping[str, Sequence[MemberChange]],
    changes: Sequence[Change],
    attributed: Sequence[Attributed],
    unexplained: Sequence[Unexplained],
) -> Summary:
    head = question.head
    hunks = added = removed = 0
    for several in generated.values():
        counts = count_plain(several)
        hunks, added, removed = hunks + counts[0], added + counts[1], removed + counts[2]
    models = tuple(sorted({item.change.model for item in attributed}))
    models += tuple(sorted({item.model for item in unexplained} - set(models)))
    everyone = set(head.definitions.values())
    variants = [item for change in changes for item in change.variants]
    rest = sum(hunk.size for item in unexplained for hunk in item.hunks)
    explained = sum(item.hunk.size for item in attributed if item.edit is not None)
    total = explained + rest + sum(i.hunk.size for i in attributed if i.edit is None)
    return Summary(
        question.base.label,
        head.label,
        tuple(_source_counts(sources)),
        len(generated),
        models,
        tuple(sorted(everyone - set(models))),
        hunks,
        added + removed,
        added,
        removed,
        len(variants) + len(unexplained),
        sum(item.size for item in variants) + rest,
        round(100 * explained / total) if total else 100,
    )


def _source_counts(changes: Sequence[MemberChange]) -> list[SourceCount]:
    by_path: dict[str, list[MemberChange]] = {}
    for change in changes:
        by_path.setdefault(change.path, []).append(change)
    return [SourceCount(path, *count_plain(several)[1:]) for path, several in by_path.items()]
