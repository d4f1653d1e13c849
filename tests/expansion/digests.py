"""Print a digest of what every golden case gives, or every n-th; run with different hash seeds to compare."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from codegen.output.formatting import FormatSettings
from codegen.run.sync import Options, check
from codegen.trees.sources import digest_text

from .golden import all_cases, build_tree, load_case


def case_digest(path: Path) -> str:
    """Digest of all generated texts of a case before formatting, of its warnings and problems."""
    with tempfile.TemporaryDirectory() as folder:
        tree = replace(build_tree(load_case(path), Path(folder)), formatting=FormatSettings("none"))
        run = check(tree, (), Options(jobs=1, cache=False))
        found = [
            f"{outcome.model} {outcome.warnings} {list(map(str, outcome.problems))}"
            + "".join(f"\n{file.path}\n{file.new}" for file in outcome.files)
            for outcome in run.outcomes
        ]
    return digest_text("\n".join(found))


if __name__ == "__main__":
    chosen = all_cases()[:: int(sys.argv[1])]
    json.dump({str(path): case_digest(path) for path in chosen}, sys.stdout)
