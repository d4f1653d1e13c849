"""Every rule of the expansion by example; the cases are in ``tests/golden/expansion``."""

from __future__ import annotations

from pathlib import Path

import pytest

from .golden import all_cases, expand_case, load_case, probe_case

UPDATE = "python -m pytest tests/expansion --update-golden"


@pytest.mark.parametrize("path", all_cases(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_case(path: Path, tmp_path: Path, update_golden: bool) -> None:
    case = load_case(path)
    results = expand_case(case, tmp_path)
    if update_golden:
        if results != case.expected:
            path.write_text(case.text_with(results), encoding="utf-8")
        return
    for name, text in case.expected.items():
        assert results.get(name) == text, f"{name}; if the change is meant: {UPDATE}"
    assert results.keys() == case.expected.keys()


@pytest.mark.parametrize(
    "path",
    [path for path in all_cases() if "\n=== probe\n" in path.read_text(encoding="utf-8")],
    ids=lambda path: f"{path.parent.name}/{path.stem}",
)
def test_a_project_means_what_python_means(path: Path, tmp_path: Path) -> None:
    probed = probe_case(load_case(path), tmp_path)
    assert probed
    for line, got, want in probed:
        decided = line.partition("# not")[2].strip()
        assert want == decided if decided else got == want, f"{line}: {got} for {want}"
        assert not decided or got != want, f"{line}: Python says the same"
