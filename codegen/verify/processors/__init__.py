"""Compare rewritten processors with their originals: ``python -m codegen verify --processors``.

Each tree is imported in a process of its own, where its processors are built without any download and
called on generated prompts (``worker.py``). What is compared are the texts that reach the tokenizer, everything that
is returned, and errors; and what the placeholders of single items become has to predict batches.
"""

from __future__ import annotations

from codegen.verify.processors.compare import ProcessorResult, compare, format_processors
from codegen.verify.processors.processes import ProcessorOptions, record

__all__ = ["ProcessorOptions", "ProcessorResult", "compare", "format_processors", "record"]
