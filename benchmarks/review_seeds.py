"""Edits of a whole release like those of a library's history, each with the risks that it carries.

Every edit is made in what people write: roots that many models inherit from, or all of them.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Seed:
    """A named edit: path and text of a source give its new text. ``risks`` are the kinds that have
    to be told, and the only ones that may be. ``files`` come (with this text) or go (None), a folder of
    a model as a whole; paths are relative to that of all models."""

    name: str
    edit: Callable[[str, str], str]
    risks: frozenset[str] = frozenset()
    files: Mapping[str, str | None] = field(default_factory=dict)


def _in(file: str, *pairs: tuple[str, str], times: int = 1) -> Callable[[str, str], str]:
    def edit(path: str, text: str) -> str:
        if not path.endswith(file):
            return text
        for old, new in pairs:
            text = text.replace(old, new, times)
        return text

    return edit


_FORWARD = re.compile(
    r"(class \w+(?:Attention|Attn)\([^)]*\):\n(?:(?!class ).*\n)*?"
    r"    def forward\(\n(?:        .*\n)*?)(        \*\*kwargs)"
)


def _thread_argument(path: str, text: str) -> str:
    """Give the attention of every model a further argument."""
    if not re.search(r"/(?:modeling|modular)_\w+\.py$", path):
        return text
    return _FORWARD.sub(r"\1        attention_temperature: float | None = None,\n\2", text)


def _replace_decorator(path: str, text: str) -> str:
    """Put another decorator, imported from the same place, on everything that has the old one."""
    if not re.search(r"/(?:modeling|modular)_\w+\.py$", path):
        return text
    return re.sub(r"\bcan_return_tuple\b", "may_return_tuple", text)


def _move_method(path: str, text: str) -> str:
    """Put the last method of a root class in front of another one."""
    if not path.endswith("modeling_llama.py"):
        return text
    start = text.index("    def extra_repr(self)")
    end = text.index("\n\n\n", start) + 1
    method, rest = text[start:end], text[: start - 1] + text[end:]
    before = (
        "    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:\n        input_dtype"
    )
    return rest.replace(before, f"{method}\n{before}", 1)


_GATE = """\
class LlamaGate(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(config.hidden_size))

    def forward(self, hidden_states):
        return hidden_states * self.scale


"""

SEEDS = (
    Seed(
        "root method changed",
        _in(
            "modeling_llama.py",
            ("softmax(attn_weights, dim=-1, dtype=torch.float32)", "softmax(attn_weights, dim=-1)"),
        ),
        frozenset({"numerics"}),
    ),
    Seed("argument threaded", _thread_argument),
    Seed(
        "decorator added",
        _in(
            "modeling_llama.py",
            ("def apply_rotary_pos_emb(", "@torch.compiler.disable\ndef apply_rotary_pos_emb("),
        ),
        frozenset({"decorator"}),
    ),
    Seed(
        "attribute renamed",
        _in("modeling_llama.py", ("self.variance_epsilon", "self.epsilon"), times=9),
        frozenset({"undefined"}),  # of the classes that read it in methods of their own
    ),
    Seed(
        "docstring",
        _in("modeling_llama.py", ("Rotates half the hidden", "Rotates one half of the hidden")),
    ),
    Seed(
        "signature of a function",
        _in(
            "modeling_llama.py",
            ("cos, sin, unsqueeze_dim=1)", "cos, sin, heads_dim=1)"),
            (".unsqueeze(unsqueeze_dim)", ".unsqueeze(heads_dim)"),
            (".unsqueeze(unsqueeze_dim)", ".unsqueeze(heads_dim)"),
        ),
        frozenset({"signature"}),
    ),
    Seed(
        "class added",
        _in(
            "modeling_llama.py",
            ("class LlamaMLP(", f"{_GATE}class LlamaMLP("),
            (
                "        self.act_fn = ACT2FN[config.hidden_act]\n",
                "        self.act_fn = ACT2FN[config.hidden_act]\n"
                "        self.gate = LlamaGate(config)\n",
            ),
            ("(self.gate_proj(x)) * self", "(self.gate_proj(self.gate(x))) * self"),
        ),
        # Some models have a constructor or a `forward` of their own.
        frozenset({"state-dict", "dead-weight", "undefined"}),
    ),
    Seed(
        "config default",
        _in(
            "configuration_llama.py",
            ("max_position_embeddings: int = 2048", "max_position_embeddings: int = 4096"),
        ),
        frozenset({"config"}),
    ),
    Seed("method moved", _move_method),
    Seed("decorator replaced everywhere", _replace_decorator, frozenset({"decorator"})),
)


def seeded(base: Path, target: Path, seed: Seed) -> Iterator[str]:
    """Make an edit on a copy of a release; gives the files that it changes."""
    shutil.copytree(base, target)
    for path in sorted(target.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "automatically generated" in text[:900]:
            continue
        new = seed.edit(path.as_posix(), text)
        if new != text:
            path.write_text(new, encoding="utf-8")
            yield path.name
    for name, content in seed.files.items():
        place = target / "transformers/models" / name
        if content is None:
            shutil.rmtree(place)
        else:
            place.parent.mkdir()
            place.write_text(content, encoding="utf-8")
        yield name
