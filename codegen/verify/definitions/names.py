"""Which name of a definition plays the role of a name of its parent.

Told from the pairs of classes that the definition itself writes down: ``PebbleBlock(StoneBlock)``
says that ``Stone`` is ``Pebble``, and so ``StoneNorm`` is ``PebbleNorm`` and ``STONE_TABLE`` is
``PEBBLE_TABLE``. Deliberately apart from the renaming of the expansion, which it is compared with.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from codegen.trees.names import common_suffix


@dataclass(frozen=True)
class ParentNames:
    """A parent module: its model's name ("" if its file has none) and what its statements bind."""

    module: str
    model: str
    names: tuple[str, ...]


def inherited_bases(
    tree: ast.Module, imported: Mapping[str, tuple[str, str]]
) -> dict[str, list[tuple[str, str]]]:
    """For each class of a definition the module and name of the parent classes it inherits by name.

    ``imported`` gives the parent module and the name there of each name imported from a parent.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
            known = [imported[base] for base in bases if base in imported]
            if known:
                found[node.name] = known
    return found


def named_through(tree: ast.Module, renames: Mapping[str, Mapping[str, str]]) -> frozenset[str]:
    """Parent modules with a class that a class of the definition has for a base ``module.Name``."""
    bases = {
        base.attr
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if isinstance(base, ast.Attribute)
    }
    return frozenset(module for module, names in renames.items() if bases & names.keys())


def decorators_of(name: str, text: str) -> list[str]:
    """The decorators of a class of a module, as written, in the order in which they are applied."""
    classes = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    found = [node.decorator_list for node in classes if node.name == name]
    return [ast.unparse(item) for item in reversed(found[-1])] if found else []


def roles_of(
    parent: ParentNames, pairs: Mapping[str, tuple[str, str]], model: str
) -> dict[str, str]:
    """New names of the names of one parent module; those that keep theirs are left out.

    Where the file of the parent is called after its model, all names that begin with that name are
    the model's; else only the classes that the definition pairs with its own.
    """
    own = {child: base for child, (home, base) in pairs.items() if home == parent.module}
    if not parent.model:
        return {base: child for child, base in reversed(own.items())}
    spelled = spelling_of(parent, pairs, model)
    old, new = spelled[0]
    found: dict[str, str] = {}
    for name in parent.names:
        # A constant is in capitals, even where the model's name in class names is, too.
        constant = (old.upper(), _lower(new).upper()) if name.isupper() else None
        for left, right in [*filter(None, [constant]), *spelled]:
            # A class may be in capitals as a whole, too: XCLIPMLP.
            loose = left == old and (left, right) != constant
            rest = r"(?![a-z])" if loose else r"(?![a-zA-Z0-9])"
            # MobileVit beside MobileViT: only that the name of a class begins with a capital is sure,
            # or as the model's does (xLSTM).
            begin = left[:1] if left[:1].islower() else "A-Z"
            word = rf"(?=[{begin}])(?i:{re.escape(left)})" if loose else re.escape(left)
            renamed = re.sub(rf"(?<![a-zA-Z0-9]){word}{rest}", right, name)
            if renamed != name:
                found.setdefault(name, renamed)
    return found


def without_own_parts(
    roles: Mapping[str, str], module: str, pairs: Mapping[str, tuple[str, str]], tree: ast.Module
) -> dict[str, str]:
    """The roles without those that would make a class its own base, or build it of itself: a child
    may be called like what its parent class inherits from, or like what that consists of."""
    bodies: dict[str, list[ast.stmt]] = {}
    for node in tree.body:
        for name in _bound_by(node):
            bodies.setdefault(name, []).append(node)

    def speaks_of(name: str) -> set[str]:
        found: set[str] = set()
        waiting = [name]
        while waiting:
            for node in bodies.get(waiting.pop(), ()):
                asked = {i for c in ast.walk(node) if _is_question(c) for i in ast.walk(c)}
                used = (i for i in ast.walk(node) if isinstance(i, ast.Name) and i not in asked)
                more = {item.id for item in used} - found
                found |= more
                waiting += more
        return found

    return {
        old: new
        for old, new in roles.items()
        if pairs.get(new, ("", ""))[0] != module
        or pairs[new][1] == old
        or old not in speaks_of(pairs[new][1])
    }


def _bound_by(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        yield node.name
    for target in node.targets if isinstance(node, ast.Assign) else ():
        yield from (item.id for item in ast.walk(target) if isinstance(item, ast.Name))


def _is_question(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass")


def spelling_of(
    parent: ParentNames, pairs: Mapping[str, tuple[str, str]], model: str
) -> list[tuple[str, str]]:
    """The name of a parent's model and that of the definition's, in their spellings; cased first."""
    votes: Counter[tuple[str, str]] = Counter()
    for child, (home, base) in pairs.items():
        suffix = re.sub(r"^[^A-Z]+", "", common_suffix(child, base))
        old, new = base.removesuffix(suffix), child.removesuffix(suffix)
        if home == parent.module and suffix and _plain(old) == _plain(parent.model):
            votes[old, new] += 1
    default = _spelled(parent.model, parent.names), _spelled(model, pairs)
    most = max(votes.values(), default=0)
    tied = [pair for pair, count in votes.items() if count == most]
    old, new = next((pair for pair in tied if pair[1] == default[1]), (tied or [default])[-1])
    if _in_use(default, parent, pairs) >= max(_in_use((old, new), parent, pairs), 1):
        old, new = default  # a part of the model has its name in classes, too: OmniThinker of Omni
    lower = {_lower(old): _lower(new), parent.model: model}
    upper = {left.upper(): right.upper() for left, right in lower.items()}
    others = [pair for pair in {**upper, **lower}.items() if pair[0] != old]
    return [(old, new), *others]


def _in_use(
    spelled: tuple[str, str], parent: ParentNames, pairs: Mapping[str, tuple[str, str]]
) -> int:
    """How many classes of the parent the definition has under the names that a spelling gives."""
    old, new = spelled
    named = [new + name.removeprefix(old) for name in parent.names if name.startswith(old)]
    return sum(name in pairs for name in named)


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _spelled(model: str, names: Iterable[str]) -> str:
    """How a model's name is written in class names."""
    wanted, found = _plain(model), Counter[str]()
    for name in names:
        for end in range(1, len(name) + 1):
            if _plain(name[:end]) == wanted and not name[end : end + 1].islower():
                found[name[:end]] += name[0].isupper()
    return found.most_common(1)[0][0] if found else model.title().replace("_", "")


def model_words(
    parents: Iterable[ParentNames], pairs: Mapping[str, tuple[str, str]], model: str
) -> dict[str, frozenset[str]]:
    """Spellings of the parents' models, and what they become in registered strings."""
    found: dict[str, set[str]] = {}
    for parent in parents:
        for old, new in spelling_of(parent, pairs, model) if parent.model else ():
            found.setdefault(old, set()).add(new)
            dashes = found.setdefault(old.replace("_", "-"), set())
            dashes |= {new, new.replace("_", "-")}
    return {old: frozenset(new) for old, new in found.items()}


def _lower(cased: str) -> str:
    return "_".join(
        part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z][^A-Z]*|^[^A-Z]+", cased)
    )
