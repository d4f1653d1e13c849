"""The import hook: overlaid modules come from the folder, all others from the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path
from codegen.verify.overlay import install
install(Path(sys.argv[1]).parent, "shapes", Path(sys.argv[2]))
import shapes.round.circle, shapes.square
print(shapes.round.circle.NAME, shapes.square.NAME)
"""


def test_overlay_wins_and_package_stays(tmp_path: Path) -> None:
    package, overlay = tmp_path / "site" / "shapes", tmp_path / "overlay"
    for path, name in (("round/circle", "old circle"), ("square", "square")):
        target = package / f"{path}.py"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(f"NAME = {name!r}\n")
    (package / "__init__.py").write_text("")
    (package / "round" / "__init__.py").write_text("")
    (overlay / "round").mkdir(parents=True)
    (overlay / "round" / "circle.py").write_text(
        "from .helper import WORD\nNAME = f'{WORD} circle'\n"
    )
    (overlay / "round" / "helper.py").write_text("from ..tools import WORD\n")
    (overlay / "tools").mkdir()
    (overlay / "tools" / "__init__.py").write_text("from .words import WORD\n")
    (overlay / "tools" / "words.py").write_text("WORD = 'new'\n")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(package), str(overlay)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.stdout.split("\n")[0] == "new circle square"
    assert not (package / "round" / "helper.py").exists()


def test_a_module_at_the_top_finds_the_package_beside_itself(tmp_path: Path) -> None:
    package, overlay = tmp_path / "site" / "shapes", tmp_path / "overlay"
    beside = "from pathlib import Path\nNAME = {name!r} + Path(__file__).with_name('data.txt').read_text()\n"
    (package / "round").mkdir(parents=True)
    for folder, name in ((package, "old"), (overlay, "new")):
        (folder / "round").mkdir(parents=True, exist_ok=True)
        (folder / "square.py").write_text(beside.format(name=name))
        (folder / "round" / "circle.py").write_text(f"NAME = {name!r}\n")
    for place in (package, package / "round"):
        (place / "__init__.py").write_text("")
    (package / "data.txt").write_text(" square")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(package), str(overlay)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.stdout == "new new square\n"
