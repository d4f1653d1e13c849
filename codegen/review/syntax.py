"""Syntax trees of texts; a text that several stages ask for is parsed once."""

from __future__ import annotations

import ast
import warnings
from functools import lru_cache

#: Lineages hold on to the classes of what they have read anyway: keeping whole modules costs little more.
_KEPT = 4096


@lru_cache(maxsize=_KEPT)
def parse_module(text: str) -> ast.Module | None:
    """The tree of a module, None where it does not parse. Nobody may change it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None
