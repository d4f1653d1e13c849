"""The models that an edit changes, as a table of eighty columns."""

from __future__ import annotations

from collections.abc import Iterator

from codegen.explain.impact import Impact, Reached
from codegen.explain.show import WIDTH, Paint

#: Models that are listed unless all are asked for.
_LISTED = 30


def show_impact(name: str, impact: Impact, paint: Paint, whole: bool) -> Iterator[str]:
    """What an edit changes, most lines first; what is reached by a signature only comes last."""
    places = ", ".join(f"{each.path}:{each.first}-{each.last}" for each in impact.subjects)
    changed = [item for item in impact.reached if item.body]
    around = [item for item in impact.reached if not item.body]
    yield f"{paint(name, 'bold')}  {places}"
    yield f"  an edit changes {_models(len(changed))} of {impact.below} that build on the file"
    if around:
        yield f"  and of {_models(len(around))} no more than decorators, signature or docstring"
    if not impact.reached:
        return
    yield ""
    width = max(len(item.model) for item in impact.reached)
    yield f"  {'lines':>5}  {'model':{width}}  way"
    listed = [*changed, *around]
    for item in listed if whole else listed[:_LISTED]:
        yield from _row(item, width, paint)
    if len(listed) > _LISTED and not whole:
        yield f"  {'':5}  and {len(listed) - _LISTED} more (--all lists them)"


def show_way(name: str, model: str, impact: Impact, paint: Paint) -> Iterator[str]:
    """Why a model depends on what is edited."""
    found = next((item for item in impact.reached if item.model == model), None)
    if found is None:
        yield f"{model}: an edit of {name} changes nothing there"
        return
    members = ", ".join(found.members[:4]) + (" …" if len(found.members) > 4 else "")
    yield f"{paint(model, 'bold')}: {found.lines} lines, in {members}"
    for index, member in enumerate(found.path):
        yield f"  {'  ' * index}{'← ' if index else ''}{member}"


def _row(item: Reached, width: int, paint: Paint) -> Iterator[str]:
    start = f"  {item.lines:5}  {item.model:{width}}  "
    way = " ← ".join(_shortened(item.path))
    space = WIDTH - len(start)
    shown = way if len(way) <= space else f"{way[: space - 1]}…"
    yield f"  {item.lines:5}  {paint(f'{item.model:{width}}', 'cyan')}  {shown}"


def _shortened(path: tuple[str, ...]) -> list[str]:
    """Members of a way; a method that keeps its name is named once."""
    found, last = [], ""
    for member in path:
        owner, _, method = member.rpartition(".")
        found.append(owner if owner and method == last else member)
        last = method
    return found


def _models(count: int) -> str:
    return f"{count} model" if count == 1 else f"{count} models"
