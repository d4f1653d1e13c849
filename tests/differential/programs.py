"""Small projects as people write them: a parent's file, and a definition that builds on it.

Every part is drawn on its own (signatures, bodies, where ``super()`` stands, what a class body and a
module hold), so that a failure shrinks to the parts that it needs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from textwrap import indent

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[str]], str]

HEAD = """\
import functools
import math

GRAIN = 3
STONE_TABLE = {"coarse": 1}


def polish(value, times=2):
    return value * times + GRAIN


def stone_round(value):
    return value + len(STONE_TABLE)


def traced(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        return ["traced", function(*args, **kwargs)]

    return inner


class StoneBase:
    rank = 1

    def heads(self):
        return [name for name, part in vars(self).items() if isinstance(part, StoneNorm)]


class StoneNorm(StoneBase):
    eps = 0.5

    def __init__(self, width=1):
        self.width = width

    def __call__(self, x):
        return [x, self.eps, self.width]
"""

FUTURE = "from __future__ import annotations\n\n"

#: Members of the parent's block beside ``__init__`` and the method ``run``.
PARENT_MEMBERS = (
    'kinds = ("plain",)',
    "width = 4",
    "norm_class = StoneNorm",
    "low, high = 1, 2",
    "first = second = 7",
    "limit: int = 5",
    "note: str",
    "def setup(self):\n    self.count += 10\n    return self.count",
    "def fill(self, items):\n    if not items:\n        return self\n    self.count += 2\n    return self",
    "@property\ndef depth(self):\n    return self.size * 2",
    "@property\ndef level(self):\n    return self.count\n\n@level.setter\ndef level(self, value):\n    self.count = value",
    "@classmethod\ndef make(cls, size):\n    return cls(size)",
    "@staticmethod\ndef scaled(value, by=2):\n    return value * by",
    "class Inner:\n    kind = 'inner'\n\n    def tell(self):\n        return self.kind",
    "@traced\ndef marked(self, value):\n    return value",
    "def items(self, count=2):\n    for step in range(count):\n        yield step + self.size",
    "async def fetch(self, value):\n    return value + self.size",
    "def go(self):\n    return ['go', polish(self.size), stone_round(self.size)]\n\nagain = go",
    "def __len__(self):\n    return 3",
    "def restart(self):\n    self.count = 0\n    self.size = 0",
    "def table(self, key='coarse'):\n    return STONE_TABLE.get(key)",
)

PARENT_INITS = (
    "def __init__(self, size, scale=2):\n    self.size = size\n    self.scale = scale\n    self.norm = StoneNorm(size)\n    self.count = 0\n    self.area = size * size",
    "def __init__(self, size=1, *, scale=2, **extra):\n    super().__init__()\n    self.size = size\n    self.scale = scale\n    self.extra = extra\n    self.count = 1\n    self.count += size\n    self.area = self.count * 2",
    "def __init__(self, size, *rest):\n    total = size\n    for item in rest:\n        total += item\n    self.size = size\n    self.scale = total\n    self.count = 0\n    if size > 3:\n        self.area = size\n    else:\n        self.area = -size\n    self.norm = self.build(total)\n\ndef build(self, width):\n    return StoneNorm(width)",
    "def __init__(self, size, scale=2):\n    if size == 0:\n        self.size = self.count = 0\n        return\n    self.size, self.scale = size, scale\n    self.count: int = 0\n    self.parts = [StoneNorm(i) for i in range(2)]\n    self.area = self.size + self.count",
)

PARENT_RUNS = (
    "def run(self, value):\n    shifted = value + self.size\n    return shifted * 2",
    "def run(self, value, scale=3):\n    total = value * scale\n    self.count += total\n    return total",
    "def run(self, value):\n    if value == 0:\n        return None\n    self.count += value\n    return self.count",
    'def run(self, value, *rest, flag=False):\n    """Runs."""\n    return [value, rest, flag]',
    "def run(self, value, **options):\n    for name in sorted(options):\n        value += options[name]\n    return value",
    "def run(self, value):\n    self.count += value",
    "def run(self, value):\n    try:\n        return 10 // value\n    except ZeroDivisionError:\n        return -1\n    finally:\n        self.count += 1",
    "def run(self, value):\n    def shift(x):\n        return x + value\n    return [shift(step) for step in range(2)]",
    "@traced\ndef run(self, value):\n    result = value + 1\n    return result",
)

#: Where a call of the parent's method stands; CALL is that call, M the method's first parameter.
SUPER_USES = (
    "return CALL",
    "CALL",
    "CALL\nreturn self.count",
    "result = CALL\nreturn [result, V]",
    "return [CALL, V]",
    "total = 100\nresult = CALL\nreturn [result, total]",
    "first = CALL\nsecond = CALL\nreturn [first, second]",
    "CALL\nCALL\nreturn self.count",
    "if V > 3:\n    return CALL\nreturn V",
    "if V > 3:\n    CALL\nself.count += 1\nreturn self.count",
    "for _ in range(2):\n    CALL\nreturn self.count",
    "V = V + 1\nreturn CALL",
    "self.count = 50\nreturn CALL",
    "try:\n    return CALL\nfinally:\n    self.count += 1",
    "shifted = 5\nCALL\nreturn shifted",
    "return (lambda: NAMED)()",
    "def inner():\n    return NAMED\nreturn inner()",
    "return [NAMED for _ in range(2)]",
    "parent = super()\nreturn parent.METHOD(ARGS)",
    "return getattr(super(), 'METHOD')(ARGS)",
    "return CALL if V else None",
    "assert (result := CALL) is not self\nreturn result",
    '"""Runs otherwise."""\nreturn CALL',
    "return CALL\nself.count = 99",
    "CALL\nself.count += 1\nself.count += 1",
    "CALL\nself.extra_part = V\nself.count = V\nreturn self",
    "CALL  # the parent's\nself.area = 1",
    "yield CALL\nyield V",
    "while self.count < 60:\n    self.count += 50\n    CALL",
    "CALL\ndel self.area",
    "self.count += 1\nCALL\nreturn self.count",
    "result = V\nresult += 1\nreturn CALL, result",
)

OWN_PARAMETERS = (
    "self, value",
    "self, value, scale=3",
    "self, other",
    "self, value=2",
    "self, *args, **kwargs",
    "self, value, *rest, flag=True",
    "self, value, **options",
    "self, value, /, scale=1",
    "self, value: int = 4, *, deep: bool = False",
    "self, **super_kwargs",
)

ARGUMENTS = (
    "V",
    "V * 10",
    "value=V",
    "V, V",
    "V, scale=V",
    "*[V]",
    "*args, **kwargs",
    "**super_kwargs",
    "",
    "V + self.count",
    "V, 1, flag=True",
    "**{'value': V}",
)

OWN_INITS = (
    "super().__init__(size, scale)\nself.count = 4",
    "super().__init__(size)\nself.kind = 'own'\nself.area = 3",
    "super().__init__(size, scale=scale + 1)",
    "super().__init__(size + 1)\nself.scale = size",
    "super().__init__(size)\nself.count += 1",
    "super().__init__(size)\ndel self.area",
    "super().__init__(size)\nif size > 3:\n    self.count = 7",
    "super().__init__(size)\nself.size = size + 1",
    "super().__init__(size)\nself.size, self.count = 8, 9",
    "super().__init__(size)\nself.size = 5\nself.count = self.size",
    "super().__init__(size)\nself.count: int = 5",
    "super().__init__(size)\nself.norm = PebbleNorm(2)",
    "super().__init__(size)\nself.count = 1\nself.count = 2",
    "super().__init__(size)\nself.area = self.count + 1",
    "self.early = 1\nsuper().__init__(size)\nself.late = self.early",
    "self.count = 30\nsuper().__init__(size)\nself.late = self.count",
    "size = size + 1\nsuper().__init__(size)",
    "StoneBlock.__init__(self, size)\nself.count = 3",
    "super(PebbleBlock, self).__init__(size)\nself.count = 3",
    "total = 5\nsuper().__init__(size)\nself.kept = total",
    "super().__init__(size)\nfor name in ('a', 'b'):\n    setattr(self, name, 1)",
    "super().__init__(size)\nself.count = self.area = 6",
    "super().__init__(size)\nself.half = size / 2\nself.scale = self.half",
    "if size:\n    super().__init__(size)\nelse:\n    super().__init__(1)",
    "super().__init__(*[size])\nself.setup2 = polish(size)",
    "self.size = 1",
)

OWN_INIT_PARAMETERS = (
    "self, size, scale=2",
    "self, size=4, scale=1",
    "self, size, scale=2, extra=None",
    "self, size, *, scale=2",
    "self, size, scale: int = 2, **kwargs",
)

#: Further members of the child's block.
OWN_MEMBERS = (
    "width = 9",
    'kinds = StoneBlock.kinds + ("own",)',
    'kinds = ("other",)',
    "setup = None",
    "width = AttributeError()",
    'def setup(self):\n    raise AttributeError("not needed")',
    "def setup(self):\n    return super().setup() + 1",
    "def go(self):\n    super().setup()\n    return self.count",
    "def setup(self):\n    return super().run(3)",
    "@property\ndef depth(self):\n    return super().depth + 1",
    "@property\ndef depth(self):\n    return self.size\n\n@depth.setter\ndef depth(self, value):\n    self.size = value",
    "@property\ndef depth(self):\n    return self.size\n\n@depth.setter\ndef depth(self, value):\n    self.size = value\n\n@depth.deleter\ndef depth(self):\n    self.size = -1",
    "depth = 12",
    "@StoneBlock.level.getter\ndef level(self):\n    return -1",
    "@StoneBlock.level.setter\ndef level(self, value):\n    self.count = value + 1",
    "@property\ndef level(self):\n    return 5",
    "@functools.cached_property\ndef depth(self):\n    return 6",
    "@classmethod\ndef make(cls, size):\n    made = super().make(size)\n    made.count = 77\n    return made",
    "@staticmethod\ndef scaled(value, by=3):\n    return StoneBlock.scaled(value, by) + 1",
    "def scaled(self, value):\n    return value",
    "class Inner(StoneBlock.Inner):\n    kind = 'child'",
    "class Inner:\n    kind = 'fresh'",
    "class Extra:\n    class Deep:\n        level = 2",
    "def marked(self, value):\n    return value + 1",
    "@traced\ndef marked(self, value):\n    return super().marked(value)",
    "def items(self, count=2):\n    yield 'first'\n    yield from super().items(count)",
    "def items(self, count=2):\n    return list(super().items(count))",
    "async def fetch(self, value):\n    return await super().fetch(value) + 1",
    "def fetch(self, value):\n    return value",
    "def go(self):\n    return 'mine'\n\nagain = go",
    "again = StoneBlock.go",
    "def go(self):\n    return 'mine'",
    "def __len__(self):\n    return super().__len__() + 1",
    "first = 1\nsecond = first + 1",
    "a = 1; b = 2",
    "low, high = 3, 4",
    "size_limit: int = 3\nname: str",
    "limit: float = 1.5",
    "hooks = []\nhooks.append('warm')",
    "if GRAIN > 2:\n    big = True\nelse:\n    big = False",
    "for _name in ('x', 'y'):\n    locals()[_name] = 1",
    "try:\n    import notthere\nexcept ImportError:\n    notthere = None",
    "width = 1\nwidth = width + 1",
    "def run(self, value):\n    return 1\n\ndef run(self, value):\n    return 2",
    "modes = {'norm': StoneNorm}",
    "rank = polish(5)",
    "helper = staticmethod(polish)",
    "def fast(self):\n    return 'fast'\n\nmodes = {'fast': fast}",
    "def restart(self):\n    super().restart()\n    self.size = 1",
    "def restart(self):\n    super().restart()\n    self.count = self.size + 1\n    return self.count",
    "def fill(self, items):\n    super().fill(items)\n    self.filled = True\n    return self",
    "def new(self, value):\n    return [StoneNorm(value), isinstance(self.__dict__.get('norm'), StoneNorm)]",
    "def lazy(self):\n    return PebbleBlock(2).run(1)",
    "_hidden = 3\n\ndef __private(self):\n    return 1\n\ndef shown(self):\n    return self.__private()",
    "def table(self, key='coarse'):\n    return super().table(key='coarse')",
    "async def setup(self):\n    return 3",
    "def items(self, count=2):\n    return [count]",
    "@functools.lru_cache\ndef cached(self, value):\n    return value",
    "def with_default(self, norm=StoneNorm, rate=GRAIN):\n    return [norm(1), rate]",
    "__slots__ = ()",
    "def __init_subclass__(cls, **kwargs):\n    super().__init_subclass__(**kwargs)\n    cls.made = True",
    '"""A block of pebbles, not of Stone kind."""',
)

#: Further statements of the definition, in front of its classes.
OWN_STATEMENTS = (
    "GRAIN = 9",
    "EPS = 1e-3",
    "LIMIT: int = 7",
    "A, B = 2, 3",
    "C = D = 4",
    "TABLE = {'a': 1}\nTABLE.update(b=2)",
    "TOTAL = 1\nTOTAL += 2",
    "if True:\n    FLAG = 'yes'\nelse:\n    FLAG = 'no'",
    "for NUMBER in range(3):\n    pass",
    "SQUARES = [n * n for n in range(3)]",
    "try:\n    import notthere\nexcept ImportError:\n    notthere = None",
    "try:\n    LIMITS = (1, 2)\nexcept ValueError:\n    LIMITS = ()\nfinally:\n    DONE = True",
    "def helper(x):\n    return x + 1\n\n\nhelper.flag = True",
    "def polish(value, times=1):\n    return value - times",
    "def deco(function):\n    function.marked = True\n    return function",
    "class Plain:\n    size = 2\n\n    def twice(self):\n        return self.size * 2",
    "Norm = StoneNorm",
    "from math import tau as full",
    "import math as m\n\nTURN = m.floor(m.pi)",
    "REGISTRY = {}\n\n\ndef register(cls):\n    REGISTRY[cls.__name__] = len(REGISTRY)\n    return cls",
    "with open(__import__('os').devnull) as HANDLE:\n    CONTENT = HANDLE.read()",
    "PARTS: list[int] = []\nPARTS.append(3)",
    "STONE_TABLE['fine'] = 2",
    "lam = lambda x: x + GRAIN",
    "import sys\n\nif sys.version_info >= (3, 8):\n    from typing import Final\nelse:\n    Final = None",
    "assert GRAIN, 'no grain'",
    "pebble_table = {'stone': 'Stone'}",
    "del_me = 1\ndel del_me",
    "from ..stone import modeling_stone\n\nSIZE = modeling_stone.GRAIN",
    "Above = StoneBlock",
)

#: Statements behind the classes.
LATE_STATEMENTS = (
    "PebbleBlock.late = 5",
    "DEFAULT = PebbleBlock",
    "TABLE_OF = {'block': PebbleBlock, 'norm': StoneNorm}",
    "def build(size=2):\n    return PebbleBlock(size)",
    "class PebbleModel(StoneBase):\n    block = PebbleBlock",
    "class PebbleStack(PebbleBlock):\n    depth2 = 3\n\n    def run(self, value):\n        return [super().run(value)]",
    "class PebbleBigBlock(StoneBlock):\n    width = 40",
    "__all__ = ['PebbleBlock']",
    "__all__ = ['PebbleBlock', 'build']\n\n\ndef build():\n    return 1",
    "__all__ = ('PebbleBlock',)",
    "__all__ = ['PebbleBlock']\n__all__ += ['EXTRA']\nEXTRA = 1",
    "if __name__ == '__main__':\n    print(PebbleBlock)",
    "class Holder:\n    def __init__(self):\n        self.block = PebbleBlock(2)\n\n    def same(self):\n        return isinstance(self.block, PebbleBlock)",
)

BASES = (
    "StoneBlock",
    "StoneBlock",
    "StoneBlock",
    "StoneBlock",
    "Quiet, StoneBlock",
    "StoneBlock, Quiet",
    "StoneBlock, metaclass=Meta",
    "StoneBlock, tag='x'",
    "Quiet, StoneBlock, Marker",
    "Block",
    "modeling_stone.StoneBlock",
)

SUPPORT = {
    "Quiet": "class Quiet:\n    calm = True\n\n    def run(self, value):\n        return ['quiet', value]\n\n    def setup(self):\n        return 'quiet'",
    "Marker": "class Marker:\n    width = 'marker'",
    "Meta": "class Meta(type):\n    def __new__(mcls, name, bases, space, **kwargs):\n        made = super().__new__(mcls, name, bases, space)\n        made.meta = True\n        return made",
}

NORMS = (
    "class PebbleNorm(StoneNorm):\n    eps = 0.25",
    "class PebbleNorm(StoneNorm):\n    def __call__(self, x):\n        return ['own', *super().__call__(x)]",
    "class PebbleNorm(StoneNorm):\n    def __init__(self, width=2, bias=0):\n        super().__init__(width)\n        self.bias = bias",
    "class PebbleBase(StoneBase):\n    rank = 2\n\n    def tag(self):\n        return 'tag'",
    "class PebbleNorm:\n    def __init__(self, width=1):\n        self.other = width",
)

DECORATORS = ("", "", "", "@deco\n", "@register\n")


def _class(head: str, members: Sequence[str]) -> str:
    body = "\n\n".join(members) or "pass"
    return f"{head}:\n" + indent(body, "    ")


@st.composite
def override(draw: Draw) -> str:
    """A method ``run`` that calls the parent's somewhere."""
    parameters = draw(st.sampled_from(OWN_PARAMETERS))
    first = {"self, other": "other", "self, *args, **kwargs": "args[0]"}.get(parameters, "value")
    if parameters == "self, **super_kwargs":
        first = "3"
    use = draw(st.sampled_from(SUPER_USES))
    arguments = draw(st.sampled_from(ARGUMENTS))
    if (
        "args" in arguments
        and "args" not in parameters
        or "super_kwargs" in arguments
        and "super_kwargs" not in parameters
    ):
        arguments = "V"
    call = draw(
        st.sampled_from(
            ("super().METHOD(ARGS)",) * 4
            + ("super(PebbleBlock, self).METHOD(ARGS)", "StoneBlock.METHOD(self, ARGS)")
        )
    )
    body = use.replace("CALL", call).replace("NAMED", "super(PebbleBlock, self).METHOD(ARGS)")
    body = body.replace("METHOD", "run").replace("ARGS", arguments).replace("(self, )", "(self)")
    body = (
        body.replace("V", first)
        if first in ("value", "other") or "V = " not in body
        else "return 0"
    )
    kind = draw(st.sampled_from(("def",) * 6 + ("async def",)))
    decorator = draw(st.sampled_from(("",) * 5 + ("@traced\n",)))
    return f"{decorator}{kind} run({parameters}):\n" + indent(body, "    ")


def _some(options: Sequence[str], most: int) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(options), max_size=most, unique=True)


#: A second parent, with names that the first one has, too.
FLINT = """\
GRAIN = 40


def polish(value, times=2):
    return value * times * GRAIN


class FlintNorm:
    eps = 4

    def __call__(self, x):
        return [x, polish(self.eps)]


class FlintGate:
    share = 2

    def __init__(self, size=1):
        self.size = size
        self.norm = FlintNorm()

    def open(self, value):
        return [self.norm(value), polish(value), GRAIN]
"""
#: What a definition makes of the second parent.
FROM_FLINT = (
    "from ..flint.modeling_flint import FlintGate\n\n\nclass PebbleGate(FlintGate):\n    share = 3",
    "from ..flint.modeling_flint import FlintGate\n\n\nclass PebbleGate(FlintGate):\n"
    "    def open(self, value):\n        return [super().open(value), self.share]",
    "from ..flint.modeling_flint import GRAIN, FlintGate\n\n\nclass PebbleGate(FlintGate):\n"
    "    grain = GRAIN\n\n    def close(self):\n        return GRAIN",
    "from ..flint.modeling_flint import FlintGate, polish as smooth\n\n\nclass PebbleGate(FlintGate):\n"
    "    def close(self, value):\n        return smooth(value)",
    "from ..flint.modeling_flint import FlintGate as Gate, FlintNorm\n\n\nclass PebbleGate(Gate):\n"
    "    norm_class = FlintNorm\n\n\nclass PebbleDoor(PebbleGate):\n    share = 9",
    "from ..flint import modeling_flint as flint\n\n\ndef gate(size=2):\n    return flint.FlintGate(size).open(size)",
)
#: A definition over the first definition: what is generated is a parent in its turn.
BOULDER = (
    "class BoulderBlock(PebbleBlock):\n    width = 77",
    "class BoulderBlock(PebbleBlock):\n    def run(self, *args, **kwargs):\n"
    "        return [super().run(*args, **kwargs)]",
    "class BoulderBlock(PebbleBlock):\n    def __init__(self, *args, **kwargs):\n"
    "        super().__init__(*args, **kwargs)\n        self.boulder = True",
    "class BoulderBlock(PebbleBlock):\n    def lazy(self):\n        return isinstance(self, BoulderBlock)",
)


@st.composite
def projects(draw: Callable[[st.SearchStrategy[object]], object]) -> dict[str, str]:
    """Files of a project: a parent that stands by hand, and a definition of ``pebble``."""
    take: Callable[[st.SearchStrategy[str]], str] = draw  # type: ignore[assignment]
    several: Callable[[st.SearchStrategy[list[str]]], list[str]] = draw  # type: ignore[assignment]
    members = several(_some(PARENT_MEMBERS, 5))
    init, run = take(st.sampled_from(PARENT_INITS)), take(st.sampled_from(PARENT_RUNS))
    own = definition(take, several)
    members += _called_for(own["definitions/pebble/modular_pebble.py"], members)
    tag = "tag=" in own["definitions/pebble/modular_pebble.py"]
    members += [TAGGED] * tag
    block = _class("class StoneBlock(StoneBase)", [*members, init, run])
    stone = f"{HEAD}\n\n{block}\n"
    files = {"generated/stone/modeling_stone.py": stone, **own}
    path = "definitions/pebble/modular_pebble.py"
    second = take(st.sampled_from(("", "", "", *FROM_FLINT)))
    if second:
        files["generated/flint/modeling_flint.py"] = FLINT
        line, _, rest = second.partition("\n\n\n")
        future = FUTURE if files[path].startswith(FUTURE) else ""
        text = files[path].removeprefix(future)
        files[path] = f"{future}{line}\n{text}\n\n{rest}\n"
    over = take(st.sampled_from(("", "", "", *BOULDER)))
    # A `del` in the parent's module, behind what it deletes, is not carried as one: left out here.
    if over and "del_me" not in files[path]:
        head = "from ..pebble.modeling_pebble import PebbleBlock\n\n\n"
        files["definitions/boulder/modular_boulder.py"] = f"{head}{over}\n"
    return files


TAGGED = "def __init_subclass__(cls, tag=None, **kwargs):\n    super().__init_subclass__(**kwargs)\n    cls.tag = tag"


def _called_for(text: str, present: Sequence[str]) -> list[str]:
    """Members of the parent that a definition refers to."""
    names = dict.fromkeys(re.findall(r"(?:StoneBlock|super\(\))\.(\w+)", text))
    found: dict[str, None] = {}
    for name in names:
        shape = re.compile(rf"^(?:(?:async )?def|class) {name}\b|^{name}\b[^\n]* = ", re.MULTILINE)
        options = [item for item in PARENT_MEMBERS if shape.search(item)]
        if options and not any(item in present for item in options):
            found[options[0]] = None
    return list(found)


def definition(
    take: Callable[[st.SearchStrategy[str]], str],
    several: Callable[[st.SearchStrategy[list[str]]], list[str]],
) -> dict[str, str]:
    """The definition: imports, statements, classes, and what follows them."""
    own = several(_some(OWN_MEMBERS, 3))
    if take(st.sampled_from(("run", "", ""))):
        own.append(take(override()))
    if take(st.sampled_from(("init", "", ""))):
        parameters = take(st.sampled_from(OWN_INIT_PARAMETERS))
        own.append(
            f"def __init__({parameters}):\n" + indent(take(st.sampled_from(OWN_INITS)), "    ")
        )
    own = [item for item in own if not (_is_marker(item) and len(_named(own, item)) > 1)]
    own.sort(key=lambda item: not item.startswith('"""'))  # a docstring stands first
    bases = take(st.sampled_from(BASES))
    head = take(st.sampled_from(DECORATORS)) + f"class PebbleBlock({bases})"
    block = _class(head, own)
    early, late = several(_some(OWN_STATEMENTS, 2)), several(_some(LATE_STATEMENTS, 1))
    norms = several(_some(NORMS, 1))
    if bases.startswith("modeling_stone."):
        # Such a base stays an import, with the roles that its file knows: no other is folded there.
        norms, late = [], [item for item in late if "(StoneB" not in item]
    order = take(st.sampled_from(("norm first", "block first")))
    classes = [*norms, block] if order == "norm first" else [block, *norms]
    text = "\n\n\n".join([*early, *classes, *late])
    text = _with_imports(_with_support(text, bases), bases)
    future = take(st.sampled_from(("", "", "", FUTURE)))
    return {"definitions/pebble/modular_pebble.py": f"{future}{text}\n"}


def _is_marker(member: str) -> bool:
    return "AttributeError(" in member


def _named(members: Sequence[str], member: str) -> list[str]:
    """Members that bind the name of a marker: behind another definition of it, it is none."""
    match = re.search(r"^(?:def )?(\w+)", member)
    assert match
    shape = re.compile(rf"^(?:(?:async )?def |class )?{match.group(1)}\b", re.MULTILINE)
    return [item for item in members if shape.search(item)]


def _with_support(text: str, bases: str) -> str:
    if "tag=" in bases:
        text = text.replace("class PebbleBlock", "class PebbleBlock", 1)
    needed = [body for name, body in SUPPORT.items() if name in bases]
    for name, body in (("@deco", OWN_STATEMENTS[14]), ("@register", OWN_STATEMENTS[19])):
        if name in text and body not in text:
            needed.append(body)
    if "PebbleNorm(" in text and "class PebbleNorm" not in text:
        needed.append(NORMS[0])
    return "\n\n\n".join([*needed, text])


def _with_imports(text: str, bases: str) -> str:
    names = [
        n
        for n in (
            "GRAIN",
            "STONE_TABLE",
            "StoneBase",
            "StoneBlock",
            "StoneNorm",
            "polish",
            "traced",
        )
        if n in text
    ]
    names = [n for n in names if f"\n{n} = " not in f"\n{text}" and f"def {n}(" not in text]
    lines = []
    if "functools" in text:
        lines.append("import functools")
    if bases == "Block":
        names.append("StoneBlock as Block")
    if bases.startswith("modeling_stone.") and "import modeling_stone" not in text:
        lines.append("from ..stone import modeling_stone")
    if names:
        lines.append(f"from ..stone.modeling_stone import {', '.join(dict.fromkeys(names))}")
    return "\n".join(lines) + "\n\n\n" + text
