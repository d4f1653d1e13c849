"""The contract of :mod:`codegen.verify.contract` holds for all our processors, and is one that can be broken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest

pytest.importorskip("torchvision")

from codegen.verify.contract import ProcessorContract
from tests.processors.cases import CASES, ProcessorCase
from tests.processors.support import items, our_processor

CONTRACT = [name for name in vars(ProcessorContract) if name.startswith("test_")]


class OurContract(ProcessorContract):
    """The contract of one of our processors."""

    def __init__(self, case: ProcessorCase) -> None:
        self.case = case
        self.placeholders = case.wrapped
        self.options = case.options
        self.equal_numbers = case.equal_numbers

    def processor(self) -> Any:
        return our_processor(self.case)

    def within(self, text: str) -> str:
        return re.sub(self.case.suffix + "$", "", text)

    def items(self, modality: str) -> Sequence[Any]:
        return items(modality)


@pytest.mark.parametrize("test", CONTRACT)
@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_our_processors_keep_the_contract(case: ProcessorCase, test: str) -> None:
    getattr(OurContract(case), test)()
