"""What a source file may not contain if it is to be expanded; found before anything is built."""

from __future__ import annotations

import re

from codegen.errors import fail
from codegen.expansion.model import ParsedModule
from codegen.text.imports import ImportGuard

_COPIED = "# Copied from"


def check_imports(module: ParsedModule) -> None:
    """Refuse star imports: which names they bring, and so who needs them, cannot be told."""
    for entry in module.imports:
        for statement in entry.body if isinstance(entry, ImportGuard) else (entry,):
            if any(name.name == "*" for name in statement.names):
                raise fail(
                    "unsupported-import",
                    f"star import from {statement.module}",
                    module.source.path,
                    statement.line,
                    "list the names that the file needs",
                )


def check_parent(parent: ParsedModule) -> None:
    """Refuse what cannot be copied from a parent under other names."""
    check_imports(parent)
    text = parent.source.text
    if not re.search(rf"[\"'][^\n]*{_COPIED}", text):
        return
    for start, end in parent.lexed.strings:
        if _COPIED in text[start:end]:
            raise fail(
                "copied-from-string",
                f'a string contains the mark "{_COPIED}", which copies drop',
                parent.source.path,
                text.count("\n", 0, text.index(_COPIED, start)) + 1,
                "write the string in two parts",
            )
