"""Compare rewritten processors with their originals: ``python -m codegen verify --processors``.

Each tree is imported in a process of its own, where its processors are built without any download and
called on generated prompts (``worker.py``), in the manner that is found out on the original
(``manner.py``). What is compared are the texts that reach the tokenizer, everything that is returned, and
errors; what the placeholders of single items become has to predict batches; and the rewritten processors
have to keep the contract of ``codegen.verify.contract``, or there is a reason.
"""

from __future__ import annotations

from codegen.verify.processors.compare import ProcessorResult, compare
from codegen.verify.processors.processes import ProcessorOptions, record
from codegen.verify.processors.table import format_processors

__all__ = ["ProcessorOptions", "ProcessorResult", "compare", "format_processors", "record"]
