"""What the cache holds, and how it is read back: any value of a wrong kind is damage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from codegen.trees.definitions import DefinitionFile
from codegen.trees.names import FILE_TYPES

#: What the report of the rewrite passes has in each of its lines, and of what kind it is.
_REPORT: Mapping[str, type] = {
    **dict.fromkeys(("model", "cls", "method", "kind", "location", "helper", "reason"), str),
    **dict.fromkeys(("parameters", "path_taken"), list),
}
_LARGEST = 2**63


class Damage(ValueError):
    """A value that no run of ours has written."""


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One model as last generated: digests by path, table answers, line counts, warnings."""

    inputs: Mapping[str, str]
    lookups: Mapping[str, str]
    outputs: Mapping[str, str]
    lines: tuple[int, int] = (0, 0)
    warnings: tuple[str, ...] = ()

    def is_about(self, item: DefinitionFile) -> bool:
        """Whether it can be what a run found out about a definition.

        It depends on that, and its files are there where those of the definition go.
        """
        places = map(PurePosixPath, self.outputs)
        own = all(
            str(place.parent) == item.target and place.name.startswith(FILE_TYPES)
            for place in places
        )
        return own and bool(self.outputs) and bool(self.inputs.get(item.path))


@dataclass(frozen=True, slots=True)
class RewriteEntry:
    """What the rewrite passes read, what they changed, what of it was written (digests by path),
    and their report."""

    reads: Mapping[str, str]
    edits: Mapping[str, str]
    files: Mapping[str, str]
    report: tuple[Mapping[str, Any], ...] = ()


class FileStat(NamedTuple):
    """A file as last read: times of its content and of its entry, size, digest of its text.

    ``exact`` tells whether the text is the bytes, without byte order mark and foreign line breaks.
    """

    modified: int
    changed: int
    size: int
    digest: str
    exact: bool


def read_entry(data: Any) -> CacheEntry:
    """A record of a model. Raises Damage."""
    first, second = _list(data["lines"])
    return CacheEntry(
        read_texts(data["inputs"]),
        read_texts(data["lookups"]),
        read_texts(data["outputs"]),
        (_number(first), _number(second)),
        tuple(_of(str, warning) for warning in _list(data["warnings"])),
    )


def read_rewrite(data: Any) -> RewriteEntry | None:
    """The record of the rewrite passes, None where there is none. Raises Damage."""
    if data is None:
        return None
    return RewriteEntry(
        read_texts(data["reads"]),
        read_texts(data["edits"]),
        read_texts(data["files"]),
        tuple(map(_line, _list(data["report"]))),
    )


def read_stat(data: Any) -> FileStat:
    """What is known of a file. Raises Damage."""
    modified, changed, size, digest, exact = _list(data)
    return FileStat(
        *(_number(modified), _number(changed), _number(size)),
        *(_of(str, digest), _of(bool, exact)),
    )


def read_texts(data: Any) -> dict[str, str]:
    """Texts by texts. Raises Damage."""
    return {_of(str, key): _of(str, value) for key, value in _of(dict, data).items()}


def read_pair(data: Any) -> tuple[str, str]:
    """Two texts. Raises Damage."""
    first, second = _list(data)
    return _of(str, first), _of(str, second)


def read_rules(data: Any) -> dict[str, tuple[int, int]] | None:
    """Rules that files showed: for each the index of its value and a count. Raises Damage."""
    if data is None:
        return None
    rules = {}
    for name, pair in _of(dict, data).items():
        index, files = _list(pair)
        rules[_of(str, name)] = (_of(int, index), _of(int, files))
    return rules


def _line(data: Any) -> Mapping[str, Any]:
    line: dict[str, Any] = _of(dict, data)
    if not line.keys() >= _REPORT.keys():
        raise Damage(line)
    for key, kind in _REPORT.items():
        value = _of(kind, line[key])
        if kind is list:
            line[key] = tuple(_of(str, item) for item in value)
    return line


def _of(kind: type, value: Any) -> Any:
    if type(value) is not kind or (isinstance(value, str) and not _valid(value)):
        raise Damage(value)
    return value


def _valid(text: str) -> bool:
    """Whether a text can be written as UTF-8, as every path and digest of ours can."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _list(value: Any) -> Iterable[Any]:
    return list(_of(list, value))


def _number(value: Any) -> int:
    if type(value) is not int or not -_LARGEST <= value < _LARGEST:
        raise Damage(value)
    return value
