"""What the last run knew: digests of inputs and outputs per model. Never trusted blindly.

An entry is valid only if the digests of all inputs, the answers of the name table and the digest of
this tool agree; an unreadable cache is an empty cache.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from codegen import __version__
from codegen.render import template_folder
from codegen.sources import digest_text
from codegen.tree import Tree

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Record:
    """One model as last generated: digests by path, table answers, line counts, warnings."""

    inputs: Mapping[str, str]
    lookups: Mapping[str, str]
    outputs: Mapping[str, str]
    lines: tuple[int, int] = (0, 0)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RewriteRecord:
    """What the rewrite passes read (digests by path), what they changed, and their report."""

    reads: Mapping[str, str]
    edits: Mapping[str, str]
    report: tuple[Mapping[str, Any], ...] = ()


@dataclass
class Cache:
    """Records by model and the digests of files by size and time. Mutable; saved once per run."""

    folder: Path
    identity: str
    records: dict[str, Record] = field(default_factory=dict)
    stats: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    rewrite: RewriteRecord | None = None

    def digest(self, path: Path) -> str:
        """Content digest of a file, "" if there is none; unchanged size and time skip reading."""
        key = str(path)
        try:
            status = path.stat()
        except OSError:
            return ""
        known = self.stats.get(key)
        if known and known[:2] == (status.st_mtime_ns, status.st_size):
            return known[2]
        try:
            text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        except (OSError, UnicodeDecodeError):
            return "unreadable"
        digest = digest_text(text)
        self.stats[key] = (status.st_mtime_ns, status.st_size, digest)
        return digest

    def save(self) -> None:
        """Replace the cache file; a folder that cannot be written only costs time next run."""
        data = {
            "format": _FORMAT,
            "identity": self.identity,
            "records": {model: asdict(record) for model, record in self.records.items()},
            "stats": self.stats,
            "rewrite": asdict(self.rewrite) if self.rewrite else None,
        }
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            ignore = self.folder / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
            handle, name = tempfile.mkstemp(dir=self.folder, prefix="cache-", suffix=".tmp")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(data, file)
            os.replace(name, self.folder / "cache.json")
        except OSError:
            return


def cache_folder(tree: Tree) -> Path:
    """Inside a project or checkout; in the user's cache for packages and other outputs."""
    override = os.environ.get("CODEGEN_CACHE_DIR")
    base = (
        Path(override)
        if override
        else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "codegen"
    )
    if not override and tree.kind != "package" and tree.output == tree.root:
        return tree.root / ".codegen_cache"
    return base / digest_text(f"{tree.root}\n{tree.output}")[:16]


def load_cache(tree: Tree, rewrite: bool, enabled: bool) -> Cache:
    """The cache of a tree; empty if disabled, damaged, foreign, or of another version."""
    empty = Cache(cache_folder(tree), tool_identity(tree, rewrite))
    if not enabled:
        return empty
    try:
        data = json.loads((empty.folder / "cache.json").read_text(encoding="utf-8"))
        if data["format"] != _FORMAT or data["identity"] != empty.identity:
            return empty
        records = {str(model): _record(item) for model, item in data["records"].items()}
        rewritten = RewriteRecord(**data["rewrite"]) if data["rewrite"] else None
        stats = {str(path): (int(a), int(b), str(c)) for path, (a, b, c) in data["stats"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return empty
    return Cache(empty.folder, empty.identity, records, stats, rewritten)


def _record(data: Mapping[str, Any]) -> Record:
    first, second = data["lines"]
    return Record(
        {str(k): str(v) for k, v in data["inputs"].items()},
        {str(k): str(v) for k, v in data["lookups"].items()},
        {str(k): str(v) for k, v in data["outputs"].items()},
        (int(first), int(second)),
        tuple(map(str, data["warnings"])),
    )


def tool_identity(tree: Tree, rewrite: bool) -> str:
    """Digest of everything but the sources that decides the output."""
    parts = [__version__, sys.version, str(tree.root), str(tree.output), tree.kind, tree.version]
    parts += [repr(tree.config), tree.formatting.identity(), str(rewrite)]
    digest = hashlib.sha256("\n".join(parts).encode())
    package = Path(__file__).parent
    files = [*package.rglob("*.py"), *template_folder().glob("*.j2")]
    if rewrite:
        files += (package.parent / "utils").glob("*.py")
    for path in sorted(files):
        digest.update(path.read_bytes())
    return digest.hexdigest()
