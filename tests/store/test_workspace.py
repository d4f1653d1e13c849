"""Writing: all files of a model or none, whatever fails on the way."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codegen.errors import CodegenError
from codegen.store import journal, workspace
from codegen.store.journal import STAGING, find_journals
from codegen.store.system import locked
from codegen.store.workspace import Workspace


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An output folder with two models."""
    for model in ("alpha", "beta"):
        (tmp_path / "out" / model).mkdir(parents=True)
        (tmp_path / "out" / model / "modeling.py").write_text(f"old {model}")
    return tmp_path / "out"


def opened(root: Path, *targets: str) -> Workspace:
    return Workspace(root, root.parent / "cache", targets or ("alpha", "beta"))


def files(root: Path) -> dict[str, str]:
    """All files below the output; there must be nothing of ours beside them."""
    found = {
        path.relative_to(root).as_posix(): path.read_text()
        for path in root.rglob("*")
        if path.is_file()
    }
    assert not [path for path in root.rglob("*") if path.name.startswith(STAGING)]
    return found


OLD = {"alpha/modeling.py": "old alpha", "beta/modeling.py": "old beta"}
ALPHA = {"alpha/modeling.py": "new alpha", "alpha/sub/configuration.py": "config"}


def write_both(space: Workspace) -> None:
    space.stage("alpha", ALPHA)
    space.stage("beta", {"beta/configuration.py": "beta"}, removed=["beta/modeling.py"])
    space.commit()


NEW = {**ALPHA, "beta/configuration.py": "beta"}


class Failing:
    """Lets one call of a function fail, or all from one on."""

    def __init__(self, real: Callable[..., Any], number: int, error: BaseException) -> None:
        self.real, self.number, self.error, self.calls = real, number, error, 0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.calls += 1
        if self.calls == self.number:
            raise self.error
        return self.real(*arguments, **named)


def test_what_is_staged_is_written_by_the_commit_and_not_before(root: Path) -> None:
    with opened(root) as space:
        space.stage("alpha", ALPHA)
        assert (root / "alpha/modeling.py").read_text() == "old alpha"
        assert not (root / "alpha/sub/configuration.py").exists()
        space.commit()
        assert (root / "alpha/modeling.py").read_text() == "new alpha"
        space.stage("beta", {}, removed=["beta/modeling.py", "beta/none.py"])
        assert (root / "beta/modeling.py").exists()
        space.commit()
    assert files(root) == ALPHA
    assert space.failed == {} and space.recovered == ()


def test_what_was_not_committed_leaves_nothing(root: Path) -> None:
    with opened(root) as space:
        space.stage("alpha", ALPHA)
        space.stage("gamma", {"gamma/deep/modeling.py": "x"}, removed=["beta/modeling.py"])
    assert files(root) == OLD
    assert sorted(path.name for path in root.iterdir()) == ["alpha", "beta"]
    assert not (root / "alpha/sub").exists()


def test_texts_are_written_as_they_are(root: Path) -> None:
    text = "a\r\nb\n\u2028é"
    with opened(root) as space:
        space.stage("alpha", {"alpha/modeling.py": text})
        space.commit()
    assert (root / "alpha/modeling.py").read_bytes() == text.encode()


def test_modes_stay_and_new_files_have_the_users(root: Path) -> None:
    (root / "alpha/modeling.py").chmod(0o640)
    before = os.umask(0o027)
    try:
        with opened(root) as space:
            space.stage("alpha", ALPHA)
            space.commit()
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((root / path).stat().st_mode) for path in ALPHA]
    assert modes == [0o640, 0o640]
    assert stat.S_IMODE((root / "beta/modeling.py").stat().st_mode) != 0o640


def test_a_link_inside_is_replaced_and_one_that_leads_out_is_refused(root: Path) -> None:
    (root / "alpha/inside.py").symlink_to("modeling.py")
    (root.parent / "elsewhere.py").write_text("theirs")
    (root / "alpha/out.py").symlink_to("../../elsewhere.py")
    (root / "gone").symlink_to(root.parent)
    with opened(root) as space:
        space.stage("alpha", {"alpha/inside.py": "new"})
        for path in ("alpha/out.py", "gone/elsewhere.py", "../elsewhere.py"):
            for texts, removed in (({path: "x"}, []), ({}, [path])):
                with pytest.raises(CodegenError) as caught:
                    space.stage("alpha", texts, removed)
                (problem,) = caught.value.diagnostics
                assert problem.code == "outside-root" and "(" in problem.message
                assert problem.location and str(problem.location) == path
        space.commit()
    assert (root / "alpha/inside.py").read_text() == "new"
    assert not (root / "alpha/inside.py").is_symlink()
    assert (root / "alpha/modeling.py").read_text() == "old alpha"
    assert (root.parent / "elsewhere.py").read_text() == "theirs"


def test_an_output_that_is_reached_over_a_link(root: Path) -> None:
    (root.parent / "link").symlink_to("out")
    with opened(root.parent / "link") as space:
        space.stage("alpha", ALPHA)
        space.commit()
    assert files(root) == {**OLD, **ALPHA}


def test_what_is_no_file_is_not_replaced(root: Path) -> None:
    os.mkfifo(root / "alpha/fifo.py")
    with opened(root) as space, pytest.raises(CodegenError) as caught:
        space.stage("alpha", {"alpha/fifo.py": "x"})
    (problem,) = caught.value.diagnostics
    assert (problem.code, str(problem.location)) == ("unwritable", "alpha/fifo.py")
    assert problem.message == "cannot write the file: a FIFO is in its place"


def test_a_folder_in_the_place_of_a_file_fails_that_model_alone(root: Path) -> None:
    (root / "beta/configuration.py").mkdir()
    with opened(root) as space:
        write_both(space)
    assert list(space.failed) == ["beta"]
    (problem,) = space.failed["beta"]
    assert (problem.code, str(problem.location)) == ("unwritable", "beta/configuration.py")
    assert files(root) == {**ALPHA, "beta/modeling.py": "old beta"}


def test_where_nothing_can_be_prepared_nothing_is_left(root: Path) -> None:
    (root / "alpha/sub").write_text("a file where a folder is needed")
    texts = {"gamma/new.py": "x", "alpha/sub/deep/configuration.py": "config"}
    with opened(root) as space:
        with pytest.raises(CodegenError) as caught:
            space.stage("alpha", texts)
        assert not list(root.rglob("*.new")), "the first text is gone, too"
        space.commit()
    (problem,) = caught.value.diagnostics
    assert (problem.code, str(problem.location)) == ("unwritable", list(texts)[1])
    assert "no file of this model was changed" in problem.hint
    assert sorted(path.name for path in root.iterdir()) == ["alpha", "beta"]
    assert files(root) == {**OLD, "alpha/sub": "a file where a folder is needed"}


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_move_that_fails_undoes_its_model_and_no_other(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    failing = Failing(journal.put, number, OSError(errno.EACCES, "Permission denied"))
    monkeypatch.setattr(workspace, "put", failing)
    with opened(root) as space:
        write_both(space)
    model = "alpha" if number <= 2 else "beta"
    kept = {path: text for path, text in OLD.items() if path.startswith(model)}
    others = {path: text for path, text in NEW.items() if not path.startswith(model)}
    assert files(root) == {**kept, **others}
    assert list(space.failed) == [model]
    (problem,) = space.failed[model]
    assert problem.message == "cannot write the file: Permission denied"
    assert (root / "alpha/sub").exists() == (model == "beta"), "nor is a folder of it left"


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_an_end_between_two_moves_undoes_its_model_and_goes_on_ending(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(workspace, "put", Failing(journal.put, number, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt), opened(root) as space:
        write_both(space)
    assert files(root) == (OLD if number <= 2 else {**ALPHA, "beta/modeling.py": "old beta"})
    assert (root / "alpha/sub").exists() == (number > 2)


def test_files_are_flushed_before_the_journal_and_that_before_any_move(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def noted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments: (done.append(name), real(*arguments))[1]

    for name in ("flush_to_disk", "write_journal", "put"):
        monkeypatch.setattr(workspace, name, noted(name, getattr(workspace, name)))
    with opened(root) as space:
        write_both(space)
        assert find_journals([root]) == [], "it is over"
    assert done == ["flush_to_disk"] * 3 + ["write_journal"] + ["put"] * 4


def test_the_journal_tells_everything_that_is_about_to_be_moved(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    real = workspace.put

    def put(place: Path, source: Path | None) -> None:
        if not seen:
            (found,) = find_journals([root])
            seen.extend(journal._read(found, root) or ["damaged"])
        real(place, source)

    monkeypatch.setattr(workspace, "put", put)
    with opened(root) as space:
        write_both(space)
    assert [(change.model, [m.place for m in change.moves], change.made) for change in seen] == [
        ("alpha", list(ALPHA), ("alpha/sub",)),
        ("beta", ["beta/configuration.py", "beta/modeling.py"], ()),
    ]
    moves = [move for change in seen for move in change.moves]
    assert [bool(m.draft) for m in moves] == [True, True, True, False]
    assert [bool(m.backup) for m in moves] == [True, False, False, True]
    assert len({name for m in moves for name in (m.draft, m.backup) if name}) == 5


def test_where_no_journal_can_be_written_models_fail_one_by_one(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal of all may not fit where one of a single model does."""
    real = workspace.write_journal

    def small(folder: Path, changes: Any) -> Path:
        if len(changes) > 1 or changes[0].model == "alpha":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(folder, changes)

    monkeypatch.setattr(workspace, "write_journal", small)
    with opened(root) as space:
        write_both(space)
    assert files(root) == {"alpha/modeling.py": "old alpha", "beta/configuration.py": "beta"}
    assert not (root / "alpha/sub").exists()
    (problem,) = space.failed["alpha"]
    assert list(space.failed) == ["alpha"]
    assert problem.message == "cannot write the file: No space left on device"
    assert problem.location and problem.location.path == "alpha/modeling.py"


@pytest.mark.parametrize("full", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_relieved_by_writing_what_is_staged(
    root: Path, monkeypatch: pytest.MonkeyPatch, full: int
) -> None:
    error = OSError(full, "full")
    monkeypatch.setattr(shutil, "copymode", Failing(shutil.copymode, 2, error))
    with opened(root) as space:
        space.stage("alpha", ALPHA)
        space.stage("beta", {"beta/modeling.py": "new beta"})
        assert (root / "alpha/modeling.py").read_text() == "new alpha", "made room"
        assert (root / "beta/modeling.py").read_text() == "old beta"
        space.commit()
    assert files(root) == {**ALPHA, "beta/modeling.py": "new beta"}


def test_a_disk_that_stays_full_is_said(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    with opened(root) as space:
        space.stage("alpha", {"alpha/modeling.py": "new alpha"})
        monkeypatch.setattr(shutil, "copymode", refuse)
        with pytest.raises(CodegenError) as caught:
            space.stage("beta", {"beta/modeling.py": "new beta"})
        with pytest.raises(CodegenError):
            space.stage("beta", {"beta/modeling.py": "new beta"})
    assert caught.value.diagnostics[0].message == "cannot write the file: full"
    assert files(root) == {"alpha/modeling.py": "new alpha", "beta/modeling.py": "old beta"}


def test_a_copy_that_does_not_fit_fails_that_model(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = workspace._keep

    def keep(place: Path, copy: Path) -> None:
        if "alpha" in place.parts:
            raise OSError(errno.ENOSPC, "full")
        real(place, copy)

    monkeypatch.setattr(workspace, "_keep", keep)
    with opened(root) as space:
        write_both(space)
    assert list(space.failed) == ["alpha"]
    assert files(root) == {"alpha/modeling.py": "old alpha", "beta/configuration.py": "beta"}
    assert not (root / "alpha/sub").exists()


def test_staging_is_freed_by_each_commit(root: Path) -> None:
    with opened(root) as space:
        write_both(space)
        left = [path for path in root.rglob("*") if STAGING in str(path) and path.is_file()]
        assert left == []


@pytest.mark.parametrize("error", [OSError(), NotImplementedError()])
def test_a_file_system_without_second_names(
    root: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(os, "link", Failing(os.link, 1, error))
    monkeypatch.setattr(workspace, "put", Failing(journal.put, 2, OSError()))
    with opened(root) as space:
        write_both(space)
    assert (root / "alpha/modeling.py").read_text() == "old alpha"


def test_a_link_comes_back_as_a_link(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system without second names, too."""
    (root / "alpha/inside.py").symlink_to("modeling.py")
    monkeypatch.setattr(os, "link", Failing(os.link, 1, OSError()))
    monkeypatch.setattr(workspace, "put", Failing(journal.put, 2, OSError()))
    with opened(root) as space:
        space.stage("alpha", {"alpha/inside.py": "x", "alpha/other.py": "y"})
        space.commit()
    assert list(space.failed) == ["alpha"]
    assert (root / "alpha/inside.py").is_symlink()


def test_the_removal_of_what_is_not_there_is_no_failure(root: Path) -> None:
    with opened(root) as space:
        space.stage("alpha", {}, removed=["alpha/none.py"])
        space.commit()
    assert space.failed == {} and files(root) == OLD


class OtherDevice:
    """What ``stat`` says of a file on another device."""

    def __init__(self, found: os.stat_result, difference: int) -> None:
        self.found, self.st_dev = found, found.st_dev + difference

    def __getattr__(self, name: str) -> Any:
        return getattr(self.found, name)


@pytest.mark.parametrize("difference", [-1, 1])
def test_drafts_lie_on_the_disk_of_their_place(
    root: Path, monkeypatch: pytest.MonkeyPatch, difference: int
) -> None:
    """A file can be moved in one step only on one disk; here alpha is one of its own."""
    real = Path.stat

    def stat(path: Path, **named: Any) -> Any:
        inside = root / "alpha" in (path, *path.parents)
        return OtherDevice(real(path, **named), difference) if inside else real(path, **named)

    with opened(root, "alpha", "alpha/sub", "beta") as space:
        with monkeypatch.context() as patched:
            patched.setattr(Path, "stat", stat)
            space.stage("alpha", ALPHA)
            space.stage("beta", {"beta/modeling.py": "new"})
        staged = {path.parent.parent.relative_to(root).as_posix() for path in root.rglob("*.new")}
        assert staged == {"alpha", "."}
        space.commit()
    assert files(root) == {**ALPHA, "beta/modeling.py": "new"}


def test_the_lock_is_held_while_the_workspace_is_open(root: Path) -> None:
    place = root.parent / "cache/lock"
    with opened(root), locked(place, 0) as second:
        assert not second
    with locked(place, 0) as held:
        assert held
    assert (root.parent / "cache/.gitignore").read_text() == "*\n"


def test_the_users_gitignore_is_left(root: Path) -> None:
    (root.parent / "cache").mkdir()
    (root.parent / "cache/.gitignore").write_text("mine")
    with opened(root):
        pass
    assert (root.parent / "cache/.gitignore").read_text() == "mine"


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_what_is_in_the_place_of_the_lock_is_refused(root: Path, kind: str) -> None:
    place = root.parent / "cache/lock"
    place.parent.mkdir()
    place.symlink_to(root / "alpha/modeling.py") if kind == "link" else place.mkdir()
    with pytest.raises(CodegenError) as caught, opened(root):
        pass
    (problem,) = caught.value.diagnostics
    assert (problem.code, str(problem.location)) == ("cache-folder", str(place))
    assert problem.message == f"a {kind} is in the place of the lock file"


def test_a_folder_that_cannot_hold_a_lock_keeps_nobody_from_writing(root: Path) -> None:
    (root.parent / "cache").write_text("a file")
    with opened(root) as space:
        write_both(space)
    assert files(root) == NEW


def test_what_killed_runs_left_is_recovered_and_removed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit), opened(root) as space:
        space.stage("alpha", ALPHA)
        monkeypatch.setattr(journal.Path, "unlink", lambda *_, **__: None)
        monkeypatch.setattr(Workspace, "_empty_staging", lambda _: None)
        monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
        space.commit()
        (root / "alpha/modeling.py").write_text("old alpha")  # as if it had not been moved yet
        raise SystemExit
    monkeypatch.undo()
    (root / f"{STAGING}other").mkdir()
    (root / f"{STAGING}other/1.new").touch()
    with opened(root) as space:
        assert space.recovered == ("restored alpha: a run was killed while it was writing it",)
        assert not [path for path in root.iterdir() if path.name.startswith(STAGING)]
    assert files(root) == OLD


def test_folders_above_the_output_that_were_made_for_it_stay_out_of_the_journal(
    tmp_path: Path,
) -> None:
    output = tmp_path / "new/out"
    with opened(output, "alpha") as space:
        space.stage("alpha", {"alpha/modeling.py": "x"})
        space.commit()
    assert space.failed == {}
    assert (output / "alpha/modeling.py").read_text() == "x"
