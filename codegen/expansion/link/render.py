"""The text of a parent's statements under their new names."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from codegen.expansion.link.namespace import Namespace, Target
from codegen.expansion.link.units import ModuleUnits, Unit
from codegen.text.lexer import Region

_COPIED = "# Copied from"
Edit = tuple[int, int, str]


@dataclass(frozen=True, eq=False)
class Renderer:
    """Renders the units of one parent module; ``locate`` spells its imports for the generated file.

    Names of the module in code get their new spelling. In strings that is done only where they
    are known to be names: classes in whole strings, docstrings and comments, and registered types.
    """

    space: Namespace
    units: ModuleUnits
    locate: Callable[[str, str], str]

    def render(self, unit: Unit, instead: Mapping[str, str]) -> tuple[str, str]:
        """Leading lines and text of a unit; names in ``instead`` are spelled as given there."""
        names = {**self.space.renamed[self.units.source.module], **instead}
        edits = [
            (mention.start, mention.end, names[mention.name])
            for mention in unit.mentions.names
            if names.get(mention.name, mention.name) != mention.name
        ]
        edits += self._imports(unit)
        covered = {edit[0] for edit in edits}
        for edit in self._spoken(unit, names):
            if edit[0] not in covered:
                edits.append(edit)
                covered.add(edit[0])
        lead = self._apply(unit.start, unit.lead_end, edits)
        return lead, self._apply(unit.lead_end, unit.end, edits)

    def _apply(self, start: int, end: int, edits: list[Edit]) -> str:
        text, done, pieces = self.units.source.text, start, []
        for begin, stop, new in sorted(edits):
            if start <= begin and stop <= end and begin >= done:
                pieces += [text[done:begin], new]
                done = stop
        return "".join([*pieces, text[done:end]])

    def _imports(self, unit: Unit) -> Iterator[Edit]:
        """Relative imports inside a unit, as they work from the generated file."""
        code = self.units.lexed.code
        for outer in unit.nodes:
            for node in ast.walk(outer):
                if isinstance(node, ast.ImportFrom) and node.level:
                    spelled = "." * node.level + (node.module or "")
                    start, end = self.units.lines.span(node)
                    match = re.compile(r"from\s*(\.[\w.\s]*?)\s*\bimport\b").match(code, start, end)
                    if match:
                        yield (*match.span(1), self.locate(spelled, self.units.source.module))

    # -- strings and comments ----------------------------------------------------------------

    @cached_property
    def _spoken_names(self) -> Mapping[str, str]:
        """Classes of the parent model, and how they are named in strings."""
        module = self.units.source.module
        names: dict[str, str] = {}
        for name in self.space.renamed[module]:
            plain = self.space.namings[module].name(name)
            if name in self.units.classes:
                kind = "copy"
            elif name in self.units.imported and plain != name:
                kind = "neighbour"
            else:
                continue
            names[name] = self.space.mark(Target(kind, module, name), plain, "say")
        return names

    @cached_property
    def _word(self) -> re.Pattern[str] | None:
        names = sorted(self._spoken_names, key=len, reverse=True)
        if not names:
            return None
        return re.compile(rf"(?<![\w.])(?:{'|'.join(map(re.escape, names))})\b")

    def _spoken(self, unit: Unit, names: Mapping[str, str]) -> Iterator[Edit]:
        """Edits of strings, docstrings and comments."""
        spoken = {
            **self._spoken_names,
            **{k: v for k, v in names.items() if k in self._instead(names)},
        }
        docstrings = set(self._docstrings(unit))
        text = self.units.source.text
        for start, end in self._within(unit, self.units.lexed.strings):
            content = text[start:end].strip("rRbBuU").strip("\"'")
            if content in spoken:
                begin = text.index(content, start)
                yield begin, begin + len(content), spoken[content].replace("_say", "_quote", 1)
            elif start in docstrings:
                yield from self._words(start, end, spoken)
        for start, end in self._within(unit, self.units.lexed.comments):
            if text.startswith(_COPIED, start) or _COPIED in text[start:end]:
                yield start, end, ""
            else:
                yield from self._words(start, end, spoken)
        yield from self._registered(unit)
        yield from self._listed(unit, spoken)

    def _instead(self, names: Mapping[str, str]) -> frozenset[str]:
        usual = self.space.renamed[self.units.source.module]
        return frozenset(name for name in names if usual.get(name) != names[name])

    def _words(self, start: int, end: int, spoken: Mapping[str, str]) -> Iterator[Edit]:
        if self._word is None:
            return
        for match in self._word.finditer(self.units.source.text, start, end):
            yield match.start(), match.end(), spoken[match[0]]

    def _within(self, unit: Unit, regions: tuple[Region, ...]) -> Iterator[Region]:
        for start, end in regions:
            if unit.start <= start and end <= unit.end:
                yield start, end

    def _docstrings(self, unit: Unit) -> Iterator[int]:
        """Offsets of the docstrings of the definitions in a unit."""
        for outer in unit.nodes:
            for node in ast.walk(outer):
                if not isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                    continue
                first = node.body[0]
                if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                    yield self.units.lines.span(first.value)[0]

    def _registered(self, unit: Unit) -> Iterator[Edit]:
        """Strings under which the model is registered: ``model_type``, and where it is asked for."""
        naming = self.space.namings[self.units.source.module]
        for outer in unit.nodes:
            for node in ast.walk(outer):
                for value in _registered_values(node):
                    new = naming.registered(str(value.value))
                    if new != value.value:
                        start, end = self.units.lines.span(value)
                        source = self.units.source.text[start:end]
                        yield start, end, source.replace(str(value.value), new, 1)

    def _listed(self, unit: Unit, spoken: Mapping[str, str]) -> Iterator[Edit]:
        """Class names beside class names of the model in a list: they are of the same family."""
        naming = self.space.namings[self.units.source.module]
        for outer in unit.nodes:
            for node in ast.walk(outer):
                if not isinstance(node, (ast.List, ast.Tuple, ast.Set)):
                    continue
                strings = _strings(node.elts)
                if not any(item.value in spoken for item in strings):
                    continue
                for item in strings:
                    value = str(item.value)
                    if value not in spoken and value.isidentifier() and naming.is_spelled(value):
                        start, end = self.units.lines.span(item)
                        source = self.units.source.text[start:end]
                        yield start, end, source.replace(value, naming.name(value), 1)


def _strings(nodes: Sequence[ast.expr]) -> list[ast.Constant]:
    return [
        node for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def _registered_values(node: ast.AST) -> list[ast.Constant]:
    """Strings in a node that are types of models."""
    found: list[ast.expr] = []
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        found = [node.value] if node.value and any(map(_is_model_type, targets)) else []
    elif isinstance(node, ast.Compare) and any(map(_is_model_type, [node.left, *node.comparators])):
        for item in (node.left, *node.comparators):
            found += item.elts if isinstance(item, (ast.List, ast.Tuple, ast.Set)) else [item]
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr.startswith("register")
    ):
        found = list(node.args)
    return _strings(found)


def _is_model_type(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return bool(name == "model_type")
