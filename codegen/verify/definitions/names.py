"""Which name of a definition plays the role of a name of its parent.

Told from the pairs of classes that the definition itself writes down: ``PebbleBlock(StoneBlock)``
says that ``Stone`` is ``Pebble``, and so ``StoneNorm`` is ``PebbleNorm`` and ``STONE_TABLE`` is
``PEBBLE_TABLE``. Deliberately apart from the renaming of the expansion, which it is compared with.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from codegen.trees.names import common_suffix


def parent_pairs(tree: ast.Module, parents: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """For each class of a definition the module and name of the parent class that is folded in.

    ``parents`` gives the parent module of each spelling of an import (dots included).
    """
    home: dict[str, tuple[str, str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            module = parents.get("." * node.level + (node.module or ""))
            for item in node.names if module else ():
                assert module is not None
                home[item.asname or item.name] = (module, item.name)
    found: dict[str, tuple[str, str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            bases = [ast.unparse(base) for base in node.bases]
            known = [home[base] for base in bases if base in home]
            if known:
                found[node.name] = known[0]
    return found


def roles_of(
    module: str, pairs: Mapping[str, tuple[str, str]], names: Iterable[str]
) -> dict[str, str]:
    """New names of the names of one parent module; those that keep theirs are left out."""
    votes: Counter[tuple[str, str]] = Counter()
    for child, (home, base) in pairs.items():
        suffix = re.sub(r"^[^A-Z]+", "", common_suffix(child, base))
        if home == module and suffix:
            votes[base.removesuffix(suffix), child.removesuffix(suffix)] += 1
    if not votes:
        return {}
    (old, new), _ = votes.most_common(1)[0]
    spelled = {old: new, _lower(old): _lower(new), _lower(old).upper(): _lower(new).upper()}
    found: dict[str, str] = {}
    for name in names:
        for left, right in spelled.items():
            rest = r"(?![a-z])" if left == old else r"(?![a-zA-Z0-9])"
            renamed = re.sub(rf"(?<![a-zA-Z0-9]){re.escape(left)}{rest}", right, name)
            if renamed != name:
                found.setdefault(name, renamed)
    return found


def model_words(
    pairs: Mapping[str, tuple[str, str]], models: Mapping[str, str], model: str
) -> dict[str, str]:
    """Lower-case names of the parents' models and what they become in registered strings."""
    return {models[module]: model for module, _ in pairs.values() if models.get(module)}


def _lower(cased: str) -> str:
    return "_".join(
        part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z][^A-Z]*|^[^A-Z]+", cased)
    )
