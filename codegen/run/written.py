"""Look at the files of a library that come out different from the committed ones: warnings only.

A library's committed bytes are right by definition; what differs from them has nothing else to be
measured by. (In projects every file is looked at while it is made.)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from codegen.expansion.model import Definition, ParsedModule
from codegen.expansion.unmet import inherited, lost, unmet
from codegen.output.checks import check_class_strings, check_text


def findings(
    definition: Definition,
    parents: Mapping[str, ParsedModule],
    texts: Mapping[str, str],
    cased: str,
) -> Iterator[str]:
    """Warnings about the generated ``texts`` of a definition, by path."""
    fatal = False
    for path, text in texts.items():
        for finding in check_text(text):
            fatal = fatal or finding.code == "syntax-error"
            yield f"warning: {path}:{finding.line}: {finding.message}"
    if fatal:
        return
    for path, finding in check_class_strings(texts, cased):
        yield f"warning: {path}:{finding.line}: {finding.message}"
    yield from _classes(definition, parents, texts)


def _classes(
    definition: Definition, parents: Mapping[str, ParsedModule], texts: Mapping[str, str]
) -> Iterator[str]:
    """What the classes of the definition say and meets nothing, and members that got lost."""
    path = definition.module.source.path
    home = {item.name: item.module for item in definition.parents}
    made = [node for text in texts.values() for node in _defined(text).values()]
    above = {module: _defined(parsed.source.text) for module, parsed in parents.items()}
    for name, child in _defined(definition.module.source.text).items():
        bases = [ast.unparse(base) for base in child.bases]
        base = next((item for item in bases if item in home), "")
        classes = above.get(home.get(base, ""), {})
        if base not in classes:
            continue
        for line, message in unmet(child, inherited(base, classes)):
            yield f"warning: {path}:{line}: {message}"
        same = [node for node in made if node.name == name]
        if gone := lost(child, classes[base], same) if same else []:
            yield f"warning: {path}:{child.lineno}: {name} loses {', '.join(gone)}"


def _defined(text: str) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}
