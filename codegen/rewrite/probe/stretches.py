"""The probe interpreter on a stretch of statements of a method, with lists in the place of what the host reads."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from codegen.rewrite.functions import Function
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.probe.budget import OverBudget, metered
from codegen.rewrite.probe.prompting import PromptInterpreter
from codegen.rewrite.probe.trace import Flow, Refused, Return
from codegen.rewrite.probe.values import LATE, Module, Unsupported


class StretchInterpreter(PromptInterpreter):
    """Interprets neighbouring statements of a method."""

    put: Mapping[ast.stmt, tuple[str, Any]] = {}
    """What statements are taken to give, instead of being run."""

    def run_stretch(
        self,
        cls: ClassInfo,
        function: Function,
        given: dict[str, Any],
        statements: Sequence[ast.stmt],
    ) -> dict[str, Any]:
        """Run statements with parameters as given; the names that are known then.

        What is not understood makes late what it assigns. ``refused`` or ``cost`` of the trace say why a run ended.
        """
        self._module = cls.module
        with metered(self.meter), np.errstate(all="ignore"):
            env = self._frame(function, Module(cls, "self"), [], given)
            for number, statement in enumerate(statements):
                self._top = number
                try:
                    self._safely(statement, env)
                except Unsupported as problem:
                    self.trace.reasons[number] = str(problem)
                except (Refused, Flow, Return) as problem:
                    self.trace.refused = str(problem) or "a return"
                    return env
                except OverBudget as problem:
                    self.trace.cost = str(problem)
                    return dict.fromkeys(env, LATE)
        return env

    def _statement(self, node: ast.stmt, env: dict[str, Any]) -> None:
        if node in self.put:
            name, value = self.put[node]
            env[name] = value
            return
        super()._statement(node, env)
