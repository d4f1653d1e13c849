"""Further edits of a whole release, each of a kind that the library's history has many times.

They are made in what people write; ``risks`` are the kinds that have to be told, and the only ones
that may be. New models and deleted ones are files that come and go (``Seed.files``).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from benchmarks.review_seeds import Seed

CODE = re.compile(r"/(?:modeling|modular)_\w+\.py$")


def everywhere(*pairs: tuple[str, str]) -> Callable[[str, str], str]:
    """Replace patterns in the code of all models."""
    compiled = [(re.compile(pattern, re.M), new) for pattern, new in pairs]

    def edit(path: str, text: str) -> str:
        for pattern, new in compiled if CODE.search(path) else ():
            text = pattern.sub(new, text)
        return text

    return edit


def inside(file: str, *pairs: tuple[str, str]) -> Callable[[str, str], str]:
    """Replace texts that stand once in one file."""

    def edit(path: str, text: str) -> str:
        if not path.endswith(f"/{file}"):
            return text
        for old, new in pairs:
            assert text.count(old) == 1, (file, old)
            text = text.replace(old, new)
        return text

    return edit


_LAYER = re.compile(r"^class \w+DecoderLayer\(.*?(?=^\S|\Z)", re.M | re.S)


def _drop_argument(path: str, text: str) -> str:
    """Take an argument out of the decoder layers of every model; what they call gets it no more."""
    if not CODE.search(path):
        return text

    def layer(match: re.Match[str]) -> str:
        lines = match[0].split("\n")
        parameter = re.compile(r"        use_cache: .* = \w+,$")
        handed = re.compile(r" +use_cache=use_cache,$")
        if not any(map(parameter.match, lines)) or match[0].count("use_cache") > 3:
            return match[0]  # it is used otherwise, or documented
        kept = (each for each in lines if not parameter.match(each) and not handed.match(each))
        return "\n".join(kept)

    return _LAYER.sub(layer, text)


_COPYRIGHT = re.compile(r"^# Copyright 20\d\d ", re.M)


def _new_year(path: str, text: str) -> str:
    return _COPYRIGHT.sub("# Copyright 2031 ", text, count=1)


_THREE = '''\
# Copyright 2031 the authors of trillium. All rights reserved.
"""Trillium: attention, experts and norms of three others."""

from torch import nn

from ..llama.modeling_llama import LlamaAttention
from ..mistral.modeling_mistral import MistralMLP
from ..qwen2.modeling_qwen2 import Qwen2RMSNorm


class TrilliumRMSNorm(Qwen2RMSNorm):
    pass


class TrilliumMLP(MistralMLP):
    pass


class TrilliumAttention(LlamaAttention):
    def __init__(self, config, layer_idx: int):
        super().__init__(config, layer_idx)
        self.q_norm = TrilliumRMSNorm(self.head_dim)


class TrilliumBlock(nn.Module):
    def __init__(self, config, layer_idx: int):
        super().__init__()
        self.attention = TrilliumAttention(config, layer_idx)
        self.mlp = TrilliumMLP(config)


__all__ = ["TrilliumBlock"]
'''

_GATED = """\
class LlamaGatedUnit(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=config.mlp_bias)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=config.mlp_bias)
        self.act_fn = ACT2FN[config.hidden_act]

    def forward(self, x):
        return self.act_fn(self.gate_proj(x)) * self.up_proj(x)


class LlamaMLP("""

HISTORY = (
    Seed("argument removed from layers", _drop_argument, frozenset({"signature"})),
    Seed(
        "annotation modernised everywhere", everywhere((r"\btorch\.LongTensor\b", "torch.Tensor"))
    ),
    Seed(
        "helper moved to a file of the library",
        inside(
            "modeling_llama.py",
            (
                '''def rotate_half(x):
    """Rotates half the hidden dims of the input."""
    x1 = x[..., : x.shape[-1] // 2]
    x2 = x[..., x.shape[-1] // 2 :]
    return torch.cat((-x2, x1), dim=-1)


''',
                "",
            ),
            (
                "from ...modeling_rope_utils import ROPE_INIT_FUNCTIONS, dynamic_rope_update\n",
                "from ...modeling_rope_utils import ROPE_INIT_FUNCTIONS, dynamic_rope_update, rotate_half\n",
            ),
        ),
        # ernie4_5 and lightglue have another function of that name, which the import takes the place of.
        frozenset({"lost-override"}),
    ),
    Seed(
        "mixin added",
        inside(
            "modeling_llama.py",
            ("class LlamaMLP(nn.Module):", "class LlamaMLP(nn.Module, KernelMixin):"),
            (
                "from ...modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel\n",
                "from ...modeling_utils import ALL_ATTENTION_FUNCTIONS, KernelMixin, PreTrainedModel\n",
            ),
        ),
        frozenset({"base"}),
    ),
    Seed(
        "interface renamed everywhere",
        everywhere((r"\bALL_ATTENTION_FUNCTIONS\b", "ATTENTION_INTERFACES")),
    ),
    Seed(
        "parameter moved into a dict of the configuration",
        everywhere((r"\bconfig\.attention_dropout\b", 'config.attention_parameters["dropout"]')),
    ),
    Seed("copyright header", _new_year),
    Seed("model added", lambda path, text: text, files={"trillium/modular_trillium.py": _THREE}),
    Seed("model deleted", lambda path, text: text, files={"camembert": None, "cwm": None}),
    Seed(
        "class split in two",
        inside(
            "modeling_llama.py",
            ("class LlamaMLP(", _GATED),
            (
                "        self.gate_proj = nn.Linear(self.hidden_size, self.intermediate_size, bias=config.mlp_bias)\n"
                "        self.up_proj = nn.Linear(self.hidden_size, self.intermediate_size, bias=config.mlp_bias)\n",
                "        self.unit = LlamaGatedUnit(config)\n",
            ),
            (
                "        self.act_fn = ACT2FN[config.hidden_act]\n\n    def forward(self, x):\n        down",
                "\n    def forward(self, x):\n        down",
            ),
            (
                "self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))",
                "self.down_proj(self.unit(x))",
            ),
        ),
        # Models with a constructor of their own make no unit: there the product is gone, too.
        frozenset({"state-dict", "undefined", "dead-weight", "lost-override", "numerics"}),
    ),
    Seed(
        "decorator with an argument",
        everywhere(
            (
                r"^    @can_return_tuple\n    @auto_docstring\n",
                "    @can_return_tuple\n    @auto_docstring(checkpoint=None)\n",
            )
        ),
        frozenset({"decorator"}),
    ),
    Seed(
        "argument documented",
        inside(
            "modeling_llama.py",
            (
                "        k (`torch.Tensor`): The key tensor.\n",
                "        k (`torch.Tensor`): The key tensor, with as many heads as it has groups.\n",
            ),
        ),
    ),
)
