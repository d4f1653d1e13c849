"""What must hold of every generated text before it is written.

It parses, every name is defined, and nothing stands before what it needs while it is imported.
Strings that name classes of the model name classes that exist.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from codegen.text.lexer import lex
from codegen.text.lines import LineMap
from codegen.text.mentions import Mentions, scan

#: Names that every module has.
BUILTINS = frozenset(dir(builtins)) | {
    *("__name__", "__file__", "__doc__", "__package__", "__spec__", "__class__", "__builtins__"),
    *("__path__", "__loader__", "__annotations__", "__dict__", "WindowsError"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not hold: ``code`` is ``syntax-error``, ``undefined-name``,
    ``late-name`` (needed at import, defined further down) or ``missing-class`` (in a string).

    ``fatal``: the module cannot be imported.
    """

    code: str
    line: int
    name: str
    message: str
    fatal: bool


def check_text(text: str) -> list[Finding]:
    """Findings about one module, in the order of its lines; at most one for each name and kind."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 0
        return [Finding("syntax-error", line, "", f"the text is no valid Python: {error}", True)]
    lines, code = LineMap(text), lex(text).code
    lazy = _has_lazy_annotations(tree)
    statements = [(node, scan([node], lines, code, lazy)) for node in tree.body]
    if "*" in _imported_names(tree) or any("__getattr__" in m.of("binds") for _, m in statements):
        return []
    bound = {name for _, mentions in statements for name in mentions.of("binds")}
    bound |= _declared_global(tree) | BUILTINS
    findings: dict[tuple[str, str], Finding] = {}
    so_far = set(BUILTINS)
    for node, mentions in statements:
        for finding in _about(node, mentions, bound, so_far, lines):
            findings.setdefault((finding.code, finding.name), finding)
        so_far |= mentions.of("binds")
    return sorted(findings.values(), key=lambda finding: finding.line)


def _about(
    node: ast.stmt, mentions: Mentions, bound: set[str], so_far: set[str], lines: LineMap
) -> Iterator[Finding]:
    simple = isinstance(
        node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.Assign, ast.AugAssign)
    )
    known = so_far if simple else so_far | mentions.of("binds")
    known = known | {item.target.id for item in ast.walk(node) if isinstance(item, ast.NamedExpr)}
    for mention in mentions.names:
        if mention.when == "binds":
            continue
        line, name = lines.line_at(mention.start), mention.name
        now = mention.when == "now"
        if name not in bound:
            yield Finding("undefined-name", line, name, f"{name} is not defined", now)
        elif now and name not in known:
            message = f"{name} is needed here while the file is imported, but defined further down"
            yield Finding("late-name", line, name, message, True)


def check_class_strings(
    texts: Mapping[str, str], cased: str, known: Collection[str] = ()
) -> Iterator[tuple[str, Finding]]:
    """Strings in lists that look like classes of the model and name none, with the file's path.

    ``texts`` are all generated files of a model, ``cased`` its name as class names spell it.
    """
    trees = {path: ast.parse(text) for path, text in texts.items()}
    defined = {name for tree in trees.values() for name in _names_of(tree)} | set(known)
    looks_like = re.compile(rf"{re.escape(cased)}[A-Z]\w*")
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if not isinstance(node, (ast.List, ast.Tuple, ast.Set)):
                continue
            for item in node.elts:
                value = item.value if isinstance(item, ast.Constant) else None
                if not isinstance(value, str) or not looks_like.fullmatch(value):
                    continue
                if value not in defined:
                    message = f'"{value}" names a class that this model does not have'
                    yield path, Finding("missing-class", item.lineno, value, message, False)


def _names_of(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name
    yield from _imported_names(tree)


def _imported_names(tree: ast.Module) -> set[str]:
    return {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }


def _declared_global(tree: ast.Module) -> set[str]:
    return {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}


def _has_lazy_annotations(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        and any(alias.name == "annotations" for alias in node.names)
        for node in tree.body
    )
