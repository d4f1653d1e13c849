"""Processors of transformers that the contract of ``codegen.verify.contract`` does not fit, and why.

For the processor tests of that library: ``exceptions = TRANSFORMERS``. ``verify --processors`` tells such processors
by what they do, whatever they are called.
"""

from __future__ import annotations

from collections.abc import Mapping

_TEXT_OR_IMAGES = "takes texts or images, never both: it has no placeholder to expand"
TRANSFORMERS: Mapping[str, str] = {
    "ColPaliProcessor": _TEXT_OR_IMAGES,
    "ColQwen2Processor": _TEXT_OR_IMAGES,
    "ColModernVBertProcessor": _TEXT_OR_IMAGES,
    "MllamaProcessor": "an image stays one token, which the text reaches by cross-attention",
}
"""Reasons by the name of a class; its children inherit them."""
