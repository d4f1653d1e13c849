"""Hand on the optional inputs that rules of capture have brought in.

A step of lift that runs behind capture. The method that takes such an input computes it where it is needed
and not given; callers up to the encoder take it as a parameter and hand it on.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codegen.rewrite.functions import Function
from codegen.rewrite.helper_entry import Helper
from codegen.rewrite.helpers import BY_CAPTURE
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.place.bindings import is_of_entry
from codegen.rewrite.place.carry import HelperCall
from codegen.rewrite.place.demands import guarded_results
from codegen.rewrite.place.lift import Lifter
from codegen.rewrite.place.lifting import Lifting
from codegen.rewrite.place.write_liftings import write_liftings
from codegen.rewrite.state import RewriteState

Found = tuple[ClassInfo, Function, Helper, ast.Assign]


def lift_later(state: RewriteState) -> None:
    """Thread the inputs that capture has added to methods of the state through their callers."""
    found = list(_captured(state))
    if not found:
        return
    lifter = Lifter(state)
    for cls, function, helper, statement in found:
        assert isinstance(statement.value, ast.Call)
        arguments = tuple(ast.unparse(argument) for argument in statement.value.args)
        portable = is_of_entry(lifter.reaching(function), function, statement, arguments)
        lifting = lifter.direct.setdefault(id(function), Lifting(cls, function))
        # What is given is not asked for in any case: callers need not compute it ahead.
        lifting.calls[helper.name] = HelperCall(helper, arguments, None, portable, eager=False)
    lifter.thread()
    # The methods themselves have their parameters.
    lifter.liftings = {key: item for key, item in lifter.liftings.items() if item.carried}
    write_liftings(state, lifter.liftings, lifter.not_lifted)
    state.settle()


def _captured(state: RewriteState) -> Iterator[Found]:
    """Methods that compute such an input unless it is given."""
    for info in state.candidates():
        for cls in state.classes(info):
            for function in cls.methods.values():
                segment = info.segment(function)
                if not any(helper.name in segment for helper in BY_CAPTURE):
                    continue
                for helper, statement in guarded_results(function):
                    if helper in BY_CAPTURE:
                        yield cls, function, helper, statement
