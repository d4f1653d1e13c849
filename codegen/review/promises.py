"""Compare classes and functions of both sides: what callers, checkpoints and numbers rely on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from codegen.review.classes import ClassFacts
from codegen.review.facts import EMPTY_BASES, ModuleFacts
from codegen.review.signatures import Parameter
from codegen.review.weights import Weight


@dataclass(frozen=True, slots=True)
class Finding:
    """A risk in one generated file: its kind and message (without model names), the class and the
    member it is about, and the name that it turns on."""

    kind: str
    message: str
    owner: str
    member: str
    name: str


def compare_classes(
    files: tuple[ModuleFacts, ModuleFacts], name: str, renamed: Mapping[str, str]
) -> Iterator[Finding]:
    """What a class of both states of a file promised and does not keep; ``renamed`` are classes that only
    have another name now (:func:`renamed_classes`)."""
    old, new = (file.classes[name] for file in files)
    yield from _state_keys(files, new, renamed)
    brought = to_be_brought(files, name)
    if old.bases != new.bases:
        bases = f"({', '.join(old.bases)}) become ({', '.join(new.bases)})"
        if brought:
            bases += f", which have to bring {', '.join(sorted(brought))} now"
        yield Finding("base", f"bases of {new.role} {bases}", new.name, new.name, "")
    yield from _decorators(new.role, old.decorators, new.decorators, new.name, new.name)
    inherited = {key: one for each in files[1].ancestors(name) for key, one in each.methods.items()}
    for name, method in old.methods.items():
        shown = f"{new.role}.{name}"
        now = new.methods.get(name) or inherited.get(name)
        if now is None:
            if not name.startswith("__") and name not in brought:
                message = f"method {shown} is gone"
                yield Finding("signature", message, new.name, name, name)
            continue
        kind = "config" if new.is_config else "signature"
        for said, parameter in compare_signatures(method.signature, now.signature):
            yield Finding(kind, f"{shown}: {said}", new.name, name, parameter)
        yield from _decorators(shown, method.decorators, now.decorators, new.name, name)
    if new.is_config:
        yield from _fields(old, new)


def to_be_brought(files: tuple[ModuleFacts, ModuleFacts], name: str) -> set[str]:
    """What a class had and has no more since it inherits from a class that the file does not define: methods,
    and attributes that it reads."""
    old, new = (file.classes[name] for file in files)
    known = {*files[1].classes, *old.plain_bases, *EMPTY_BASES}
    if known.issuperset(new.plain_bases):
        return set()
    before, now = (
        {each for item in file.ancestors(name) for each in item.defined} for file in files
    )
    needed = new.read | {each for each in old.methods if not each.startswith("__")}
    return (before - now) & needed


def _state_keys(
    files: tuple[ModuleFacts, ModuleFacts], item: ClassFacts, renamed: Mapping[str, str]
) -> Iterator[Finding]:
    (before, old), (after, new) = ((file, file.classes[item.name]) for file in files)
    was_there = {name: _under(weight, renamed) for name, weight in old.weights.items()}
    gone = {name: was_there[name] for name in _kept(before, old, new)}
    come = _kept(after, new, old)
    for keys, weights in ((gone, _inherited(after, new)), (come, _inherited(before, old))):
        for name in [
            key for key in keys if key in weights and _same_weight(keys[key], weights[key])
        ]:
            del keys[name]  # a base has it now, or had it
    for name, weight in list(gone.items()):
        other = next((key for key, each in come.items() if _same_weight(each, weight)), None)
        if other is not None:
            del gone[name], come[other]
            message = f"{new.role}: key {name} becomes {other} in the state dict"
            yield Finding("state-dict", message, new.name, "__init__", other)
    for name, weight in gone.items():
        message = f"{new.role}: key {name} ({weight.constructor}) leaves the state dict"
        yield Finding("state-dict", message, new.name, "__init__", name)
    for name, weight in come.items():
        message = f"{new.role}: key {name} ({weight.constructor}) comes into the state dict"
        yield Finding("state-dict", message, new.name, "__init__", name)
    for name, weight in new.weights.items():
        was = was_there.get(name)
        said = _resized(was, weight) if was is not None else ""
        if (
            said
            and was is not None
            and (before.holds_weights_of(was) or after.holds_weights_of(weight))
        ):
            yield Finding("state-dict", f"{new.role}: {name}: {said}", new.name, "__init__", name)


def renamed_classes(old: ModuleFacts, new: ModuleFacts) -> dict[str, str]:
    """Classes of a file that have another name now and the same weights: names as texts have them."""
    gone = [name for name in old.classes if name not in new.classes]
    come = [name for name in new.classes if name not in old.classes]
    made = {name: new.keys_of(name) for name in come} if gone else {}
    found: dict[str, str] = {}
    for name in gone if come else ():
        keys = old.keys_of(name)
        same = (each for each in come if made[each] == keys)
        other = next((each for each in same if each not in found.values()), None)
        if other is not None:
            found[name] = other
    naming_old, naming_new = old.read_by[0], new.read_by[0]
    return {naming_old.name(one): naming_new.name(two) for one, two in found.items()}


def _under(weight: Weight, renamed: Mapping[str, str]) -> Weight:
    """A weight with classes by the names that they have now."""
    if not renamed:
        return weight

    def told(text: str) -> str:
        return _WORD.sub(lambda match: renamed.get(match[0], match[0]), text)

    return replace(
        weight, made=told(weight.made), size=told(weight.size), constructor=told(weight.constructor)
    )


_WORD = re.compile(r"\w+")


def _kept(module: ModuleFacts, item: ClassFacts, other: ClassFacts) -> dict[str, Weight]:
    """What a class has in the state dict and the other state of it has not."""
    return {
        name: weight
        for name, weight in item.weights.items()
        if name not in other.weights and module.holds_weights_of(weight)
    }


def _inherited(module: ModuleFacts, item: ClassFacts) -> dict[str, Weight]:
    """What bases of a class within the module assign, the nearest first."""
    above = [each for each in module.ancestors(item.name) if each is not item]
    return {name: weight for each in reversed(above) for name, weight in each.weights.items()}


def _resized(old: Weight, new: Weight) -> str:
    """What of a weight has other keys or sizes now; "" where nothing has."""
    if old.made == new.made and old.size == new.size:
        return ""
    if old.constructor != new.constructor:
        return f"{old.constructor} becomes {new.constructor}"
    if old.size == new.size or (new.kind == "buffer" and not (old.size and new.size)):
        return ""
    if old.made != new.made:
        return f"{old.made} becomes {new.made}"
    return f"({old.size}) becomes ({new.size})"


def _same_weight(one: Weight, two: Weight) -> bool:
    return (one.made, one.size, one.constructor) == (two.made, two.size, two.constructor)


def _decorators(
    shown: str, old: Sequence[str], new: Sequence[str], owner: str, member: str
) -> Iterator[Finding]:
    gone, come = Counter(old) - Counter(new), Counter(new) - Counter(old)
    if gone or come:
        said = [f"@{item} is gone" for item in gone] + [f"@{item} is new" for item in come]
        name = next(iter([*come, *gone])).partition("(")[0]
        yield Finding("decorator", f"{shown}: {', '.join(said)}", owner, member, name)
    elif tuple(old) != tuple(new):
        yield Finding("decorator", f"{shown}: decorators in another order", owner, member, "")


def _fields(old: ClassFacts, new: ClassFacts) -> Iterator[Finding]:
    for name, value in old.fields.items():
        if name not in new.fields:
            message = f"{new.role}: field {name} is gone"
        elif new.fields[name] != value:
            message = f"{new.role}: {name} = {value} becomes {new.fields[name] or 'unset'}"
        else:
            continue
        yield Finding("config", message, new.name, name, name)
    for name, value in new.fields.items():
        if name not in old.fields and not value:
            yield Finding(
                "config", f"{new.role}: field {name} is new, without default", new.name, name, name
            )


def compare_signatures(
    old: Sequence[Parameter], new: Sequence[Parameter]
) -> Iterator[tuple[str, str]]:
    """What a caller of the old signature cannot rely on any more, with the parameter."""
    before = {item.name: item for item in old}
    after = {item.name: item for item in new}
    gone = [name for name in before if name not in after]
    come = [name for name in after if name not in before]
    places_old, places_new = _positions(old), _positions(new)
    for name in gone:
        place = places_old.get(name)
        other = next((n for n in come if place is not None and places_new.get(n) == place), None)
        same = other is not None and before[name].default == after[other].default
        if other is not None and same and len(gone) == len(come):
            come.remove(other)
            yield f"argument {name} becomes {other}", other
        else:
            yield (
                f"argument {before[name].kind.replace('positional', '')}{name} is removed".replace(
                    "keyword", ""
                ),
                name,
            )
    for name in come:
        if after[name].default is None and after[name].kind in ("positional", "keyword"):
            yield f"argument {name} is new and has no default", name
    yield from _order(places_old, places_new, after)
    for name in before:
        if name in after and before[name].default != after[name].default:
            one, two = before[name].default, after[name].default
            if one is None:
                continue  # a default that came hurts nobody
            yield f"{name}={one} becomes {name if two is None else f'{name}={two}'}", name
        if name in after and (before[name].kind, after[name].kind) == ("positional", "keyword"):
            yield f"argument {name} is keyword-only now", name


def _order(
    old: Mapping[str, int], new: Mapping[str, int], after: Mapping[str, Parameter]
) -> Iterator[tuple[str, str]]:
    common = [name for name in old if name in new]
    now = sorted(common, key=lambda name: new[name])
    if common != now:
        yield f"arguments in another order: {', '.join(now)}", now[0]
        return
    last = max((new[name] for name in common), default=-1)
    for name, place in new.items():
        if name not in old and place < last and after[name].default is not None:
            following = next(n for n in now if new[n] > place)
            if len(new) > len(old):
                yield f"argument {name} is new and stands before {following}", name


def _positions(parameters: Sequence[Parameter]) -> dict[str, int]:
    names = [item.name for item in parameters if item.kind == "positional"]
    return {name: index for index, name in enumerate(names)}


def compare_functions(old: ModuleFacts, new: ModuleFacts) -> Iterator[Finding]:
    """The same for functions at the top of a module."""
    alike = _alike(old, new) if old.read_by[0] == new.read_by[0] else set()
    for name in old.functions:
        if name not in new.functions or name in alike:
            continue
        before, after = old.functions[name], new.functions[name]
        for said, parameter in compare_signatures(before.signature, after.signature):
            yield Finding("signature", f"{name}: {said}", name, name, parameter)
        yield from _decorators(name, before.decorators, after.decorators, name, name)


def _alike(old: ModuleFacts, new: ModuleFacts) -> set[str]:
    """Functions that read the same in both states."""
    return {name for name, _ in old.function_segments.items() & new.function_segments.items()}


def compare_public(old: ModuleFacts, new: ModuleFacts) -> Iterator[Finding]:
    """Public names that are gone."""
    bound = {*new.classes, *new.functions} | {name for _, name in new.imports}
    for name in (*old.classes, *old.functions):
        if name not in bound and not name.startswith("_"):
            word = "class" if name in old.classes else "function"
            role = old.classes[name].role if name in old.classes else name
            yield Finding("public-name", f"{word} {role} is gone", name, name, name)
    for name in sorted(set(old.exported or ()) - set(new.exported or ())):
        if name in bound:
            yield Finding("public-name", f"{name} is no longer in __all__", "", "__all__", name)


def compare_numerics(
    old: ModuleFacts, new: ModuleFacts, concerned: Sequence[str]
) -> Iterator[Finding]:
    """Operators that came into a method or left it, unless they only moved within the file."""
    alike = _alike(old, new)  # they have no operators that the other state has not
    total = _total(new, concerned, alike)
    total.subtract(_total(old, old.concerned(new), alike))
    for name in concerned:
        item, before = new.classes[name], old.classes.get(name)
        if before is None:
            continue
        for called, method in item.methods.items():
            was = before.methods.get(called)
            said = _difference(was.operators, method.operators, total) if was else ""
            if said:
                yield Finding("numerics", f"{item.role}.{called}: {said}", name, called, "")
    for name in new.functions:
        if name in old.functions and name not in alike:
            before_it, now = old.functions[name].operators, new.functions[name].operators
            said = _difference(before_it, now, total)
            if said:
                yield Finding("numerics", f"{name}: {said}", name, name, "")


def _total(module: ModuleFacts, concerned: Sequence[str], alike: set[str]) -> Counter[str]:
    """All operators that do not stand in the other state; classes that are the same have none."""
    total: Counter[str] = Counter()
    for name in concerned:
        for method in module.classes[name].methods.values():
            total.update(method.operators)
    for name in module.functions.keys() - alike:
        total.update(module.functions[name].operators)
    return total


def _difference(old: Counter[str], new: Counter[str], total: Counter[str]) -> str:
    come = [name for name, n in (new - old).items() if total[name] > 0 for _ in range(n)]
    gone = [name for name, n in (old - new).items() if total[name] < 0 for _ in range(n)]
    said = []
    if come:
        said.append(f"{' '.join(sorted(come))} came")
    if gone:
        said.append(f"{' '.join(sorted(gone))} went")
    return ", ".join(said)
