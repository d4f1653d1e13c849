"""Generated files that somebody touched, and places where none may be written."""

from __future__ import annotations

from pathlib import Path

from tests.cli.trees import DELTA, Sandbox


def _edit(sandbox: Sandbox, model: str) -> str:
    place = sandbox.generated(model)
    text = place.read_text()
    place.write_text(text.replace("depth = 1", "depth = 7"))
    return text


def test_edited_by_hand(project: Sandbox) -> None:
    project.run("sync")
    before = _edit(project, "delta")
    checked = project.run("check")
    project.expect("edited_by_hand", checked)
    assert "depth = 7" in project.generated("delta").read_text(), "check writes nothing"
    assert project.run("sync").code == 0
    assert project.generated("delta").read_text() == before


def test_edited_by_hand_without_a_cache(project: Sandbox) -> None:
    """Without a cache nobody knows who changed what; out of sync it is."""
    project.run("sync")
    _edit(project, "delta")
    checked = project.run("check", "--no-cache")
    assert checked.code == 1
    assert "modeling_delta.py: out of date" in checked.out


def test_difference_is_shown(project: Sandbox) -> None:
    project.run("sync")
    _edit(project, "delta")
    project.expect("difference", project.run("check", "--diff"))


def test_missing_file_is_shown_as_a_whole(project: Sandbox) -> None:
    project.expect("difference_of_a_missing_file", project.run("check", "delta", "--diff"))


def test_file_without_banner_is_not_overwritten(project: Sandbox) -> None:
    place = project.generated("delta")
    place.parent.mkdir(parents=True)
    place.write_text("precious = True\n")
    result = project.run("sync")
    project.expect("foreign_file", result)
    assert place.read_text() == "precious = True\n"
    assert project.generated("gamma").exists(), "the other models are written"
    assert project.run("check").code == 1
    assert project.run("sync", "--force").code == 0
    assert "depth = 1" in place.read_text()
    assert project.run("check").code == 0


def test_file_that_is_not_text_is_not_overwritten(project: Sandbox) -> None:
    place = project.generated("delta")
    place.parent.mkdir(parents=True)
    place.write_bytes(b"\x80\x81")
    assert project.run("sync").code == 2
    assert place.read_bytes() == b"\x80\x81"


def test_nothing_of_a_model_is_written_when_one_file_is_refused(project: Sandbox) -> None:
    place = project.generated("alpha", "configuration")
    place.parent.mkdir(parents=True)
    place.write_text("precious = True\n")
    assert project.run("sync").code == 2
    assert not project.generated("alpha").exists()


def test_file_by_hand_in_a_checkout(checkout: Sandbox) -> None:
    place = checkout.generated("delta")
    place.write_text("precious = True\n")
    result = checkout.run("sync")
    checkout.expect("foreign_file_in_a_checkout", result)
    assert place.read_text() == "precious = True\n"


def test_output_folder_that_links_outside(project: Sandbox) -> None:
    outside = project.root.parent / "outside"
    outside.mkdir()
    (project.root / "generated").mkdir()
    (project.root / "generated/delta").symlink_to(outside)
    result = project.run("sync")
    project.expect("output_outside_root", result)
    assert list(outside.iterdir()) == []
    assert project.generated("gamma").exists()


def test_output_file_that_links_outside(project: Sandbox) -> None:
    outside = project.root.parent / "outside.py"
    place = project.generated("delta")
    place.parent.mkdir(parents=True)
    place.symlink_to(outside)
    result = project.run("sync")
    assert result.code == 2
    assert "error[outside-root]" in result.err
    assert not outside.exists()


def test_output_file_that_links_inside_is_replaced(project: Sandbox) -> None:
    project.run("sync")
    other: Path = project.root / "generated/kept.txt"
    project.generated("delta").rename(other)
    project.generated("delta").symlink_to(other)
    project.write({"delta": DELTA.replace("1", "2")})
    assert project.run("sync").code == 0
    assert "depth = 2" in project.generated("delta").read_text()


def test_permissions_are_kept(project: Sandbox) -> None:
    project.run("sync")
    place = project.generated("delta")
    place.chmod(0o755)
    project.write({"delta": DELTA.replace("1", "2")})
    project.run("sync")
    assert place.stat().st_mode & 0o777 == 0o755
