"""The seal: it tells what this user wrote from anything else, and never fails a run."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import platformdirs
import pytest

from codegen.store import seal as module
from codegen.store.seal import is_sealed, seal, user_folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder, which is not there yet."""
    monkeypatch.setenv("CODEGEN_CACHE_DIR", str(tmp_path / "above" / "user"))
    return tmp_path / "above" / "user"


def test_a_seal_holds_for_its_text_alone(folder: Path) -> None:
    mark = seal("text")
    assert re.fullmatch("[0-9a-f]{64}", mark)
    assert is_sealed("text", mark)
    assert seal("text") == mark, "the key is kept"
    assert not is_sealed("texts", mark)
    assert not is_sealed("text", mark[:-1])
    assert not is_sealed("text", "")
    assert seal("") != mark


def test_the_key_is_the_users_own_and_complete(folder: Path) -> None:
    seal("text")
    (key,) = folder.iterdir()
    assert len(key.read_bytes()) == 32
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_every_user_has_another_key(folder: Path) -> None:
    mark = seal("text")
    os.unlink(folder / "key")
    assert not is_sealed("text", mark)
    assert seal("text") != mark


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_size_is_none(folder: Path, size: int) -> None:
    folder.mkdir(parents=True)
    (folder / "key").write_bytes(b"k" * size)
    assert seal("text") == ""
    assert not is_sealed("text", "")
    assert (folder / "key").read_bytes() == b"k" * size


@pytest.mark.parametrize("kind", ["link", "folder", "fifo"])
def test_what_is_in_the_place_of_the_key_is_no_key(folder: Path, kind: str) -> None:
    folder.mkdir(parents=True)
    place = folder / "key"
    if kind == "link":
        (folder / "other").write_bytes(b"k" * 32)
        place.symlink_to("other")
    elif kind == "folder":
        place.mkdir()
    else:
        os.mkfifo(place)
    assert seal("text") == ""
    assert not is_sealed("text", "")


def test_a_key_of_somebody_else_is_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = seal("text")
    monkeypatch.setattr(module, "owned_by_us", lambda place: False)
    assert seal("text") == ""
    assert not is_sealed("text", mark)


def test_where_no_folder_can_be_made_there_is_no_seal(folder: Path) -> None:
    folder.parent.write_text("a file")
    assert seal("text") == ""
    assert not is_sealed("text", "")


def test_of_two_that_make_a_key_at_once_one_is_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other takes the key that it finds, and nothing is left of its own."""
    link = os.link

    def late(source: str, target: Path) -> None:
        target.write_bytes(b"f" * 32)
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    mark = seal("text")
    assert mark and (folder / "key").read_bytes() == b"f" * 32
    assert [path.name for path in folder.iterdir()] == ["key"]
    assert is_sealed("text", mark)


@pytest.mark.parametrize("error", [NotImplementedError(), PermissionError(1, "no")])
def test_a_file_system_without_second_names(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, "link", refuse)
    assert is_sealed("text", seal("text"))
    assert [path.name for path in folder.iterdir()] == ["key"]


def test_a_key_that_vanishes_again_and_again_is_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[object] = []
    monkeypatch.setattr(module, "_make_key", lambda *_: tries.append(1))
    assert seal("text") == ""
    assert 1 <= len(tries) <= 2


def test_the_folder_is_the_systems_unless_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEGEN_CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_folder() == Path(platformdirs.user_cache_path("codegen", appauthor=False))
    monkeypatch.setenv("CODEGEN_CACHE_DIR", str(tmp_path / "named"))
    assert user_folder() == tmp_path / "named"


def test_a_user_without_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CODEGEN_CACHE_DIR", raising=False)
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: Path("~/.cache/codegen"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert user_folder() == tmp_path / f"codegen-{os.getuid()}"
    monkeypatch.delattr(os, "getuid")
    assert user_folder() == tmp_path / "codegen-0"
