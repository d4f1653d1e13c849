"""Risky edits of one definition, each beside a harmless one of the same place.

Every seed is a class (or function) of its own, so that all of them can be made in one project.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Seed:
    """A piece of a definition, what takes the place of ``old`` in the risky and the harmless state.

    ``kind`` is the risk, ``said`` a part of its message, ``name`` that of the class or function
    without the model. ``heir``: the body of the heir's class in beta, if it has one.
    """

    name: str
    kind: str
    said: str
    text: str
    old: str
    risky: str
    harmless: str
    heir: str = ""


def _module(name: str, init: str, forward: str = "return self.made(x)", head: str = "") -> str:
    body = "\n".join(f"        {line}" for line in init.split("\n"))
    rest = "\n".join(f"        {line}" for line in forward.split("\n"))
    return (
        f"class Alpha{name}(nn.Module):\n{head}    def __init__(self, config):\n"
        f"        super().__init__()\n{body}\n\n    def forward(self, x):\n{rest}\n"
    )


SEEDS = (
    Seed(
        "Kept",
        "state-dict",
        "key grid (buffer) comes into the state dict",
        _module(
            "Kept",
            'self.register_buffer("grid", torch.zeros(4), persistent=False)',
            "return x + self.grid",
        ),
        "torch.zeros(4), persistent=False",
        "torch.zeros(4)",
        "torch.zeros(8), persistent=False",
    ),
    Seed(
        "Grown",
        "state-dict",
        "(size 4) becomes (size 8)",
        _module(
            "Grown",
            'count = 4\nself.register_buffer("grid", torch.zeros(count))',
            "return x + self.grid",
        ),
        "count = 4\n",
        "count = 8\n",
        "number = 4\n        count = number\n",
    ),
    Seed(
        "Values",
        "state-dict",
        "becomes nn.Parameter(torch.ones(2 * config.width))",
        _module("Values", "self.made = nn.Parameter(torch.ones(config.width))", "return self.made"),
        "torch.ones(config.width)",
        "torch.ones(2 * config.width)",
        "torch.zeros(config.width)",
    ),
    Seed(
        "Local",
        "state-dict",
        "Local: made: (in_features=",
        _module("Local", "inner = 4 * config.width\nself.made = nn.Linear(config.width, inner)"),
        "inner = 4 * config.width",
        "inner = 6 * config.width",
        "width = config.width\n        inner = 4 * config.width",
    ),
    Seed(
        "Bias",
        "state-dict",
        "Bias: made: nn.Linear(",
        _module("Bias", "self.made = nn.Linear(config.width, config.width)"),
        "nn.Linear(config.width, config.width)",
        "nn.Linear(config.width, config.width, bias=False)",
        "nn.Linear(in_features=config.width, out_features=config.width, bias=True)",
    ),
    Seed(
        "Attribute",
        "state-dict",
        "Attribute: made: (in_features=",
        _module(
            "Attribute",
            "self.made = nn.Linear(config.width, config.width, bias=self.has_bias)",
            head="    has_bias = True\n\n",
        ),
        "    has_bias = True\n",
        "    has_bias = False\n",
        "    has_bias: bool = True\n",
    ),
    Seed(
        "Stack",
        "state-dict",
        "range(config.depth + 1)",
        _module(
            "Stack",
            "self.made = nn.ModuleList([nn.Linear(4, 4) for _ in range(config.depth)])",
            "return self.made[0](x)",
        ),
        "for _ in range(config.depth)",
        "for _ in range(config.depth + 1)",
        "for i in range(config.depth)",
    ),
    Seed(
        "Chain",
        "state-dict",
        "nn.Linear(4, 8)",
        _module("Chain", "self.made = nn.Sequential(nn.Linear(4, 4), nn.GELU())"),
        "nn.Linear(4, 4), nn.GELU()",
        "nn.Linear(4, 8), nn.GELU()",
        "nn.Linear(4, 4), nn.SiLU()",
    ),
    Seed(
        "Norm",
        "numerics",
        "0.001 came",
        _module("Norm", "self.made = nn.LayerNorm(config.width, eps=1e-5)"),
        "eps=1e-5",
        "eps=1e-3",
        "1e-5",
    ),
    Seed(
        "Dead",
        "dead-weight",
        "assigns spare (nn.Linear), which nobody reads any more",
        _module(
            "Dead",
            "self.made = nn.Linear(4, 4)\nself.spare = nn.Linear(4, 4)",
            "x = self.spare(x)\nreturn self.made(x)",
        ),
        "        x = self.spare(x)\n        return self.made(x)",
        "        return self.made(x)",
        "        return self.made(self.spare(x))",
    ),
    Seed(
        "Order",
        "signature",
        "arguments in another order: x, scale, shift",
        "class AlphaOrder:\n    def run(self, x, shift, scale):\n        return x\n",
        "x, shift, scale",
        "x, scale, shift",
        "x, shift, scale, extra=None",
    ),
    Seed(
        "Needed",
        "signature",
        "argument scale is new and has no default",
        "class AlphaNeeded:\n    def run(self, x):\n        return x\n",
        "def run(self, x)",
        "def run(self, x, scale)",
        "def run(self, x: float) -> float",
    ),
    Seed(
        "Dropped",
        "signature",
        "argument scale is removed",
        "class AlphaDropped:\n    def run(self, x, scale=None):\n        return x\n",
        "x, scale=None",
        "x",
        "x, scale=None, shift=None",
    ),
    Seed(
        "Named",
        "signature",
        "argument scale is keyword-only now",
        "class AlphaNamed:\n    def run(self, x, scale=None):\n        return x\n",
        "x, scale=None",
        "x, *, scale=None",
        "x, scale=None, *, shift=None",
    ),
    Seed(
        "Call",
        "signature",
        "scale=1.0 becomes scale=2.0",
        "class AlphaCall:\n    def run(self, x, scale=1.0):\n        return x\n",
        "scale=1.0",
        "scale=2.0",
        "scale: float = 1.0",
    ),
    Seed(
        "Lost",
        "signature",
        "method Lost.second is gone",
        "class AlphaLost:\n    def first(self):\n        return 1\n\n"
        "    def second(self):\n        return 2\n",
        "    def first(self):\n        return 1\n\n    def second(self):\n        return 2\n",
        "    def first(self):\n        return 1\n",
        "    def second(self):\n        return 2\n\n    def first(self):\n        return 1\n",
    ),
    Seed(
        "Decorated",
        "decorator",
        "@torch.no_grad() is gone",
        "class AlphaDecorated:\n    @torch.no_grad()\n    def run(self):\n        return 1\n",
        "    @torch.no_grad()\n",
        "",
        "    # Nothing is learned here.\n    @torch.no_grad()\n",
    ),
    Seed(
        "Based",
        "base",
        "(nn.Module) become (nn.Identity)",
        "class AlphaBased(nn.Module):\n    def run(self):\n        return 1\n",
        "(nn.Module)",
        "(nn.Identity)",
        "(nn.Module)",
    ),
    Seed(
        "Total",
        "numerics",
        "softmax() came",
        "class AlphaTotal:\n    def run(self, x):\n        return self.rest(x)\n\n"
        "    def rest(self, x):\n        return x.tanh() / 7.0\n",
        "        return self.rest(x)\n\n    def rest(self, x):\n        return x.tanh() / 7.0\n",
        "        return self.rest(x).softmax(-1)\n\n"
        "    def rest(self, x):\n        return x.tanh() / 7.0\n",
        "        return self.rest(x) / 7.0\n\n    def rest(self, x):\n        return x.tanh()\n",
    ),
    Seed(
        "Read",
        "undefined",
        "reads self.width, which nothing assigns any more",
        "class AlphaRead:\n    def __init__(self):\n        self.width = 4\n        self.depth = 2\n\n"
        "    def run(self):\n        return self.width\n",
        "        self.width = 4\n        self.depth = 2\n",
        "        self.depth = 2\n",
        "        self.depth = 2\n        self.width = 4\n",
    ),
    Seed(
        "Over",
        "lost-override",
        "BetaOver overrides widen, which AlphaOver no longer has",
        "class AlphaOver:\n    def widen(self):\n        return 1\n\n"
        "    def run(self):\n        return self.widen()\n",
        "    def widen(self):\n        return 1\n\n    def run(self):\n        return self.widen()\n",
        "    def run(self):\n        return 1\n",
        "    def widen(self):\n        return int(1)\n\n    def run(self):\n        return self.widen()\n",
        "    def widen(self):\n        return 3\n",
    ),
    Seed(
        "Marked",
        "lost-deletion",
        "BetaMarked deletes widen, which AlphaMarked no longer has",
        "class AlphaMarked:\n    def widen(self):\n        return 1\n\n"
        "    def run(self):\n        return 1\n",
        "    def widen(self):\n        return 1\n\n    def run",
        "    def run",
        "    def widen(self):\n        return int(1)\n\n    def run",
        '    def widen(self):\n        raise AttributeError("no widening here")\n',
    ),
    Seed(
        "Erased",
        "lost-deletion",
        "BetaErased deletes spare, which AlphaErased no longer has",
        "class AlphaErased:\n    def __init__(self):\n        self.spare = 1\n        self.kept = 2\n\n"
        "    def run(self):\n        return self.kept\n",
        "        self.spare = 1\n        self.kept = 2\n",
        "        self.kept = 2\n",
        "        self.kept = 2\n        self.spare = int(1)\n",
        "    def __init__(self):\n        super().__init__()\n        del self.spare\n",
    ),
    Seed(
        "FieldConfig",
        "config",
        "depth = 2 becomes 3",
        "class AlphaFieldConfig:\n    depth: int = 2\n",
        "    depth: int = 2\n",
        "    depth: int = 3\n",
        "    depth: int | None = 2\n    width: int = 4\n",
    ),
    Seed(
        "GoneConfig",
        "config",
        "field depth is gone",
        "class AlphaGoneConfig:\n    width: int = 2\n    depth: int = 2\n",
        "    width: int = 2\n    depth: int = 2\n",
        "    width: int = 2\n",
        "    depth: int = 2\n    width: int = 2\n",
    ),
    Seed(
        "scaled",
        "signature",
        "scaled: argument by becomes factor",
        "def alpha_scaled(x, by):\n    return x * by\n",
        "(x, by):\n    return x * by",
        "(x, factor):\n    return x * factor",
        '(x, by):\n    """Scale."""\n    return x * by',
    ),
    Seed(
        "left",
        "public-name",
        "function alpha_left is gone",
        "def alpha_left(x):\n    return x\n\n\ndef _private(x):\n    return x\n",
        "def alpha_left(x):\n    return x\n\n\ndef _private(x):\n    return x\n",
        "def _private(x):\n    return x\n",
        "def alpha_left(x):\n    return x\n",
    ),
    Seed(
        "__all__",
        "public-name",
        "AlphaOrder is no longer in __all__",
        '__all__ = ["AlphaOrder", "AlphaNeeded"]\n',
        '["AlphaOrder", "AlphaNeeded"]',
        '["AlphaNeeded"]',
        '["AlphaNeeded", "AlphaOrder"]',
    ),
)


def definitions(state: str) -> dict[str, str]:
    """The definitions alpha and beta with all seeds in one state: text, risky or harmless."""
    head = '"""Alpha."""\n\nimport torch\nfrom torch import nn\n'
    parts = [head]
    for seed in SEEDS:
        assert seed.text.count(seed.old) == 1, seed.name
        new = seed.old if state == "text" else getattr(seed, state)
        parts.append(seed.text.replace(seed.old, new))
    classes = [seed for seed in SEEDS if seed.text.startswith("class ")]
    imports = [
        f"from ..alpha.{kind}_alpha import Alpha{seed.name}"
        for seed in classes
        for kind in ("configuration" if seed.name.endswith("Config") else "modeling",)
    ]
    beta = ['"""Beta."""\n\n' + "\n".join(imports) + "\n"]
    beta += [
        f"class Beta{seed.name}(Alpha{seed.name}):\n{seed.heir or '    pass' + chr(10)}"
        for seed in classes
    ]
    return {"alpha": "\n\n".join(parts), "beta": "\n\n".join(beta)}
