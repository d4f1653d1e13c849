"""What of the second copy of the expansion is replaced as a whole, module by module."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from types import ModuleType
from typing import Any

from codegen.explain.choices import recorded_choice, whole_pool
from codegen.explain.origins import SOURCES, joined, respelled
from codegen.text.lexer import Lexed, lex


@lru_cache(maxsize=4096)
def _lexed(text: str) -> Lexed:
    return lex(text)


def _plain_lexer(module: ModuleType) -> None:
    # What belongs to strings and comments does not depend on where a text comes from.
    vars(module)["lex"] = lambda text: _lexed(str.__str__(text))


def _traced_sources(module: ModuleType) -> None:
    plain = module.make_source

    def make_source(path: str, name: str, text: str) -> Any:
        return plain(path, name, SOURCES.traced(path, text))

    vars(module)["make_source"] = make_source


def _spelled_apart(*class_names: str) -> Callable[[ModuleType], None]:
    """New spellings are kept by name; each time one is asked for, it stands in another place."""

    def replace(module: ModuleType) -> None:
        for owner in (getattr(module, name) for name in class_names):
            owner.name = _respelling(owner.name)

    return replace


def _respelling(plain: Callable[[Any, str], str]) -> Callable[[Any, str], str]:
    return lambda self, name: respelled(plain(self, str.__str__(name)), name)


def _plain_questions(module: ModuleType) -> None:
    """Which file a module name leads to does not depend on where that name is written."""
    for owner in (module.TransformersConvention, module.ProjectConvention):
        for name in ("parent_module", "base_home", "stays_import"):
            setattr(owner, name, _untraced(getattr(owner, name)))


def _untraced(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Any, *arguments: Any) -> Any:
        return function(self, *(str.__str__(each) for each in arguments))

    return call


def _plain_edits(module: ModuleType) -> None:
    """A new name was cut out where it is defined; in an edit it stands where the old one is."""
    plain = module.Renderer._apply

    def apply(self: Any, start: int, end: int, edits: list[tuple[int, int, str]]) -> str:
        text: str = plain(self, start, end, [(*edit[:2], str.__str__(edit[2])) for edit in edits])
        return text

    module.Renderer._apply = apply


def _kept_names(module: ModuleType) -> None:
    """A private name is made of the parent's name and the method's, as that is written in the parent."""
    plain = module.Privates.name_for

    def name_for(self: Any, name: str, line: int) -> str:
        binders = [member for member in self.above if name in member.sure]
        own = getattr(binders[-1].node, "name", name) if binders else name
        known: str = plain(self, own if own == name else name, line)
        return known

    module.Privates.name_for = name_for


def _named_sites(module: ModuleType) -> None:
    """What stands for ``super().name`` ends with a name that was written there."""
    plain = module._Fold._resolve

    def resolve(self: Any, site: Any) -> list[tuple[int, int, str]]:
        edits: list[tuple[int, int, str]] = list(plain(self, site))
        name = str.__str__(site.name).strip("_")
        if edits and edits[0][2].endswith(name) and name:
            start, end, text = edits[0]
            there = self.child.text[start:end]
            at = there.rfind(name)
            if at >= 0:
                edits[0] = start, end, text[: -len(name)] + there[at : at + len(name)]
        return edits

    module._Fold._resolve = resolve


def _spliced_templates(module: ModuleType) -> None:
    module._environment().concat = lambda pieces: joined("", pieces)


#: By module below ``codegen``: what is done to its copy when that is loaded.
REPLACED: dict[str, Callable[[ModuleType], None]] = {
    "text.lexer": _plain_lexer,
    "trees.sources": _traced_sources,
    "trees.conventions": _plain_questions,
    "expansion.build_pool": whole_pool,
    "expansion.pool": recorded_choice,
    "expansion.rename": _spelled_apart("Spelling", "PairSpelling"),
    "expansion.fold.private": _kept_names,
    "expansion.fold.folding": _named_sites,
    "expansion.link.naming": _spelled_apart("Naming", "PairNaming"),
    "expansion.link.render": _plain_edits,
    "output.render": _spliced_templates,
}
