"""Syntax trees of texts; a text that several stages ask for in a row is parsed once."""

from __future__ import annotations

import ast
import warnings
from functools import lru_cache


@lru_cache(maxsize=16)
def parse_module(text: str) -> ast.Module | None:
    """The tree of a module, None where it does not parse. Nobody may change it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None
