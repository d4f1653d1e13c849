"""The cache: what it knows of files, when it is believed, and that it never fails a run."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codegen.errors import CodegenError
from codegen.store import cache as module
from codegen.store import seal as seal_module
from codegen.store.cache import Cache, cache_folder, load_cache
from codegen.store.records import CacheEntry, RewriteEntry
from codegen.store.seal import seal
from codegen.trees.sources import digest_text
from codegen.trees.tree import Tree, open_tree

OLD = 1_600_000_000_123_456_789


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """An empty project; the user's own folder is beside it."""
    monkeypatch.delenv("CODEGEN_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    root = tmp_path / "tree"
    root.mkdir()
    (root / "pyproject.toml").write_text(
        '[tool.codegen]\ndefinitions = "definitions"\noutput = "generated"\n'
    )
    (root / "definitions").mkdir()
    return open_tree(root, None)


def aged(place: Path, content: bytes | str, when: int = OLD) -> Path:
    place.write_bytes(content if isinstance(content, bytes) else content.encode())
    os.utime(place, ns=(when, when))
    return place


def a_cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "folder", "identity")


def test_digests_are_of_texts_and_exact_ones_of_our_bytes(tmp_path: Path) -> None:
    cache = a_cache(tmp_path)
    same = [b"a\nb", b"a\r\nb", b"a\rb", b"\xef\xbb\xbfa\nb"]
    places = [aged(tmp_path / str(n), content) for n, content in enumerate(same)]
    assert {cache.digest(place) for place in places} == {digest_text("a\nb")}
    exact = [cache.exact_digest(place) for place in places]
    assert exact == [digest_text("a\nb"), "", "", ""]


def test_what_cannot_be_read_has_no_digest_of_a_text(tmp_path: Path) -> None:
    cache = a_cache(tmp_path)
    binary = aged(tmp_path / "binary", b"\xff\xff")
    assert cache.digest(binary) not in ("", digest_text(""))
    assert cache.exact_digest(binary) == ""
    assert str(binary) not in cache.stats
    for place in (tmp_path / "none", tmp_path):
        assert cache.digest(place) == cache.exact_digest(place) == ""


def test_a_file_is_read_again_only_if_times_or_size_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = a_cache(tmp_path)
    reads: list[Path] = []
    real = module.read_regular
    monkeypatch.setattr(
        module, "read_regular", lambda path, **k: (reads.append(path), real(path, **k))[1]
    )
    place = aged(tmp_path / "file", "one")
    assert cache.digest(place) == cache.exact_digest(place) == digest_text("one")
    assert len(reads) == 1
    aged(place, "two")  # same size and time of change, but the entry is younger
    assert cache.digest(place) == digest_text("two")
    assert len(reads) == 2
    stat = cache.stats[str(place)]
    for other in ({"size": 4}, {"modified": OLD + 1}, {"changed": stat.changed - 1}):
        cache.stats[str(place)] = stat._replace(digest="stale", **other)
        assert cache.digest(place) == digest_text("two")
    cache.stats[str(place)] = stat._replace(digest="known")
    assert cache.digest(place) == "known"
    cache.forget(place)
    cache.forget(tmp_path / "unknown")
    assert cache.digest(place) == digest_text("two")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets what time it is, in nanoseconds, for the cache and for the files that it looks at."""

    def at(now: int) -> None:
        monkeypatch.setattr(time, "time_ns", lambda: now)

    return at


#: Age of a file in nanoseconds, whether its times are whole seconds, whether that is too young.
AGES = [
    (0, False, True),
    (49_999_999, False, True),
    (50_000_001, False, False),
    (-1, False, True),
    (-(10**9), False, True),
    (1_000_000_000, True, True),
    (2_000_000_000, True, True),
    (3_000_000_000, True, False),
]


@pytest.mark.parametrize("age, coarse, young", AGES)
@pytest.mark.parametrize("which", ["modified", "changed"])
def test_files_too_young_to_be_told_from_the_next_write_are_not_kept(
    tmp_path: Path, age: int, coarse: bool, young: bool, which: str
) -> None:
    cache = a_cache(tmp_path)
    place = aged(tmp_path / "file", "one")
    cache.digest(place)
    now = 1_700_000_000_000_000_000 if coarse else 1_700_000_000_123_456_789
    far = 1_600_000_000_000_000_000
    stat = cache.stats[str(place)]._replace(modified=far, changed=far)
    stat = stat._replace(**{which: now - age})
    cache.stats[str(place)] = stat
    # A run that began just now: what is found young is read once more, and its own times count.
    kept = replace_reading(cache, stat)._lasting_stats(now)
    assert (str(place) not in kept) == young


def replace_reading(cache: Cache, stat: module.FileStat) -> Cache:
    """A cache that finds the same again when it reads a file once more."""

    class Same(Cache):
        def _stat(self, path: Path) -> module.FileStat | None:
            self.stats[str(path)] = stat
            return stat

    return Same(cache.folder, cache.identity, stats=dict(cache.stats))


def test_files_that_may_have_changed_while_the_run_went_on_are_read_once_more(
    tmp_path: Path,
) -> None:
    cache = a_cache(tmp_path)
    now = time.time_ns()
    second = 1_000_000_000
    cache._began = time.monotonic_ns() - 60 * second
    young = aged(tmp_path / "young", "new", now - 30 * second)
    before = aged(tmp_path / "before", "new", now - 90 * second)
    for place, when in ((young, now - 30 * second), (before, now - 90 * second)):
        stat = place.stat()
        found = module.FileStat(when, when, stat.st_size, "as read first", True)
        cache.stats[str(place)] = found
    kept = cache._lasting_stats(now + 10 * second)
    assert kept[str(young)].digest == digest_text("new")
    assert kept[str(before)].digest == "as read first"


def test_a_file_that_vanished_meanwhile_is_not_kept(tmp_path: Path) -> None:
    cache = a_cache(tmp_path)
    now = time.time_ns()
    cache.stats[str(tmp_path / "gone")] = module.FileStat(now, now, 1, "digest", True)
    assert cache._lasting_stats(now) == {}


def filled(tree: Tree) -> Cache:
    cache = load_cache(tree, True, True)
    cache.records["alpha"] = CacheEntry({"a": "1"}, {"b": "2"}, {"c": "3"}, (4, 5), ("w",))
    cache.rewrite = RewriteEntry({"r": "1"}, {}, {}, ())
    cache.helpers["h.py"] = ("1", "2")
    cache.rules = {"rule": (1, 7)}
    cache.digest(aged(tree.root / "old.py", "old"))
    cache.stats[str(tree.root / "old.py")] = cache.stats[str(tree.root / "old.py")]._replace(
        changed=OLD
    )
    return cache


def test_what_was_saved_is_there_in_the_next_run(tree: Tree) -> None:
    cache = filled(tree)
    cache.save()
    again = load_cache(tree, True, True)
    assert again.folder == cache.folder and again.identity == cache.identity
    assert again.records == cache.records
    assert again.rewrite == cache.rewrite
    assert again.helpers == cache.helpers
    assert again.rules == cache.rules
    assert again.stats == cache.stats and again.stats
    assert again.notes == ()
    assert [path.name for path in again.folder.iterdir()] == ["cache.jsonl"]


def test_an_empty_cache_comes_back_empty(tree: Tree) -> None:
    load_cache(tree, True, True).save()
    again = load_cache(tree, True, True)
    assert (again.records, again.rewrite, again.rules, again.helpers) == ({}, None, None, {})


def is_empty(cache: Cache) -> bool:
    return not (cache.records or cache.stats or cache.helpers or cache.rewrite or cache.rules)


def test_a_cache_that_is_switched_off_is_empty(tree: Tree) -> None:
    filled(tree).save()
    assert is_empty(load_cache(tree, True, False))
    assert not is_empty(load_cache(tree, True, True))


def test_a_cache_of_another_tool_or_setting_is_empty(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tree).save()
    assert is_empty(load_cache(tree, False, True))
    assert is_empty(load_cache(replace(tree, version="9.9.9"), True, True))
    monkeypatch.setattr(module, "_FORMAT", module._FORMAT + 1)
    assert is_empty(load_cache(tree, True, True))


def reseal(tree: Tree, change: Callable[[dict[str, Any]], Any]) -> None:
    place = tree.root / ".codegen_cache/cache.jsonl"
    body = json.dumps(change(json.loads(place.read_text().split("\n")[1])))
    place.write_text(f"{json.dumps(seal(body))}\n{body}\n")


UNFIT: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a list": lambda data: [data],
    "null": lambda data: None,
    "records of a list": lambda data: {**data, "records": []},
    "a number for a record": lambda data: {**data, "records": {"a": 1}},
    "stats of a text": lambda data: {**data, "stats": "x"},
    "helpers of numbers": lambda data: {**data, "helpers": {"a": [1, 2]}},
    "rules of a list": lambda data: {**data, "rules": [1]},
    "passes of a text": lambda data: {**data, "rewrite": "x"},
    "no rules": lambda data: {key: value for key, value in data.items() if key != "rules"},
}


@pytest.mark.parametrize("kind", UNFIT)
def test_a_cache_with_odd_content_is_empty(tree: Tree, kind: str) -> None:
    filled(tree).save()
    reseal(tree, lambda data: data)
    assert not is_empty(load_cache(tree, True, True)), "the seal is right"
    reseal(tree, UNFIT[kind])
    assert is_empty(load_cache(tree, True, True))


BROKEN = [
    b"",
    b"\xff",
    b"{}",
    b"\n\n",
    b'1\n{"format": 4}\n',
    b"[" * 200_000,
    b'""\n' + b"[" * 200_000,
    b"null\n{}",
    b'"x"\n',
]


@pytest.mark.parametrize("content", BROKEN, ids=range(len(BROKEN)))
def test_a_cache_that_cannot_be_read_is_empty(tree: Tree, content: bytes) -> None:
    filled(tree).save()
    (tree.root / ".codegen_cache/cache.jsonl").write_bytes(content)
    assert is_empty(load_cache(tree, True, True))


def test_a_cache_whose_text_was_changed_is_empty(tree: Tree) -> None:
    filled(tree).save()
    place = tree.root / ".codegen_cache/cache.jsonl"
    place.write_text(place.read_text().replace('"3"', '"4"'))
    assert is_empty(load_cache(tree, True, True))


def test_without_a_key_there_is_no_cache(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal_module, "_key", lambda folder: None)
    filled(tree).save()
    assert is_empty(load_cache(tree, True, True))


@pytest.mark.parametrize("kind", ["fifo", "link", "folder"])
def test_what_is_in_the_place_of_the_cache_is_not_used_and_said(tree: Tree, kind: str) -> None:
    filled(tree).save()
    place = tree.root / ".codegen_cache/cache.jsonl"
    place.rename(tree.root / "kept")
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "link":
        place.symlink_to(tree.root / "kept")
    else:
        place.mkdir()
    cache = load_cache(tree, True, True)
    assert is_empty(cache)
    name = "FIFO" if kind == "fifo" else kind
    assert cache.notes == (
        f"cache.jsonl in the cache folder is not used: it is a {name}, not a regular file",
    )


def test_a_folder_that_cannot_be_written_fails_nothing(tree: Tree) -> None:
    cache = filled(tree)
    (tree.root / ".codegen_cache").write_text("a file")
    cache.save()
    assert (tree.root / ".codegen_cache").read_text() == "a file"


def test_a_cache_that_cannot_be_replaced_leaves_the_old_one_and_nothing_else(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tree).save()
    folder = tree.root / ".codegen_cache"
    before = (folder / "cache.jsonl").read_bytes()
    for error in (OSError(), KeyboardInterrupt()):

        def refuse(*_: object, error: BaseException = error) -> None:
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", refuse)
            try:
                filled(tree).save()
            except KeyboardInterrupt:
                assert isinstance(error, KeyboardInterrupt), "only the end of the run goes on"
            else:
                assert isinstance(error, OSError)
        assert [path.name for path in folder.iterdir()] == ["cache.jsonl"]
        assert (folder / "cache.jsonl").read_bytes() == before


def test_drafts_of_killed_runs_are_removed(tree: Tree) -> None:
    folder = tree.root / ".codegen_cache"
    folder.mkdir()
    (folder / "cache-x.tmp").touch()
    (folder / "other.tmp").touch()
    filled(tree).save()
    assert sorted(path.name for path in folder.iterdir()) == ["cache.jsonl", "other.tmp"]


@pytest.mark.parametrize("skew", [-3600, 3600])
def test_the_older_of_two_clocks_decides_what_is_young(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, skew: int
) -> None:
    """The clock of this machine against that of a file server."""
    now = time.time_ns() + skew * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: now)
    cache = load_cache(tree, True, True)
    place = tree.root / "new.py"
    place.write_text("new")
    cache.digest(place)
    cache.save()
    assert str(place) not in load_cache(tree, True, True).stats


def test_the_folder_is_in_the_tree_or_the_users(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache_folder(tree) == tree.root / ".codegen_cache"
    assert cache_folder(replace(tree, kind="checkout")) == tree.root / ".codegen_cache"
    users = tmp_path / "caches/codegen"
    package = cache_folder(replace(tree, kind="package"))
    elsewhere = cache_folder(replace(tree, output=tmp_path / "out"))
    assert package.parent == elsewhere.parent == users
    assert package != elsewhere and len(package.name) == 16
    other = replace(tree, root=tmp_path / "other", output=tmp_path / "other", kind="package")
    assert cache_folder(other) != package
    monkeypatch.setenv("CODEGEN_CACHE_DIR", str(tmp_path / "named"))
    assert cache_folder(tree) == tmp_path / "named" / package.name


def test_a_cache_folder_that_is_a_link_is_refused(tree: Tree, tmp_path: Path) -> None:
    (tree.root / ".codegen_cache").symlink_to(tmp_path)
    with pytest.raises(CodegenError) as caught:
        load_cache(tree, True, True)
    (problem,) = caught.value.diagnostics
    assert str(problem).startswith(".codegen_cache: error[cache-folder]: the folder of the cache")
    assert "CODEGEN_CACHE_DIR" in problem.hint
