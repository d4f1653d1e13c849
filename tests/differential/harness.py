"""Expand a small project and compare it, executed, with what its definitions mean to Python.

Everything happens in this process: the definition is imported over its parents, the generated
module beside it, and both are asked the same questions.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codegen.run.outcome import ModelOutcome
from codegen.run.sync import Options, check
from codegen.trees.conventions import resolve_relative
from codegen.trees.names import FILE_TYPES
from codegen.trees.tree import open_tree
from codegen.verify.definitions.compare import Finding, compare
from codegen.verify.definitions.load import Source, project
from codegen.verify.definitions.sides import load_side
from codegen.verify.definitions.subject import Parents, Subject, make_subject
from codegen.verify.definitions.values import Describer

SETTINGS = '[tool.codegen]\nformatter = "none"\n'
_SPELLED = re.compile(
    rf"^(?P<dots>\.*)(?P<path>[\w.]*\b(?:{'|'.join(FILE_TYPES)})_(?P<model>\w+))$"
)


@dataclass(frozen=True)
class Verdict:
    """What became of a project: ``equal``, ``listed``, ``refused``, ``invalid`` (Python itself does
    not run the definition), or a failure: ``different``, ``broken`` (not importable), ``unplaced``
    (refused without a line of a definition), ``crash``."""

    kind: str
    detail: str = ""
    findings: tuple[Finding, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether the expansion broke its promise."""
        return self.kind in ("different", "broken", "unplaced", "crash")


def judge(
    files: Mapping[str, str],
    root: Path,
    settings: str = SETTINGS,
    change: Callable[[str], str] = str,
) -> Verdict:
    """Expand the project and compare every definition of it.

    ``change`` is applied to every generated text, to see that a difference is found.
    """
    wanted = {"pyproject.toml": settings, **files}
    for place in [item for item in root.rglob("*.py") if item.is_file()]:
        if place.relative_to(root).as_posix() not in wanted:
            place.unlink()
    for path, text in wanted.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    tree = open_tree(root, None)
    run = check(tree, (), Options(jobs=1, cache=False))
    texts = {file.path: file.new for item in run.outcomes for file in item.files if file.new}
    texts = {path: change(text) for path, text in texts.items()}
    if run.problems:
        placed = all(p.location and p.location.line for p in run.problems)
        if any(problem.code == "internal" for problem in run.problems):
            return Verdict("crash", str(run.problems[0]))
        # What Python does not run need not be refused at a line, or at all.
        return Verdict("refused" if placed else "unplaced", "\n".join(map(str, run.problems)))
    found: list[Finding] = []
    for outcome in run.outcomes:
        subject = subject_of(outcome, files, texts)
        verdict = _compare(subject)
        if isinstance(verdict, Verdict):
            return Verdict(verdict.kind, verdict.detail, texts=texts)
        found += verdict
    unlisted = [item for item in found if not item.listed]
    kind = "different" if unlisted else "listed" if found else "equal"
    return Verdict(kind, "\n".join(map(str, unlisted or found)), tuple(found), texts)


def subject_of(
    outcome: ModelOutcome, files: Mapping[str, str], texts: Mapping[str, str]
) -> Subject:
    """What there is to compare about one model of a project that stands below one folder."""
    everything = {**files, **texts}
    sources = {
        path.removesuffix(".py").replace("/", "."): Source(path, text)
        for path, text in everything.items()
        if path.startswith("generated/")
    }
    package = f"generated.{outcome.model}"
    imported: dict[str, tuple[str, str]] = {}
    models: dict[str, str] = {}
    text = files[outcome.definition]
    for node in ast.walk(ast.parse(text)):
        spelled = "." * node.level + (node.module or "") if isinstance(node, ast.ImportFrom) else ""
        match = _SPELLED.match(spelled)
        module = resolve_relative(spelled, f"{package}.modular") if match else ""
        if match and module in sources and isinstance(node, ast.ImportFrom):
            imported |= {item.asname or item.name: (module, item.name) for item in node.names}
            models[module] = match.group("model")
    parents = Parents(imported, models, {module: sources[module].text for module in models})
    generated = [file.path.removesuffix(".py").replace("/", ".") for file in outcome.files]
    return make_subject(
        outcome.model,
        Source(outcome.definition, text),
        package,
        sources,
        generated,
        parents,
        {},
        outcome.warnings,
    )


def _compare(subject: Subject) -> list[Finding] | Verdict:
    described: dict[str, Any] = {}
    plans: list[Call] = []
    for side in ("plain", "generated"):
        with project(subject.sides) as roles:
            try:
                loaded = load_side(subject.sides, side, roles)
            except Exception as error:
                kind = "invalid" if side == "plain" else "broken"
                return Verdict(kind, f"{type(error).__name__}: {error}")
            if side == "plain":
                plans = list(_calls(loaded.modules[0], list(loaded.described["names"])))
            runs = {str(call): _run(call, loaded.modules, loaded.describer) for call in plans}
            described[side] = {**loaded.described, "runs": runs}
    return compare(described["plain"], described["generated"], subject.words, subject.facts)


@dataclass(frozen=True)
class Call:
    """Something to run: a function, or a class and then a member of its instance."""

    name: str
    arguments: tuple[Any, ...] = ()
    keywords: tuple[tuple[str, Any], ...] = ()
    member: str = ""
    given: tuple[Any, ...] = ()
    named: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        shown = ", ".join([*map(str, self.arguments), *(f"{k}={v}" for k, v in self.keywords)])
        inner = ", ".join([*map(str, self.given), *(f"{k}={v}" for k, v in self.named)])
        return f"{self.name}({shown})" + (f".{self.member}({inner})" if self.member else "")


def _calls(module: types.ModuleType, names: list[str]) -> Iterator[Call]:
    for name in names:
        value = vars(module)[name]
        if isinstance(value, type) and (value.__module__, value.__name__) == (
            module.__name__,
            name,
        ):
            ways = list(_ways(value))
            for arguments, keywords in ways:
                yield Call(name, arguments, keywords)
            for arguments, keywords in ways[:1]:
                for member in _members(value):
                    found = inspect.getattr_static(value, member)
                    if isinstance(found, (property,)) or not callable(getattr(value, member)):
                        yield Call(name, arguments, keywords, member)
                        continue
                    for given, named in _ways(getattr(value, member), bound=_binds(found)):
                        yield Call(name, arguments, keywords, member, given, named)
        elif inspect.isfunction(value):
            for arguments, keywords in _ways(value):
                yield Call(name, arguments, keywords)


def _binds(member: Any) -> bool:
    return not isinstance(member, (staticmethod, classmethod))


def _members(cls: type) -> list[str]:
    own = [item for item in cls.__mro__ if item.__module__.startswith("generated.")]
    found = dict.fromkeys(name for item in reversed(own) for name in vars(item))
    shown = [name for name in found if not name.startswith(("__", "_abc")) or name == "__call__"]
    return [name for name in shown if "__" not in name.strip("_")]


def _ways(
    function: Any, bound: bool = False
) -> Iterator[tuple[tuple[Any, ...], tuple[tuple[str, Any], ...]]]:
    """Arguments to call something with: only what it requires, everything, by keyword."""
    try:
        parameters = list(inspect.signature(function).parameters.values())[bound:]
    except (TypeError, ValueError):
        return
    numbers = itertools.count(3)
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in places if p.default is p.empty]
    only = [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    needed = tuple((p.name, next(numbers)) for p in only)
    open_ended = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    several = [tuple(next(numbers) for _ in required), tuple(next(numbers) for _ in places)]
    several += (
        [(5, 6), (2,)]
        if open_ended
        else [(1,)]
        if any(p.kind is p.VAR_KEYWORD and p.name == "super_kwargs" for p in parameters)
        else []
    )
    several.append(tuple(0 for _ in required))
    for values in dict.fromkeys(several):
        yield values, needed
    by_name = [p for p in places if p.kind is p.POSITIONAL_OR_KEYWORD]
    if by_name == places and places:
        extra = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
        yield (), tuple((p.name, next(numbers)) for p in (*places, *extra))


def _run(call: Call, modules: tuple[types.ModuleType, ...], describer: Describer) -> Any:
    home = next((m for m in modules if hasattr(m, call.name)), None)
    if home is None:
        return "missing"
    try:
        made = getattr(home, call.name)(*call.arguments, **dict(call.keywords))
        made = _finished(made)
        if not call.member:
            return describer.value(made)
        value = getattr(made, call.member)
        if callable(value) and not isinstance(value, type):
            value = _finished(value(*call.given, **dict(call.named)))
        return [describer.value(value), describer.value(made)]
    except Exception as error:
        text = re.sub(r"\b[\w.<>]+\(\)", "()", str(error))
        return ["raised", type(error).__name__, describer.value(text)]


def _finished(value: Any) -> Any:
    """The result of a coroutine or generator; any other value as it is."""
    if inspect.iscoroutine(value):
        try:
            value.send(None)
        except StopIteration as stop:
            return ["coroutine", stop.value]
        value.close()
        return ["suspended"]
    if inspect.isgenerator(value):
        return ["generator", list(itertools.islice(value, 20))]
    return value
