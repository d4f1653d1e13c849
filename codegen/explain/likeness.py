"""Which files can have a line at all, told by their text: only these are worth a look at their places."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from codegen.explain.atlas import Atlas
from codegen.explain.named import named_at, named_in

_WORD = re.compile(r"(?<!\w)[^\W\d]\w*")
#: How much longer a line can become: other names, another layout.
_STRETCH, _SPARE = 3, 200


class Likeness:
    """The words of a line of a source that every file has that took the line over, in their order.

    In the convention of libraries a name changes only where it has that of a model in it. In projects
    names follow other rules, passes write lines anew, and imports are sorted: there nothing is told.
    """

    def __init__(self, atlas: Atlas, path: str, start: int, end: int) -> None:
        self._atlas = atlas
        line = atlas.text(path)[start:end]
        self._words = [word for word in _WORD.findall(line) if word == word.lower()]
        self._limit = _STRETCH * len(line) + _SPARE
        self._models: set[str] = set()
        self._known: dict[tuple[str, frozenset[str]], bool] = {}
        member = named_at(named_in(atlas.text(path)), atlas.lines(path).line_at(start))
        is_import = member is not None and member.kind == "import"
        self._tells = atlas.tree.kind != "project" and not atlas.settings.rewrite and not is_import

    def may_be_in(self, path: str, model: str) -> bool:
        """Whether the files of a model can have the line, as it is in a file that they are built from."""
        if not self._tells:
            return True
        self._models.add(_bare(PurePath(path).parent.name))
        names = frozenset(self._models)
        if (model, names) not in self._known:
            words = [word for word in self._words if not any(n in _bare(word) for n in names)]
            files = self._atlas.files_of(model)
            found = any(_in_order(self._atlas.text(file), words, self._limit) for file in files)
            self._known[model, names] = found or not files
        return self._known[model, names]


def _bare(name: str) -> str:
    return name.replace("_", "").lower()


def _in_order(text: str, words: Sequence[str], limit: int) -> bool:
    """Whether a text has the words one after another, all within some characters."""
    if any(word not in text for word in words):
        return False
    places = {word: list(_places(text, word)) for word in dict.fromkeys(words)}
    for start in places[words[0]] if words else (0,):
        at = start
        for word in words[1:]:
            index = bisect_left(places[word], at + 1)
            if index == len(places[word]):
                return False
            at = places[word][index]
            if at - start > limit:
                break
        else:
            return True
    return False


def _places(text: str, word: str) -> Iterator[int]:
    return (match.start() for match in re.finditer(rf"(?<!\w){word}(?!\w)", text))
