"""Results of sources that the passes changed are told apart, also where two files have one name."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from codegen.run.comparison import with_rewritten


def test_a_helper_module_may_be_called_like_a_file_of_the_tree(tmp_path: Path) -> None:
    files = {
        "lib/processing_utils.py": "a = 1\n",
        "lib/encoder_helpers/processing_utils.py": "b = 2\n",
    }
    tree = SimpleNamespace(output=tmp_path)
    outcomes = with_rewritten(tree, [], SimpleNamespace(files=files))  # type: ignore[arg-type]
    assert len({outcome.model for outcome in outcomes}) == 2
    assert [file.path for outcome in outcomes for file in outcome.files] == [*files]
