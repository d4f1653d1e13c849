"""What the last run knew: digests of inputs and outputs per model. Never trusted blindly.

An entry is valid only if the digests of all inputs, the answers of the name table and the digest of
this tool agree; a cache that is unreadable or fails its checksum is an empty cache.
"""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from codegen.store.identity import tool_identity
from codegen.store.system import read_regular
from codegen.trees.sources import digest_text
from codegen.trees.tree import Tree

_FORMAT = 3
_FILE = "cache.jsonl"
#: Two writes may carry the same time if they are closer than this (nanoseconds).
_CLOCK_TICK = 50_000_000


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One model as last generated: digests by path, table answers, line counts, warnings."""

    inputs: Mapping[str, str]
    lookups: Mapping[str, str]
    outputs: Mapping[str, str]
    lines: tuple[int, int] = (0, 0)
    warnings: tuple[str, ...] = ()


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


@dataclass
class Cache:
    """Records by model and the digests of files by size and time. Mutable; saved once per run."""

    folder: Path
    identity: str
    records: dict[str, CacheEntry] = field(default_factory=dict)
    stats: dict[str, FileStat] = field(default_factory=dict)
    rewrite: RewriteEntry | None = None
    #: Helper modules beside models: digest of what was to be formatted, and of the result.
    helpers: dict[str, tuple[str, str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    _young: set[str] = field(default_factory=set)

    def digest(self, path: Path) -> str:
        """Digest of a file's text, "" if there is none; unchanged size and times skip reading."""
        known = self._stat(path)
        return known.digest if known else ""

    def exact_digest(self, path: Path) -> str:
        """The same for a file that we wrote: other line breaks or a byte order mark count."""
        known = self._stat(path)
        return known.digest if known and known.exact else ""

    def _stat(self, path: Path) -> FileStat | None:
        key = str(path)
        try:
            status = path.stat()
            times = (status.st_mtime_ns, status.st_ctime_ns, status.st_size)
            known = self.stats.get(key)
            if known and known[:3] == times:
                return known
            if time.time_ns() - max(times[:2]) < _CLOCK_TICK:
                self._young.add(key)
            data = read_regular(path)
        except OSError:
            return None
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return FileStat(*times, "unreadable", False)
        exact = b"\r" not in data and not data.startswith(codecs.BOM_UTF8)
        digest = digest_text(text if exact else text.replace("\r\n", "\n").replace("\r", "\n"))
        self.stats[key] = FileStat(*times, digest, exact)
        return self.stats[key]

    def _lasting_stats(self) -> dict[str, FileStat]:
        """The stats without files so young that another write could leave the same times."""
        young = tuple(self._young)
        self._young.clear()
        for key in young:
            self.stats.pop(key, None)
            self._stat(Path(key))
        return {key: stat for key, stat in self.stats.items() if key not in self._young}

    def save(self) -> None:
        """Replace the cache file; a folder that cannot be written only costs time next run."""
        data = {
            "format": _FORMAT,
            "identity": self.identity,
            "records": {model: asdict(record) for model, record in self.records.items()},
            "stats": self._lasting_stats(),
            "rewrite": asdict(self.rewrite) if self.rewrite else None,
            "helpers": self.helpers,
        }
        body = json.dumps(data)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for leftover in self.folder.glob("cache-*.tmp"):
                leftover.unlink()
            handle, name = tempfile.mkstemp(dir=self.folder, prefix="cache-", suffix=".tmp")
        except OSError:
            return
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(f"{_checksum(body)}\n{body}\n")
            os.replace(name, self.folder / _FILE)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(name)


def cache_folder(tree: Tree) -> Path:
    """Inside a project or checkout; in the user's cache for packages and other outputs."""
    override = os.environ.get("CODEGEN_CACHE_DIR")
    if not override and tree.kind != "package" and tree.output == tree.root:
        return tree.root / ".codegen_cache"
    base = Path(override) if override else _user_caches() / "codegen"
    return base / digest_text(f"{tree.root}\n{tree.output}")[:16]


def _user_caches() -> Path:
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # a user without a home, as in some containers
        return Path(tempfile.gettempdir())


def load_cache(tree: Tree, rewrite: bool, enabled: bool) -> Cache:
    """The cache of a tree; empty if disabled, damaged, foreign, or of another version."""
    empty = Cache(cache_folder(tree), tool_identity(tree, rewrite))
    if not enabled:
        return empty
    try:
        text = (empty.folder / _FILE).read_text(encoding="utf-8")
        checksum, _, body = text.removesuffix("\n").partition("\n")
        if checksum != _checksum(body):
            return empty
        data = json.loads(body)
        if data["format"] != _FORMAT or data["identity"] != empty.identity:
            return empty
        records = {str(model): _entry(item) for model, item in data["records"].items()}
        rewritten = RewriteEntry(**data["rewrite"]) if data["rewrite"] else None
        helpers = {
            str(path): (str(was), str(gave)) for path, (was, gave) in data["helpers"].items()
        }
        stats = {str(path): FileStat(*stat) for path, stat in data["stats"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return empty
    return Cache(empty.folder, empty.identity, records, stats, rewritten, helpers)


def _checksum(body: str) -> str:
    """The first line of the cache file: a JSON value, as the second is."""
    return json.dumps(hashlib.sha256(body.encode()).hexdigest())


def _entry(data: Mapping[str, Any]) -> CacheEntry:
    first, second = data["lines"]
    return CacheEntry(
        {str(k): str(v) for k, v in data["inputs"].items()},
        {str(k): str(v) for k, v in data["lookups"].items()},
        {str(k): str(v) for k, v in data["outputs"].items()},
        (int(first), int(second)),
        tuple(map(str, data["warnings"])),
    )
