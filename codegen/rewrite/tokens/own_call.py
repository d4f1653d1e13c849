"""A processor's ``__call__`` in which nothing is left but what the library's own does, as parts of that.

What it refuses goes to ``prepare_inputs_layout``, what it makes of the images to ``_process_images``, the
class of its keywords to ``valid_processor_kwargs``; the rest the library does. Whether that is so is a
matter of evidence (:mod:`codegen.rewrite.tokens.without_call`).
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from textwrap import dedent

from codegen.rewrite.emit.edits import Change, Insert, Replace, body_start
from codegen.rewrite.emit.edits import Site as Place
from codegen.rewrite.functions import Function, parameters
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import target_of, walk
from codegen.rewrite.tokens.asking import HELPER, OFFSETS, OPTION
from codegen.rewrite.tokens.names import free_names
from codegen.rewrite.tokens.plans import KEYS
from codegen.rewrite.tokens.swaps import swapped
from codegen.rewrite.tokens.wording import expression
from codegen.rewrite.values import Record, model_of
from codegen.text.lexer import lex
from codegen.text.lines import split_lines

ORDER = ("images", "text", "videos", "audio")
"""The arguments of the library's own call, in order."""
GENERIC = "ProcessorMixin.__call__"
_BUILTINS = frozenset(dir(builtins))
_PARTS = {"video_processor": "videos", "feature_extractor": "audio"}
_OURS = frozenset((OPTION, OFFSETS, "collected"))
_GIVEN = "images=images, text={text}, videos=videos, audio=audio, **kwargs"


class Stays(Exception):
    """Why a ``__call__`` stays; ``near`` where it is all but what the library's own does."""

    def __init__(self, reason: str, near: bool = True) -> None:
        super().__init__(reason)
        self.reason, self.near = reason, near


@dataclass(frozen=True)
class Step:
    """Statements about the images; with a test those that run where it holds, without a replacement elsewhere."""

    statements: tuple[ast.stmt, ...]
    test: ast.expr | None = None


@dataclass(frozen=True)
class Parts:
    """What a call consists of: statements for what it refuses and for the images, the class of its keywords."""

    call: Function
    kinds: str
    merged: str
    guards: tuple[ast.stmt, ...]
    images: tuple[Step, ...]
    result: str


def parts_of(cls: ClassInfo) -> Parts:
    """The parts of a class's own ``__call__``, whose loops are gone.

    Raises:
        Stays: it is not of this form.
    """
    call = cls.methods["__call__"]
    _demand(cls, call)
    body = call.body[call.body.index(body_start(call)) :]
    merged = kinds = result = ""
    guards: list[ast.stmt] = []
    images: list[Step] = []
    replaced = False
    for node in body:
        names = {n.id for n in walk(node) if isinstance(n, ast.Name)}
        stored = {n.id for n in walk(node) if isinstance(n, ast.Name) and _stores(n)}
        made = _merging(node)
        if made is not None:
            merged, kinds = made
        elif stored and stored <= _OURS:
            continue
        elif not replaced and _guards(node, stored):
            guards.append(node)
        elif _is_empty(node) or (not replaced and _renames_text(node)):
            continue
        elif not replaced and merged and ("images" in names or f"{KEYS['image']}" in names):
            result = result or _result(node)
            images += _for_images(node)
            replaced = f"self.{HELPER}(" in ast.unparse(node)
        elif not _at_end(node, merged):
            raise Stays(f"line {node.lineno} does something else", False)
    if not (merged and replaced and result):
        raise Stays("it replaces what stands for something else than images", False)
    run = [node for step in images for node in (*map(_tested, [step]), *step.statements)]
    unknown = {*free_names(run, ast.Constant(None))} - {"self", "images", merged, *_BUILTINS}
    if unknown := unknown - cls.module.names:
        raise Stays(f"what is done for the images reads {', '.join(sorted(unknown))}", False)
    return Parts(call, kinds, merged, tuple(guards), tuple(images), result)


def _demand(cls: ClassInfo, call: Function) -> None:
    """What has to hold of the arguments, and of what the class has besides.

    Raises:
        Stays: it does not.
    """
    names = parameters(call)[1:]
    items = [name for name in names if name in ORDER]
    if items != sorted(items, key=ORDER.index):
        raise Stays(f"its arguments come in another order ({', '.join(items)})")
    if [*names] != ["images", "text"] or call.args.kwarg is None or call.args.kwonlyargs:
        raise Stays(f"its arguments are {', '.join(names)}, not images, text and keywords", False)
    init = cls.methods.get("__init__")
    for name in parameters(init) if init is not None else ():
        if name in _PARTS:
            raise Stays(f"the library's own call would use its {name}, too")
    if "grid_thw" in ast.unparse(call):
        raise Stays("what the encoder takes precomputed is returned in it")


def change_of_call(cls: ClassInfo, parts: Parts) -> Change:
    """The change that takes the call out of its class, and puts its parts in its place."""
    info = cls.module
    setting = f"valid_processor_kwargs = {parts.kinds}"
    lines: list[str] = []
    if parts.guards:
        lines += [
            "def prepare_inputs_layout(self, images=None, text=None, videos=None, audio=None, **kwargs):",
            '    """What is refused, and a text on its own as a list of one."""',
            *(f"    {line}" for line in _commented(cls, parts.guards)),
            "    text = text if text is None else list(text)",
            f"    return super().prepare_inputs_layout({_GIVEN.format(text='text')})",
            "",
        ]
    comments = [*_homeless(cls, parts)]
    kept = [line for step in parts.images for line in _written(cls, step, parts.merged)]
    lines += [
        "def _process_images(self, images, **kwargs):",
        '    """What the image processor returns, and what the placeholder of each image becomes."""',
        *(f"    {line}" for line in (*comments, *kept)),
        f"    return {parts.result}, {KEYS['image']}",
    ]
    first = next(node for node in cls.node.body if isinstance(node, ast.FunctionDef))
    places = [Place(cls, parts.call, (Replace((parts.call,), tuple(lines)),))]
    if first is parts.call:
        places = [Place(cls, parts.call, (Replace((parts.call,), (setting, "", *lines)),))]
    else:
        places.append(Place(cls, first, (Insert(first, (setting, "")),)))
    record = Record(
        model_of(info.source.module),
        cls.name,
        "__call__",
        "extracted",
        info.place(parts.call),
        helper=GENERIC,
        reason="nothing else was left in it: the library's own call does the rest",
    )
    return Change("expand", tuple(places), (), (record,))


def _tested(step: Step) -> ast.stmt:
    return ast.Expr(step.test if step.test is not None else ast.Constant(None))


def _written(cls: ClassInfo, step: Step, merged: str) -> Iterator[str]:
    """The lines of a step, with the keywords of the hook for those of the images."""
    lines = _commented(cls, step.statements)
    if step.test is not None:
        yield f"{KEYS['image']} = []"
        yield f"if {expression(cls.module, step.test)}:"
        lines = [f"    {line}" for line in lines]
    yield from _with_kwargs("\n".join(lines), merged).split("\n") if lines else ()


def _commented(cls: ClassInfo, statements: Sequence[ast.stmt]) -> list[str]:
    """The lines of statements at the left margin, with the comments in them and right in front of them."""
    text, found = cls.module.text, list[str]()
    for node in statements:
        first = node.lineno
        while text.lines[first - 2].lstrip().startswith("#"):
            first -= 1
        found += split_lines(dedent("".join(text.lines[first - 1 : node.end_lineno])))
    return [line.rstrip("\n") for line in found if line.strip()]


def _homeless(cls: ClassInfo, parts: Parts) -> Iterator[str]:
    """Comments of what the library's call does in front of the placeholders, which have no place in it.

    Raises:
        Stays: there is one behind them.
    """
    steps = [node for step in parts.images for node in step.statements]
    moved = "\n".join(_commented(cls, (*parts.guards, *steps)))
    last = max(node.end_lineno or 0 for node in steps)
    for number in range(body_start(parts.call).lineno - 1, parts.call.end_lineno or 0):
        line = cls.module.text.lines[number]
        for start, end in lex(line).comments if "#" in line else ():
            if line[start:end] in moved:
                continue
            if number >= last:
                raise Stays(f"the comment {line[start:end].strip()} would have no place")
            yield line[start:end].strip()


def _with_kwargs(text: str, merged: str) -> str:
    wanted = f"{merged}['images_kwargs']"
    return swapped(
        text,
        lambda n: "kwargs" if isinstance(n, ast.Subscript) and ast.unparse(n) == wanted else None,
    )


def _for_images(node: ast.stmt) -> Iterator[Step]:
    """What is done in ``if images is not None``, or in another part that is about the images."""
    if not isinstance(node, ast.If):
        yield Step((node,))
        return
    if not all(_is_empty(n) or _renames_text(n) for n in node.orelse):
        raise Stays(f"line {node.orelse[0].lineno} does something else", False)
    expanded = {name for part in node.body for name in _expanded(part)}
    rest = tuple(part for part in node.body if not (_expanded(part) or _renames(part, expanded)))
    is_given = ast.unparse(node.test) == "images is not None"
    yield Step(rest, None if is_given else node.test)


def _result(node: ast.stmt) -> str:
    """What the outputs of the image processor are called."""
    made = "self.image_processor("
    assigned = (part for part in walk(node) if isinstance(part, ast.Assign))
    targets = (target_of(part) for part in assigned if ast.unparse(part.value).startswith(made))
    return next((target.id for target in targets if isinstance(target, ast.Name)), "")


def _merging(node: ast.stmt) -> tuple[str, str] | None:
    """``(output_kwargs, Kinds)`` of ``output_kwargs = self._merge_kwargs(Kinds, ...)``."""
    value = node.value if isinstance(node, ast.Assign) else None
    if not isinstance(value, ast.Call) or ast.unparse(value.func) != "self._merge_kwargs":
        return None
    assert isinstance(node, ast.Assign)
    target, kinds = target_of(node), value.args[0] if value.args else None
    if isinstance(target, ast.Name) and isinstance(kinds, ast.Name):
        return target.id, kinds.id
    return None


def _guards(node: ast.stmt, stored: set[str]) -> bool:
    """Whether a statement refuses arguments, or makes a list of a text on its own."""
    names = {n.id for n in walk(node) if isinstance(n, ast.Name)}
    local = names - {"images", "text", "self"} - _KNOWN
    return isinstance(node, ast.If) and stored <= {"text"} and not local and "text" in names


_KNOWN = frozenset(
    ("isinstance", "str", "list", "tuple", "all", "len", "ValueError", "TypeError", "type")
)


def _expanded(node: ast.stmt) -> list[str]:
    """The names that a call of the helper gives its results, if a statement is one."""
    if not isinstance(node, ast.Assign) or f"self.{HELPER}(" not in ast.unparse(node.value):
        return []
    return [n.id for target in node.targets for n in walk(target) if isinstance(n, ast.Name)]


def _renames_text(node: ast.stmt) -> bool:
    return _renames(node, ("text", "text.copy()"))


def _renames(node: ast.stmt, names: Collection[str]) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node.value) in names


def _is_empty(node: ast.stmt) -> bool:
    """Whether a statement gives names the value that stands for nothing."""
    empty = isinstance(node, ast.Assign) and ast.unparse(node.value) in ("{}", "[]")
    return empty and isinstance(node, ast.Assign) and all(map(_is_name, node.targets))


def _is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Name)


def _at_end(node: ast.stmt, merged: str) -> bool:
    """Whether a statement behind the placeholders is of a kind that the library's call has, too."""
    if isinstance(node, ast.Return):
        return True
    said = ast.unparse(node)
    if isinstance(node, ast.Expr):
        return said.startswith("self._check_special_mm_tokens(")
    if isinstance(node, ast.If):
        return said.startswith("if return_mm_token_type_ids:") and "create_mm_token" in said
    value = node.value if isinstance(node, ast.Assign) else None
    known = (f"{merged}['text_kwargs'].pop(", "self.tokenizer(")
    return value is not None and ast.unparse(value).startswith(known)


def _stores(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def unused_imports(cls: ClassInfo, names: Sequence[str]) -> Iterator[str]:
    """Those of some imported names that nothing in a file reads any more."""
    read = {n.id for n in walk(cls.module.tree) if isinstance(n, ast.Name)}
    yield from (name for name in names if name in cls.module.imports and name not in read)
