"""Compare rewritten encoders with their originals: ``python -m codegen verify``.

The original and the rewritten tree are imported in separate processes; the rewritten files overlay the
original package through an import hook, so that nothing installed is touched.
"""

from __future__ import annotations

from codegen.verify.cases import Case, load_cases
from codegen.verify.processes import (
    CheckResult,
    VerifyOptions,
    absent_models,
    format_table,
    verify,
)

__all__ = [
    "Case",
    "CheckResult",
    "VerifyOptions",
    "absent_models",
    "format_table",
    "load_cases",
    "verify",
]
