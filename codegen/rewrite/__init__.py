"""Rewrite passes: make vision and audio forwards accept precomputed tensors and capturable.

They work on the text of definitions and hand-written modeling files before expansion, so that every
model that inherits gets the change through expansion.
"""

from __future__ import annotations

from codegen.rewrite.registry import PASSES, rewrite_library
from codegen.rewrite.values import Library, Record, RewriteResult, Settings, Source

__all__ = [
    "PASSES",
    "Library",
    "Record",
    "RewriteResult",
    "Settings",
    "Source",
    "rewrite_library",
]
