"""Plugin of pytest: how long each test took that passed, and which failed and why.

Written as JSON (``seconds`` by test, ``failed``) to the file that MUTATION_DURATIONS names.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

_SECONDS = Counter[str]()
_FAILED: dict[str, str] = {}


def pytest_runtest_logreport(report: Any) -> None:
    """Add up setup, call and teardown."""
    _SECONDS[report.nodeid] += report.duration
    if report.failed:
        _FAILED[report.nodeid] = _reason(report)


def pytest_collectreport(report: Any) -> None:
    """A file that cannot be read counts as one failed test."""
    if report.failed:
        _FAILED[report.nodeid] = _reason(report)


def _reason(report: Any) -> str:
    said = [line for line in report.longreprtext.split("\n") if line.startswith("E ")]
    return said[0][1:].strip() if said else ""


def pytest_sessionfinish() -> None:
    """Write what was measured."""
    passed = {test: spent for test, spent in _SECONDS.items() if test not in _FAILED}
    text = json.dumps({"seconds": passed, "failed": _FAILED})
    Path(os.environ["MUTATION_DURATIONS"]).write_text(text, encoding="utf-8")
