"""What imports were chosen from: what else would give a name if the chosen one did not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

from codegen.explain.origins import Traced


@dataclass(frozen=True, slots=True)
class Candidate:
    """An import that would give a name if the chosen one did not: the place of its name, and whether
    it names the same thing in the same module."""

    place: int
    same: bool


class Choices:
    """What else could have given the imported names of one model, by the place of the chosen name."""

    def __init__(self) -> None:
        self.everything: list[Any] | None = None
        self.others: dict[int, tuple[Candidate, ...]] = {}

    def begin(self) -> None:
        """Forget what was said of another model."""
        self.everything, self.others = None, {}

    def record(self, pool: Sequence[Any], chosen: Iterable[Any]) -> None:
        """Note what else of the pool gives the names that were chosen; the next in order comes first."""
        known: dict[str, list[tuple[Any, Any]]] = {}
        for statement in _flat(self.everything if self.everything is not None else pool):
            for name in statement.names:
                known.setdefault(str.__str__(name.bound), []).append((statement.module, name))
        for statement in _flat(chosen):
            for name in statement.names:
                place = _place(name.bound)
                others = (
                    Candidate(_place(each.bound), (module, each) == (statement.module, name))
                    for module, each in known.get(str.__str__(name.bound), ())
                )
                found = {each.place: each for each in others if each.place not in (0, place)}
                if place and found:
                    self.others[place] = tuple(found.values())


CHOICES = Choices()


def _flat(entries: Iterable[Any]) -> Iterator[Any]:
    """Import statements, also those in guards."""
    for entry in entries:
        yield from getattr(entry, "body", (entry,))


def _place(name: str) -> int:
    return next(filter(None, name.places), 0) if isinstance(name, Traced) else 0


def whole_pool(module: ModuleType) -> None:
    """The pool leaves out what is in it already; if that were not, this would be."""
    plain = module.build_pool

    def build_pool(
        own: Any, created: Any, parents: Any, model: str, convention: Any, provides: Any
    ) -> Any:
        everything = [*own, *created]

        def adapt_import(*arguments: Any) -> Any:
            adapted = list(convention.adapt_import(*arguments))
            everything.extend(adapted)
            return adapted

        noting = SimpleNamespace(adapt_import=adapt_import)
        pool = plain(own, created, parents, model, noting, provides)
        CHOICES.everything = everything
        return pool

    vars(module)["build_pool"] = build_pool


def recorded_choice(module: ModuleType) -> None:
    """Every choice is noted, with what it was made from."""
    plain = module.select_imports

    def select_imports(pool: Sequence[Any], *rest: Any) -> Any:
        chosen = plain(pool, *rest)
        CHOICES.record(pool, chosen)
        return chosen

    vars(module)["select_imports"] = select_imports
