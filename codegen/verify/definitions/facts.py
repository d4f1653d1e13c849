"""What the sources of a definition and its parents say about the closed list of the README.

Read from syntax alone: which members are deletion markers, which methods take decorators or
parameters of the parent's, which assignments of a constructor take the place of the parent's.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from codegen.verify.definitions.bindings import defined_names

_NOTE = re.compile(r"^(?:note|warning): [^:\n]*:(\d+): ")
_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_QUESTIONS = ("isinstance", "issubclass", "type")
#: A parent's method that is kept beside the child's: its name begins so.
_KEPT = re.compile(r"_{1,2}\w+")


@dataclass(frozen=True)
class Fold:
    """A class of a definition and the class that is folded into it."""

    child: ast.ClassDef
    parent: ast.ClassDef


@dataclass(frozen=True)
class Facts:
    """See the module's docstring.

    ``treated`` holds ``""`` for a class that takes its parent's decorators; ``replaced`` says of the
    classes with a replaced assignment whether the parent's body reads it later; ``dropped`` are
    names of the module that a note speaks of, ``undocumented`` classes without docstring,
    ``made_docs`` methods whose docstring a decorator may have made,
    ``asking`` functions that ask whether something is of a parent's class, ``naming_itself`` classes
    whose parent says ``super(Parent, self)``, ``over_imports`` those with a base that stays an import
    (``module.Parent``) and asks for classes, beside classes that are folded. ``further`` are members
    that other classes above one define: what is deleted of the parent, is found there.
    """

    markers: Mapping[str, frozenset[str]]
    treated: Mapping[str, frozenset[str]]
    replaced: Mapping[str, bool]
    dropped: frozenset[str]
    undocumented: frozenset[str]
    asking: frozenset[str]
    made_docs: Mapping[str, frozenset[str]]
    naming_itself: frozenset[str] = frozenset()
    over_imports: frozenset[str] = frozenset()
    further: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def deleted(self, name: str) -> frozenset[str]:
        """Members of a class that the definition marks as deleted."""
        return self.markers.get(name, frozenset())

    def found_further(self, name: str, member: str) -> bool:
        """Whether a class above has a member of this name, too, beside the parent."""
        return member in self.further.get(name, ())

    def entry(self, name: str, member: str) -> int:
        """The entry of the list that explains a difference of a member, 0 for none."""
        return 2 if member in self.treated.get(name, ()) else 0

    def documented(self, name: str) -> bool:
        """Whether a class of the definition has a docstring of its own."""
        return name not in self.undocumented

    def made_doc(self, name: str, member: str) -> bool:
        """Whether a decorator may have made the docstring of a member, for the class it stands in."""
        return bool({member, ""} & self.made_docs.get(name, frozenset()))

    def decorated(self, name: str) -> bool:
        """Whether a class takes the decorators of its parent."""
        return "" in self.treated.get(name, ())

    def entry_of_run(self, place: str, plain: object, generated: object) -> int:
        """The same for what a class or method gave when it was run, which may contain others."""
        first = re.split(r"[.(]", place, maxsplit=1)[0]
        member = re.search(r"\)\.(\w+)", place)
        if (f"{first}.{member.group(1)}" if member else first) in self.asking:
            return 1
        shown = f"{plain}{generated}"
        failed = isinstance(plain, list) and plain[:1] in (["raised"], ["not built"])
        # An asynchronous one does not recurse, but gives itself, not run.
        endless = failed or ("suspended" in str(plain) and "suspended" not in str(generated))
        if "RecursionError" in str(plain) or (endless and first in self.naming_itself):
            return 1  # a parent that names itself in super() is given the child in its role
        if first in self.over_imports:
            return 1  # the parent asks for its own classes, and those that are folded are none
        for name, read in self.replaced.items():
            if (read or failed) and (name == first or f"'.{name}'" in shown):
                return 3
        return 2 if self.treated.get(first, frozenset()) - {""} else 0

    def runs_deleted(self, place: str) -> bool:
        """Whether what was run is a member that the definition marks as deleted."""
        match = re.match(r"(\w+)\(.*?\)\.(\w+)", place)
        return match is not None and match.group(2) in self.deleted(match.group(1))

    def kept(self, member: str) -> bool:
        """Whether a member that only the generated class has is a parent's method kept beside."""
        return _KEPT.fullmatch(member) is not None


def read_facts(
    text: str,
    folds: Mapping[str, tuple[str, str]],
    parents: Mapping[str, str],
    known: set[str],
    said: Sequence[str],
) -> Facts:
    """The facts of one definition.

    ``known`` are the names it imports from parents. ``folds`` gives for each class the module and the name of its parent class, ``parents`` the
    sources of these modules, ``said`` the warnings and notes of the expansion.
    """
    own = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}
    trees = {name: ast.parse(source) for name, source in parents.items()}
    markers: dict[str, frozenset[str]] = {}
    treated: dict[str, frozenset[str]] = {}
    replaced: dict[str, bool] = {}
    made_docs: dict[str, frozenset[str]] = {}
    naming: set[str] = set()
    further: dict[str, frozenset[str]] = {}
    for name, (module, base) in folds.items():
        classes = [node for node in trees[module].body if isinstance(node, ast.ClassDef)]
        found = [node for node in classes if node.name == base]
        if name not in own or not found:
            continue
        fold = Fold(own[name], found[-1])
        markers[name] = frozenset(_markers(fold))
        treated[name] = frozenset(_treated(fold))
        made_docs[name] = frozenset(_decorated(fold))
        further[name] = frozenset(_defined_further(fold, own, {n.name: n for n in classes}))
        if _names_itself(fold.parent):
            naming.add(name)
        found_targets = _replaced_targets(fold)
        if found_targets:
            replaced[name] = any(found_targets.values())
    _hand_down(own, (markers, treated, made_docs, further))
    undocumented = {
        name for name in folds.keys() & own.keys() if ast.get_docstring(own[name]) is None
    }
    asking = set(_asking(ast.parse(text), {base for _, base in folds.values()} | known))
    for name, node in own.items():
        bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
        methods = [item.partition(".") for item in asking]
        asking |= {f"{name}.{method}" for owner, _, method in methods if method and owner in bases}
    return Facts(
        markers,
        treated,
        replaced,
        frozenset(_dropped(text, said)),
        frozenset(undocumented),
        frozenset(asking),
        made_docs,
        frozenset(naming),
        frozenset(_over_imports(own, trees)) if folds else frozenset(),
        further,
    )


def _dropped(text: str, said: Sequence[str]) -> Iterator[str]:
    """Names whose definitions stand at lines of which the expansion has noted something."""
    lines = {int(match.group(1)) for match in map(_NOTE.match, said) if match}
    for name, node in defined_names(text).items():
        if any(node.lineno <= line <= (node.end_lineno or 0) for line in lines):
            yield name


def _defined_further(
    fold: Fold, own: Mapping[str, ast.ClassDef], classes: Mapping[str, ast.ClassDef]
) -> Iterator[str]:
    """What the classes define that are above the folded one beside its parent."""
    queue = [own[name] for name in map(ast.unparse, fold.child.bases) if name in own]
    queue += [classes[name] for name in map(ast.unparse, fold.parent.bases) if name in classes]
    seen: set[ast.ClassDef] = set()
    while queue:
        node = queue.pop()
        if node in seen:
            continue
        seen.add(node)
        for item in node.body:
            yield from [item.name] if isinstance(item, _NAMED) else []
            for target in item.targets if isinstance(item, ast.Assign) else []:
                yield from [target.id] if isinstance(target, ast.Name) else []
        known = own if node in own.values() else classes
        queue += [known[name] for name in map(ast.unparse, node.bases) if name in known]


def _names_itself(parent: ast.ClassDef) -> bool:
    return any(
        isinstance(node, ast.Call)
        and ast.unparse(node.func) == "super"
        and bool(node.args)
        and ast.unparse(node.args[0]) == parent.name
        for node in ast.walk(parent)
    )


def _over_imports(
    own: Mapping[str, ast.ClassDef], trees: Mapping[str, ast.Module]
) -> Iterator[str]:
    asked = {
        ast.unparse(node.func)
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    }
    if not asked & set(_QUESTIONS):
        return
    for name, node in own.items():
        if any(isinstance(base, (ast.Attribute, ast.Subscript)) for base in node.bases):
            yield name


def _asking(tree: ast.Module, known: set[str]) -> Iterator[str]:
    """Functions and methods with ``isinstance(x, Parent)`` or the like: with the parent it is gone."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    for top in tree.body:
        inside = top.body if isinstance(top, ast.ClassDef) else [top]
        for node in inside:
            if not isinstance(node, kinds):
                continue
            calls = [item for item in ast.walk(node) if isinstance(item, ast.Call)]
            asked = [call for call in calls if ast.unparse(call.func) in _QUESTIONS]
            if any(isinstance(i, ast.Name) and i.id in known for c in asked for i in ast.walk(c)):
                yield f"{top.name}.{node.name}" if isinstance(top, ast.ClassDef) else node.name


def _hand_down(own: Mapping[str, ast.ClassDef], facts: Sequence[dict[str, frozenset[str]]]) -> None:
    """What holds of a class holds of those classes of the definition that inherit from it."""
    for name, node in own.items():
        for base in node.bases:
            for known in facts if isinstance(base, ast.Name) and base.id in own else ():
                inherited = known.get(ast.unparse(base), frozenset())
                known[name] = known.get(name, frozenset()) | inherited


def _methods(node: ast.ClassDef) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {item.name: item for item in node.body if isinstance(item, kinds)}


def _markers(fold: Fold) -> Iterator[str]:
    inherited = _methods(fold.parent)
    for item in fold.child.body:
        if isinstance(item, ast.Assign) and ast.unparse(item.value).startswith("AttributeError("):
            yield ast.unparse(item.targets[0])
    for name, method in _methods(fold.child).items():
        first = method.body[0]
        if name not in inherited or method.decorator_list or not isinstance(first, ast.Raise):
            continue
        if "Error(" in ast.unparse(first):
            yield name


def _decorated(fold: Fold) -> Iterator[str]:
    """Methods that have a decorator; "" where the class has one."""
    for node in (fold.child, fold.parent):
        if node.decorator_list:
            yield ""
        for name, method in _methods(node).items():
            if method.decorator_list:
                yield name


def _treated(fold: Fold) -> Iterator[str]:
    """Methods that inherit decorators, or parameters through ``**super_kwargs``."""
    inherited = _methods(fold.parent)
    if fold.parent.decorator_list and not fold.child.decorator_list:
        yield ""
        yield from _methods(fold.child)
    for name, method in _methods(fold.child).items():
        decorators = list(map(ast.unparse, method.decorator_list))
        if "no_inherit_decorator" in decorators:
            yield name
        if name not in inherited:
            continue
        if not decorators and inherited[name].decorator_list:
            yield name
        if method.args.kwarg and method.args.kwarg.arg == "super_kwargs":
            yield name


def _replaced_targets(fold: Fold) -> dict[str, bool]:
    """Attributes that the constructors of both assign, the child's behind ``super()``; and whether
    the parent's body reads them behind its assignment."""
    own, inherited = (_methods(node).get("__init__") for node in (fold.child, fold.parent))
    if own is None or inherited is None:
        return {}
    call = next((i for i, item in enumerate(own.body) if _calls_parent(item)), None)
    if call is None:
        return {}
    targets = {target for item in own.body[call + 1 :] for target in _assigned(item)}
    found: dict[str, bool] = {}
    for index, item in enumerate(inherited.body):
        for target in targets & set(_assigned(item)):
            later = inherited.body[index + 1 :]
            found[target] = found.get(target, False) or any(target in _read(i) for i in later)
    return found


def _calls_parent(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and ast.unparse(node.value).startswith("super().__init__(")


def _assigned(node: ast.stmt) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [item.attr for item in targets if isinstance(item, ast.Attribute)]


def _read(node: ast.stmt) -> set[str]:
    inner = ast.walk(node)
    return {i.attr for i in inner if isinstance(i, ast.Attribute) and isinstance(i.ctx, ast.Load)}
