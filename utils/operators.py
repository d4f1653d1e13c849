"""Operators of the helpers: functions that graphs keep as they are, opaque to the compiler.

Every copy of the helpers in a process shares them: the first copy registers. A name carries a
version, which has to change with what the operator means.
"""

from collections.abc import Callable
from typing import Any

import torch

OPERATOR_NAMESPACE = "encoder_helpers"

KEEP_IN_EXPORTS = False
"""Set to True, `torch.export` keeps the operators, too: for programs that only torch runs, in
processes that have the helpers loaded."""


def register_operator(
    name: str,
    schema: str,
    kernel: Callable[..., Any],
    fake: Callable[..., Any],
    autograd: tuple[Callable[..., Any], Callable[..., None]] | None = None,
) -> Any:
    """Return the operator of this process, registered now unless a copy of the helpers has done so.

    Args:
        name: with its version.
        schema: arguments and results, as torch writes them.
        kernel: computes the results, on any device.
        fake: returns results of the right shapes and strides.
        autograd: what returns the gradients, and what keeps what it needs in a context.
    """
    operators = getattr(torch.ops, OPERATOR_NAMESPACE)
    if not hasattr(operators, name):
        qualified = f"{OPERATOR_NAMESPACE}::{name}"
        tags = [torch.Tag.pt2_compliant_tag]
        if hasattr(torch.Tag, "cudagraph_unsafe"):  # kernels may read values on the host
            tags.append(torch.Tag.cudagraph_unsafe)
        # What is registered through these functions lives as long as the process.
        torch.library.define(qualified, schema, tags=tags)
        torch.library.impl(qualified, "default", kernel)
        torch.library.register_fake(qualified, fake)
        if autograd is not None:
            torch.library.register_autograd(qualified, autograd[0], setup_context=autograd[1])
    return getattr(operators, name).default


def is_compiled_for_torch() -> bool:
    """Tell whether a graph is made that torch alone will run: by `torch.compile`, or on request."""
    if not torch.compiler.is_compiling() or KEEP_IN_EXPORTS:
        return torch.compiler.is_compiling()
    # Not `torch.compiler.is_exporting()`: releases before 2.13 answer True wherever dynamo traces.
    found = getattr(torch.compiler, "_is_exporting_flag", None)
    return found is not None and not found
