"""Option that re-records golden files, unless the root conftest already has it."""

from __future__ import annotations

import contextlib

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    with contextlib.suppress(ValueError):
        parser.addoption("--update-golden", action="store_true", help="record golden files anew")
