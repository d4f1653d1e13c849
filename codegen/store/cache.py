"""What the last run knew: digests of inputs and outputs per model. Never trusted blindly.

An entry is valid only if the digests of all inputs, the answers of the name table and the digest of
this tool agree; a cache that is unreadable or does not carry this user's seal is an empty cache.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from codegen.errors import fail
from codegen.store.identity import tool_identity
from codegen.store.records import (
    CacheEntry,
    FileStat,
    RewriteEntry,
    read_entry,
    read_pair,
    read_rewrite,
    read_rules,
    read_stat,
)
from codegen.store.seal import is_sealed, seal, user_folder
from codegen.store.system import IrregularFile, read_regular, signals_held_back
from codegen.trees.sources import digest_text
from codegen.trees.tree import Tree

_FORMAT = 4
_FILE = "cache.jsonl"
#: Two writes may carry the same time if they are closer than this (nanoseconds).
_CLOCK_TICK = 50_000_000
#: The same on file systems that count whole seconds, or pairs of them.
_SECOND, _COARSE_TICK = 1_000_000_000, 2_100_000_000


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
    #: Rules that a library's files showed: which of its values holds, and how many files show it;
    #: None if nobody has looked yet.
    rules: dict[str, tuple[int, int]] | None = None
    notes: tuple[str, ...] = ()
    _began: int = field(default_factory=time.monotonic_ns)

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

    def forget(self, path: Path) -> None:
        """Read a file again when it is asked for, whatever its times say."""
        self.stats.pop(str(path), None)

    def _lasting_stats(self, now: int) -> dict[str, FileStat]:
        """The stats without files so young that another write could leave the same times.

        ``now`` is by the clock that gives files their times. Files that were changed since shortly
        before the run began may have changed after they were read: they are read once more.
        """
        began = now - (time.monotonic_ns() - self._began)
        for key, stat in list(self.stats.items()):
            if _is_young(stat, began):
                del self.stats[key]
                self._stat(Path(key))
        return {key: stat for key, stat in self.stats.items() if not _is_young(stat, now)}

    def save(self) -> None:
        """Replace the cache file; a folder that cannot be written only costs time next run."""
        with contextlib.suppress(OSError), signals_held_back():
            self.folder.mkdir(parents=True, exist_ok=True)
            for leftover in self.folder.glob("cache-*.tmp"):
                leftover.unlink()
            handle, name = tempfile.mkstemp(dir=self.folder, prefix="cache-", suffix=".tmp")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    # A file server has a clock of its own, which is the one that matters.
                    now = min(time.time_ns(), os.fstat(handle).st_mtime_ns)
                    body = json.dumps(self._content(now))
                    file.write(f"{json.dumps(seal(body))}\n{body}\n")
                os.replace(name, self.folder / _FILE)
            except BaseException:
                os.unlink(name)
                raise

    def _content(self, now: int) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "identity": self.identity,
            "records": {model: asdict(record) for model, record in self.records.items()},
            "stats": self._lasting_stats(now),
            "rewrite": asdict(self.rewrite) if self.rewrite else None,
            "helpers": self.helpers,
            "rules": self.rules,
        }


def _is_young(stat: FileStat, now: int) -> bool:
    coarse = stat.modified % _SECOND == stat.changed % _SECOND == 0
    return max(stat.modified, stat.changed) > now - (_COARSE_TICK if coarse else _CLOCK_TICK)


def cache_folder(tree: Tree) -> Path:
    """Inside a project or checkout; in the user's cache for packages and other outputs.

    Raises CodegenError for a link in the tree: it leads where the tree has no business.
    """
    inside = tree.kind != "package" and tree.output == tree.root
    if os.environ.get("CODEGEN_CACHE_DIR") or not inside:
        return user_folder() / digest_text(f"{tree.root}\n{tree.output}")[:16]
    folder = tree.root / ".codegen_cache"
    if folder.is_symlink():
        hint = "remove it, and set CODEGEN_CACHE_DIR to have the cache elsewhere"
        raise fail("cache-folder", "the folder of the cache is a link", folder.name, 0, hint)
    return folder


def load_cache(tree: Tree, rewrite: bool, enabled: bool) -> Cache:
    """The cache of a tree; empty if disabled, damaged, foreign, or of another version."""
    empty = Cache(cache_folder(tree), tool_identity(tree, rewrite))
    if not enabled:
        return empty
    try:
        text = read_regular(empty.folder / _FILE, follow=False).decode("utf-8")
        mark, _, body = text.removesuffix("\n").partition("\n")
        if not is_sealed(body, json.loads(mark)):
            return empty
        data = json.loads(body)
        if data["format"] != _FORMAT or data["identity"] != empty.identity:
            return empty
        records = {str(model): read_entry(item) for model, item in data["records"].items()}
        rewritten = read_rewrite(data["rewrite"])
        helpers = {str(path): read_pair(item) for path, item in data["helpers"].items()}
        rules = read_rules(data["rules"])
        stats = {str(path): read_stat(stat) for path, stat in data["stats"].items()}
    except IrregularFile as error:
        note = f"{_FILE} in the cache folder is not used: {error.strerror}"
        return replace(empty, notes=(note,))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, MemoryError):
        return empty
    return Cache(empty.folder, empty.identity, records, stats, rewritten, helpers, rules)
