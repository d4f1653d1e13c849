"""Journals of killed runs: completed, undone or left, and believed only as far as they are ours."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

from codegen.store import journal
from codegen.store.journal import (
    STAGING,
    Change,
    Move,
    digest_at,
    find_journals,
    interrupted_write,
    recover,
    remove_folders,
    staging_folders,
    staging_tops,
    write_journal,
)
from codegen.store.system import locked
from codegen.trees.sources import digest_bytes

Files = Mapping[str, str]


def put_files(root: Path, files: Files) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def read_files(root: Path) -> dict[str, str]:
    """What is visible in a folder."""
    return {
        path.relative_to(root).as_posix(): path.read_text()
        for path in root.rglob("*")
        if path.is_file() and STAGING not in str(path)
    }


def digest(text: str | None) -> str:
    return "" if text is None else digest_bytes(text.encode())


class Killed:
    """A run that was killed after it had moved some of its files.

    ``old`` and ``new`` are the contents by place, None where there is nothing.
    """

    def __init__(self, root: Path, old: dict[str, str | None], new: dict[str, str | None]) -> None:
        self.root, self.old, self.new = root, old, new
        self.staging = root / f"{STAGING}x"
        self.staging.mkdir()
        moves = []
        for number, place in enumerate(new):
            names = [f"{STAGING}x/{number}.new", f"{STAGING}x/{number}.old"]
            for name, text in zip(names, (new[place], old[place])):
                if text is not None:
                    put_files(root, {name: text})
            draft, backup = (
                name if text is not None else ""
                for name, text in zip(names, (new[place], old[place]))
            )
            moves.append(Move(place, draft, backup, digest(new[place]), digest(old[place])))
        (root / "made/deep").mkdir(parents=True)
        self.change = Change("alpha", tuple(moves), ("made", "made/deep"))
        put_files(root, {place: text for place, text in old.items() if text is not None})
        write_journal(self.staging, [self.change])

    def move(self, *places: str) -> None:
        """As the run did before it was killed."""
        for number, place in enumerate(self.new):
            if place in places:
                if self.new[place] is None:
                    (self.root / place).unlink()
                else:
                    (self.root / place).parent.mkdir(parents=True, exist_ok=True)
                    os.replace(self.staging / f"{number}.new", self.root / place)

    def recover(self) -> tuple[str, ...]:
        notes = recover(self.root, [self.root])
        assert find_journals([self.root]) == [], "the journal is gone, whatever was done"
        assert recover(self.root, [self.root]) == ()
        return notes


OLD: dict[str, str | None] = {"a.py": "old a", "b.py": "old b", "made/deep/c.py": None, "d.py": "d"}
NEW: dict[str, str | None] = {"a.py": "new a", "b.py": "new b", "made/deep/c.py": "c", "d.py": None}
STEPS = [list(NEW)[:count] for count in range(1, len(NEW))]


@pytest.fixture
def killed(tmp_path: Path) -> Killed:
    return Killed(tmp_path, OLD, NEW)


def visible(files: Mapping[str, str | None]) -> dict[str, str]:
    return {place: text for place, text in files.items() if text is not None}


@pytest.mark.parametrize("moved", STEPS, ids=str)
def test_what_was_begun_is_completed(killed: Killed, moved: list[str]) -> None:
    killed.move(*moved)
    assert killed.recover() == ("completed alpha: a run was killed while it was writing it",)
    assert read_files(killed.root) == visible(NEW)


@pytest.mark.parametrize("moved", STEPS[:-1], ids=str)
@pytest.mark.parametrize("loss", ["gone", "changed"])
def test_what_cannot_be_completed_is_undone(killed: Killed, moved: list[str], loss: str) -> None:
    killed.move(*moved)
    draft = killed.staging / f"{len(moved)}.new"
    draft.unlink() if loss == "gone" else draft.write_text("other")
    assert killed.recover() == ("restored alpha: a run was killed while it was writing it",)
    assert read_files(killed.root) == visible(OLD)
    assert not (killed.root / "made").exists(), "with the folders that it made"


@pytest.mark.parametrize("loss", ["gone", "changed"])
def test_what_can_be_neither_completed_nor_undone_is_left(killed: Killed, loss: str) -> None:
    killed.move("a.py")
    before = read_files(killed.root)
    (killed.staging / "1.new").unlink()
    copy = killed.staging / "0.old"
    copy.unlink() if loss == "gone" else copy.write_text("other")
    assert killed.recover() == (
        "left half written alpha: a run was killed while it was writing it",
    )
    assert read_files(killed.root) == before


@pytest.mark.parametrize("moved", [[], list(NEW)], ids=["nothing", "everything"])
def test_a_run_that_had_moved_nothing_or_everything_is_no_news(
    killed: Killed, moved: list[str]
) -> None:
    killed.move(*moved)
    assert killed.recover() == ()
    assert read_files(killed.root) == visible(NEW if moved else OLD)


@pytest.mark.parametrize("place", ["a.py", "b.py", "made/deep/c.py", "d.py"])
def test_what_was_changed_since_is_left_as_it_is(killed: Killed, place: str) -> None:
    killed.move("a.py")
    put_files(killed.root, {place: "edited"})
    before = read_files(killed.root)
    assert killed.recover() == ("left as it is alpha: a run was killed while it was writing it",)
    assert read_files(killed.root) == before


def test_a_system_that_refuses_leaves_it_half_written(
    killed: Killed, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed.move("a.py")

    def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(journal, "put", refuse)
    assert killed.recover()[0].startswith("left half written alpha")


@pytest.mark.parametrize("refused", ["1.new", "2.new"])
def test_a_completion_that_fails_is_undone_however_far_it_came(
    killed: Killed, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    killed.move("a.py")
    real = journal.put

    def put(place: Path, source: Path | None) -> None:
        if source is not None and source.name == refused:
            raise OSError
        real(place, source)

    monkeypatch.setattr(journal, "put", put)
    assert killed.recover() == ("restored alpha: a run was killed while it was writing it",)
    assert read_files(killed.root) == visible(OLD)


def test_every_model_of_a_journal_is_recovered_by_itself(tmp_path: Path) -> None:
    first = Killed(tmp_path, OLD, NEW)
    second = Change("beta", first.change.moves[:1])
    write_journal(first.staging, [first.change, second])
    first.move("a.py")
    notes = recover(tmp_path, [tmp_path])
    assert notes == ("completed alpha: a run was killed while it was writing it",)


Edit = Callable[[dict[str, Any]], Any]


def at(*keys: str | int, value: Any) -> Edit:
    """Set one value of a journal's first change."""

    def edit(data: dict[str, Any]) -> Any:
        target: Any = data["changes"][0]
        for key in keys[:-1]:
            target = target[key]
        target[keys[-1]] = value
        return data

    return edit


FOREIGN: dict[str, Edit] = {
    "another format": lambda data: {**data, "format": 2},
    "no format": lambda data: {"changes": data["changes"]},
    "a list": lambda data: [data],
    "no changes": lambda data: {"format": 1},
    "a change without a model": lambda data: data["changes"][0].pop("model") and data,
    "a move with more": at("moves", 0, "more", value="x"),
    "a model that is no text": at("model", value=1),
    "a digest that is no text": at("moves", 0, "new", value=None),
    "a name with a zero": at("model", value="a\0b"),
    "a place above": at("moves", 0, "place", value="../a.py"),
    "a place in a hidden folder": at("moves", 0, "place", value=".git/hooks/a"),
    "a hidden place": at("moves", 0, "place", value="sub/.a.py"),
    "an absolute place": at("moves", 0, "place", value="/tmp/a.py"),
    "no place": at("moves", 0, "place", value=""),
    "the folder itself": at("moves", 0, "place", value="."),
    "a made folder above": at("made", 0, value=".."),
    "a made folder elsewhere": at("made", 0, value="/tmp"),
    "a made folder that is no text": at("made", 0, value=3),
    "a draft outside of staging": at("moves", 0, "draft", value="b.py"),
    "a draft in a folder of another name": at("moves", 0, "draft", value="made/0.new"),
    "a draft deeper in staging": at("moves", 0, "draft", value=f"{STAGING}x/deep/0.new"),
    "a draft around": at("moves", 0, "draft", value=f"../tree/{STAGING}x/0.new"),
    "a draft over a detour": at("moves", 0, "draft", value=f"made/../{STAGING}x/0.new"),
    "a backup outside of staging": at("moves", 0, "backup", value="b.py"),
    "a draft in staging that is not there": at("moves", 0, "draft", value=f"{STAGING}y/0.new"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_journal_that_we_would_not_have_written_moves_nothing(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    killed = Killed(root, OLD, NEW)
    killed.move("a.py")
    before = read_files(tmp_path)
    place = killed.staging / "journal.json"
    place.write_text(json.dumps(FOREIGN[kind](json.loads(place.read_text()))))
    problem = interrupted_write(root, [root], root / "lock")
    assert problem and problem.message.endswith("writing: its journal is damaged")
    assert killed.recover() == (f"{STAGING}x/journal.json of a killed run is damaged",)
    assert read_files(tmp_path) | {"tree/lock": ""} == before | {"tree/lock": ""}


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[" * 200_000, b"null", b'{"format": 1'])
def test_a_journal_that_cannot_be_read(killed: Killed, content: bytes) -> None:
    (killed.staging / "journal.json").write_bytes(content)
    assert killed.recover() == (f"{STAGING}x/journal.json of a killed run is damaged",)


def test_a_journal_that_is_a_link_is_not_followed(killed: Killed) -> None:
    killed.move("a.py")
    place = killed.staging / "journal.json"
    os.rename(place, killed.root / "elsewhere.json")
    place.symlink_to("../elsewhere.json")
    assert killed.recover() == (f"{STAGING}x/journal.json of a killed run is damaged",)
    assert (killed.root / "b.py").read_text() == "old b"


def test_links_that_lead_out_of_the_tree_are_not_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "tree", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "c.py").write_text("theirs")
    killed = Killed(root, {"a.py": "old", "b.py": "old"}, {"a.py": "new", "b.py": "new"})
    (root / "sub").symlink_to(outside)
    moves = (*killed.change.moves, Move("sub/c.py", "", "", "", digest("theirs")))
    write_journal(killed.staging, [Change("alpha", moves)])
    killed.move("a.py")
    assert "damaged" in killed.recover()[0]
    assert (outside / "c.py").read_text() == "theirs"


def test_a_staging_folder_that_is_a_link_holds_no_journals(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    killed = Killed(root, OLD, NEW)
    os.rename(killed.staging, tmp_path / "moved")
    killed.staging.symlink_to(tmp_path / "moved")
    (root / "folder").mkdir()
    assert list(staging_folders([root])) == []
    assert find_journals([root]) == []


def test_drafts_in_a_staging_folder_that_is_a_link_are_not_moved(killed: Killed) -> None:
    killed.move("a.py")
    (killed.root / f"{STAGING}y").symlink_to(killed.staging)
    place = killed.staging / "journal.json"
    place.write_text(place.read_text().replace(f"{STAGING}x/1.new", f"{STAGING}y/1.new"))
    assert "damaged" in killed.recover()[0]
    assert (killed.root / "b.py").read_text() == "old b"


def test_staging_folders_are_looked_for_where_files_go(tmp_path: Path) -> None:
    tops = staging_tops(tmp_path, ["out/alpha", "out/deep/beta", "gamma"])
    assert tops == [tmp_path, tmp_path / "out", tmp_path / "out/deep"]
    for name in (f"{STAGING}b", f"{STAGING}a", f"out/{STAGING}c", "out/other"):
        (tmp_path / name).mkdir(parents=True)
    found = [tmp_path / f"{STAGING}a", tmp_path / f"{STAGING}b", tmp_path / f"out/{STAGING}c"]
    assert list(staging_folders(tops)) == found, "one that is not there is no failure"
    assert find_journals(tops) == []
    (found[2] / "journal.json").touch()
    (found[0] / "journal.json").symlink_to("nowhere")
    assert find_journals(tops) == [found[0] / "journal.json", found[2] / "journal.json"]


def test_a_write_that_was_interrupted_is_a_problem_with_a_place_and_a_hint(killed: Killed) -> None:
    beta = Change("beta", killed.change.moves)
    write_journal(killed.staging, [killed.change, beta])
    problem = interrupted_write(killed.root, [killed.root], killed.root / "lock")
    assert problem is not None
    assert problem.code == "interrupted-write"
    assert problem.message == "a run was killed while it was writing: alpha, beta"
    assert problem.location and problem.location.path == f"{STAGING}x"
    assert "codegen sync" in problem.hint


def test_a_tree_in_order_has_no_problem(tmp_path: Path) -> None:
    assert interrupted_write(tmp_path, [tmp_path], tmp_path / "lock") is None
    assert not (tmp_path / "lock").exists(), "nobody is asked then"


def test_a_run_that_is_still_moving_is_waited_for(
    killed: Killed, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []

    def wait(condition: Callable[[], bool], seconds: float) -> bool:
        looks.append(seconds)
        with locked(killed.root / "lock"):
            assert not condition(), "somebody holds the lock"
        assert condition(), "the lock is free: nobody is at it any more"
        (killed.staging / "journal.json").unlink()
        with locked(killed.root / "lock"):
            assert condition(), "there is nothing to wait for"
        return True

    monkeypatch.setattr(journal, "wait_until", wait)
    assert interrupted_write(killed.root, [killed.root], killed.root / "lock") is None
    assert looks and 1 <= looks[0] <= 60


def test_where_nothing_can_be_locked_a_run_is_given_some_time(
    killed: Killed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_PATIENCE", 0.1)
    (killed.root / "file").touch()
    problem = interrupted_write(killed.root, [killed.root], killed.root / "file/lock")
    assert problem and problem.code == "interrupted-write"

    def wait(condition: Callable[[], bool], seconds: float) -> bool:
        assert not condition()
        return False

    monkeypatch.setattr(journal, "wait_until", wait)
    assert interrupted_write(killed.root, [killed.root], killed.root / "file/lock")


def test_a_journal_is_flushed_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, str, bool]] = []
    for name in ("flush_to_disk", "flush_folder"):
        monkeypatch.setattr(
            journal,
            name,
            lambda path, name=name: done.append(
                (name, path.name, (tmp_path / "journal.json").exists())
            ),
        )
    place = write_journal(tmp_path, [Change("alpha", ())])
    assert place == tmp_path / "journal.json"
    assert done == [("flush_to_disk", "journal.new", False), ("flush_folder", tmp_path.name, True)]
    assert [path.name for path in tmp_path.iterdir()] == ["journal.json"]


def test_what_a_journal_says_cannot_be_changed_on_the_way(killed: Killed) -> None:
    for value, name in ((killed.change, "moves"), (killed.change.moves[0], "place")):
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, "other")


def test_digests_are_of_bytes_and_follow_no_link(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a\r\n")
    (tmp_path / "link").symlink_to("a")
    assert digest_at(tmp_path / "a") == digest_bytes(b"a\r\n") != digest_bytes(b"a\n")
    assert digest_at(tmp_path / "link") == digest_at(tmp_path / "none") == digest_at(tmp_path) == ""


def test_only_empty_folders_are_removed_the_deepest_first(tmp_path: Path) -> None:
    made = [tmp_path / "a", tmp_path / "a/b", tmp_path / "a/b/c"]
    made[-1].mkdir(parents=True)
    remove_folders(iter(made))
    assert not made[0].exists()
    made[-1].mkdir(parents=True)
    (made[1] / "file").touch()
    remove_folders(made)
    assert made[1].exists() and not made[2].exists()
