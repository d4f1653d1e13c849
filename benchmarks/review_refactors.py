"""Large refactors as the library's history has them: what was passed on, returned, decorated or inherited one
way is so in another. Half of them are made in roots that many models inherit from, half in all models.
"""

from __future__ import annotations

import re

from benchmarks.review_history import CODE, everywhere, inside
from benchmarks.review_seeds import Seed

_IMPORTED = re.compile(r"^(?=from \.)", re.M)


def _imported(text: str, line: str) -> str:
    """The text with a further import, in front of the first relative one."""
    return _IMPORTED.sub(f"{line}\n", text, count=1)


_TWO = re.compile(r"^    @merge_with_config_defaults\n    @capture_outputs\b", re.M)
_MERGE = ("merge_with_config_defaults", "check_model_inputs")


def _join_decorators(path: str, text: str) -> str:
    """Put one decorator in the place of two; imports follow, where others still need the old ones, too."""
    if not CODE.search(path) or not _TWO.search(text):
        return text
    text = _TWO.sub("    @check_model_inputs", text)
    if "@merge_with_config_defaults" in text:
        text = _imported(text, "from ...utils.generic import check_model_inputs")
    else:
        text = re.sub(rf"\b{_MERGE[0]}\b", _MERGE[1], text)
    if "@capture_outputs" not in text:
        text = text.replace("from ...utils.output_capturing import capture_outputs\n", "")
        text = text.replace("import OutputRecorder, capture_outputs", "import OutputRecorder")
    return text


_RETURNED = re.compile(r"-> tuple\[torch\.Tensor, torch\.Tensor \| None\]:$", re.M)
_ATTENTION = re.compile(r"^class \w+(?:Attention|Attn)\(.*?(?=^\S|\Z)", re.M | re.S)


def _name_what_attention_returns(path: str, text: str) -> str:
    """Write an alias, imported from one place, for what attention returns."""
    if not CODE.search(path):
        return text
    new = _ATTENTION.sub(lambda match: _RETURNED.sub("-> AttentionOutput:", match[0]), text)
    return _imported(new, "from ...utils.typing import AttentionOutput") if new != text else text


_ALIASED = re.compile(r"^    (?:_tied_weights_keys) = (\{[^{}]*\})$", re.M)


def _list_tied_weights(path: str, text: str) -> str:
    """Name tied weights alone, and no longer what they are tied to."""
    if not CODE.search(path):
        return text

    def listed(match: re.Match[str]) -> str:
        keys = re.findall(r"^ *(\"[^\"]+\"):|[{,] *(\"[^\"]+\"):", match[1], re.M)
        return f"    _tied_weights_keys = [{', '.join(one or two for one, two in keys)}]"

    return _ALIASED.sub(listed, text)


_ROOTS = ("modeling_llama", "modular_mistral", "modular_qwen2", "modular_gemma", "modular_gemma2")


def _other_output(path: str, text: str) -> str:
    """Let roots return another class, with a field more."""
    if not path.endswith(tuple(f"/{name}.py" for name in _ROOTS)):
        return text
    text = re.sub(r"\bBaseModelOutputWithPast\b", "DecoderModelOutput", text)
    return text.replace(
        "(\n            last_hidden_state=hidden_states,\n",
        "(\n            last_hidden_state=hidden_states,\n            position_ids=position_ids,\n",
    )


_CALLED = """\
            hidden_states = decoder_layer(
                hidden_states,
                attention_mask=causal_mask,
                position_embeddings=position_embeddings,
"""
_CHECKPOINTED = """\
            hidden_states = self.run_layer(
                decoder_layer,
                hidden_states,
                attention_mask=causal_mask,
                position_embeddings=position_embeddings,
"""
_ROPE_INIT = """\
        rope_init_fn: Callable = self.compute_default_rope_parameters
        if self.rope_type != "default":
            rope_init_fn = ROPE_INIT_FUNCTIONS[self.rope_type]
        inv_freq, self.attention_scaling = rope_init_fn(self.config, device)
"""
_ROPE_NOW = """\
        self.rope_init_fn = ROPE_INIT_FUNCTIONS[self.rope_type]
        inv_freq, self.attention_scaling = self.rope_init_fn(self.config, device)
"""
_ROPE_DEVICE = re.compile(r"^        device_type = x\.device\.type if .*\n", re.M)


def _rotary_by_table(path: str, text: str) -> str:
    """Take the default frequencies from the library's table, too, and the type of a device as it is."""
    if not path.endswith("/modeling_llama.py"):
        return text
    assert _ROPE_INIT in text
    text = _ROPE_DEVICE.sub("", text.replace(_ROPE_INIT, _ROPE_NOW), count=1)
    return text.replace(
        "(device_type=device_type, enabled", "(device_type=x.device.type, enabled", 1
    )


_ROTARY_DOC = re.compile(
    r"\"\"\"Applies Rotary Position Embedding to the query and key tensors\.\n.*?\"\"\"", re.S
)


def _short_docstring(path: str, text: str) -> str:
    """Say in one line what a function does that many models have."""
    if not path.endswith("/modeling_llama.py"):
        return text
    return _ROTARY_DOC.sub('"""Turns queries and keys by their positions."""', text, count=1)


REFACTORS = (
    Seed("two decorators become one", _join_decorators, frozenset({"decorator"})),
    Seed(
        "keyword of an interface renamed everywhere",
        everywhere(
            (r"^    dropout: (.*),$", r"    dropout_rate: \1,"),
            (r"\bp=dropout, training=module\.training", "p=dropout_rate, training=module.training"),
            (
                r"^( +)dropout=0\.0 if not self\.training",
                r"\1dropout_rate=0.0 if not self.training",
            ),
        ),
        frozenset({"signature"}),
    ),
    Seed("alias of a type everywhere", _name_what_attention_returns),
    Seed("dictionary of a class becomes a list", _list_tied_weights),
    Seed("output class of roots", _other_output),
    Seed(
        "layers run by their model",
        inside(
            "modeling_llama.py",
            ("    GradientCheckpointingLayer,\n", ""),
            (
                "class LlamaDecoderLayer(GradientCheckpointingLayer):",
                "class LlamaDecoderLayer(nn.Module):",
            ),
            (_CALLED, _CHECKPOINTED),
        ),
        frozenset({"base"}),
    ),
    Seed("rotary frequencies from a table", _rotary_by_table),
    Seed("docstring rewritten", _short_docstring),
    Seed(
        "mixin extracted",
        inside(
            "modeling_llama.py",
            ("class LlamaRMSNorm(nn.Module):", "class LlamaRMSNorm(NormReprMixin, nn.Module):"),
            (
                '    def extra_repr(self):\n        return f"{tuple(self.weight.shape)}, eps={self.variance_epsilon}"\n',
                "",
            ),
            (
                "    GradientCheckpointingLayer,\n",
                "    GradientCheckpointingLayer,\n    NormReprMixin,\n",
            ),
        ),
        frozenset({"base"}),
    ),
)
