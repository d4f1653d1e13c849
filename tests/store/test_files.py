"""Files: what is read, what is refused, what a lock holds."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from codegen.store import system
from codegen.store.system import IrregularFile, kind_at, kind_of, read_regular

KINDS = ["a folder", "a link", "a FIFO", "a socket", "a device"]


@pytest.fixture
def special(tmp_path: Path) -> Iterator[dict[str, Path]]:
    """One of each that is no regular file."""
    (tmp_path / "file").write_text("text")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as open_socket:
        here = os.getcwd()
        os.chdir(tmp_path)  # the path of a socket must be short
        try:
            open_socket.bind("socket")
        finally:
            os.chdir(here)
        names = ["folder", "link", "fifo", "socket"]
        yield {**dict(zip(KINDS, (tmp_path / n for n in names))), "a device": Path("/dev/null")}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_regular_file_is_named(special: dict[str, Path], kind: str) -> None:
    assert kind_at(special[kind]) == kind


def test_modes_in_words() -> None:
    assert kind_of(stat.S_IFREG | 0o644) == ""
    assert kind_of(stat.S_IFBLK) == "a device"
    assert kind_of(0) == "something else"


def test_a_file_and_nothing_have_no_kind(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    assert kind_at(tmp_path / "file") == kind_at(tmp_path / "none") == ""
    assert kind_at(tmp_path / "file" / "below") == ""


@pytest.mark.parametrize("follow", [True, False])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "a link"])
def test_only_regular_files_are_opened(special: dict[str, Path], kind: str, follow: bool) -> None:
    """A FIFO without a writer would block for ever if it were opened for reading."""
    with pytest.raises(IrregularFile) as caught:
        read_regular(special[kind], follow)
    assert caught.value.strerror == f"it is {kind}, not a regular file"
    assert caught.value.filename == str(special[kind])


def test_links_are_followed_only_where_that_is_asked_for(special: dict[str, Path]) -> None:
    assert read_regular(special["a link"]) == b"text"
    with pytest.raises(IrregularFile, match="it is a link, not a regular file"):
        read_regular(special["a link"], follow=False)
    assert read_regular(special["a link"].with_name("file"), follow=False) == b"text"


def test_a_link_that_comes_between_looking_and_opening_is_refused(
    special: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_symlink", lambda path: False)
    with pytest.raises(OSError):
        read_regular(special["a link"], follow=False)
    assert read_regular(special["a link"]) == b"text"


@pytest.mark.parametrize("place", ["fifo", "folder"])
def test_what_comes_between_looking_and_opening_is_not_read(
    special: dict[str, Path], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    root = special["a folder"].parent
    regular = os.stat(root / "file")
    monkeypatch.setattr(os, "stat", lambda path, **_: regular)
    with pytest.raises(OSError):
        read_regular(root / place)


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "none")


def test_flushing_asks_the_system_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: flushed.append(os.fstat(handle).st_ino))
    place = tmp_path / "file"
    place.write_bytes(b"a\r\nb")
    system.flush_to_disk(place)
    system.flush_folder(tmp_path)
    assert flushed == [place.stat().st_ino, tmp_path.stat().st_ino]
    assert place.read_bytes() == b"a\r\nb"


def test_folders_that_cannot_be_flushed_are_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "fsync", refuse)
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    system.flush_folder(tmp_path)
    system.flush_folder(tmp_path / "none")
    after = len(os.listdir("/proc/self/fd")) if before else 0
    assert before == after, "and no handle stays open"
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        system.flush_to_disk(tmp_path / "file")


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002, 0])
def test_the_mode_of_new_files_is_the_users(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        mode = system.default_mode()
        (tmp_path / "file").touch()
        assert (tmp_path / "file").stat().st_mode & 0o777 == mode
        assert os.umask(mask) == mask, "asking leaves it as it is"
    finally:
        os.umask(before)


def test_who_owns_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    assert system.owned_by_us(tmp_path / "file")
    assert system.owned_by_us(tmp_path / "link"), "the link itself is asked"
    user = os.getuid()
    for other in (user + 1, user - 1):
        monkeypatch.setattr(os, "getuid", lambda other=other: other)
        assert not system.owned_by_us(tmp_path / "file")
    monkeypatch.delattr(os, "getuid")
    assert system.owned_by_us(tmp_path / "file"), "a system without users"


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    place = tmp_path / "lock"
    with system.locked(place) as first:
        assert first
        began = time.monotonic()
        with system.locked(place, 0) as second:
            assert not second
        with system.locked(place, 0.2) as third:
            assert not third
        assert 0.2 <= time.monotonic() - began < 5
        with system.locked(place, 0) as fourth:
            assert not fourth, "the failed tries have not released it"
    with system.locked(place, 0) as again:
        assert again


def test_who_waits_for_a_lock_gets_it_in_the_end(tmp_path: Path) -> None:
    place = tmp_path / "lock"
    got: list[bool] = []

    def wait() -> None:
        with system.locked(place) as held:
            got.append(held)

    thread = threading.Thread(target=wait)
    with system.locked(place):
        thread.start()
        time.sleep(0.15)
        assert not got
    thread.join(10)
    assert got == [True]


def test_a_lock_is_released_by_a_failure(tmp_path: Path) -> None:
    with pytest.raises(KeyError), system.locked(tmp_path / "lock"):
        raise KeyError
    with system.locked(tmp_path / "lock", 0) as held:
        assert held


def test_where_nothing_can_be_locked_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError), system.locked(tmp_path / "file" / "lock", 0):
        pass


def test_a_file_that_stays_behind_is_never_taken_for_a_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system refuses to lock, a killed run would keep all others out for ever."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises((OSError, NotImplementedError)), system.locked(tmp_path / "lock", 0):
        pass


def test_cores_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5, 7} if not process else {})
    assert system.usable_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert system.usable_cores() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert system.usable_cores() == 1


def test_waiting_looks_again_until_the_time_is_over() -> None:
    answers = iter([False, False, True])
    assert system.wait_until(lambda: next(answers), 60)
    began = time.monotonic()
    assert not system.wait_until(lambda: False, 0.1)
    assert 0.1 <= time.monotonic() - began < 5
    assert system.wait_until(lambda: True, 0)
