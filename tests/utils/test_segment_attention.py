"""The attention operator against the split that eager code makes, alone and inside graphs."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from codegen.output.helper_bundle import bundle_helpers
from utils import operators
from utils import segment_attention as helper
from utils.segment_attention import attend_segments, segment_attention
from utils.segment_operator import SEGMENT_ATTENTION, find_varlen_kernel

SCALE = 0.3
BOUNDARIES = [
    [0, 40],
    [0, 7, 30, 40],
    [0, 0, 7, 7, 7, 39, 40, 40],  # empty segments and one of a single token
]
Three = list[torch.Tensor]


def draw_states(
    tokens: int, dtype: torch.dtype = torch.float32, heads: int = 2, groups: int = 1
) -> Three:
    """Query, key and value as models have them: (tokens, heads, width), transposed."""
    counts = (heads, heads // groups, heads // groups)
    states = [torch.randn(tokens, count, 16, dtype=dtype) for count in counts]
    return [state.requires_grad_().transpose(0, 1).unsqueeze(0) for state in states]


def split_attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, cu_seqlens: torch.Tensor
) -> torch.Tensor:
    """What a model does eagerly, with the library's own function."""
    lengths = (cu_seqlens[1:] - cu_seqlens[:-1]).tolist()
    pieces = [torch.split(state, lengths, dim=2) for state in (query, key, value)]
    layer = LAYERS["sdpa"]
    outputs = [
        sdpa_attention_forward(layer, q, k, v, None, scaling=SCALE, is_causal=False)[0]
        for q, k, v in zip(*pieces)
        if q.shape[2]
    ]
    return torch.cat(outputs, dim=1)


def make_layer(implementation: str) -> Any:
    layer = torch.nn.Module()
    layer.num_key_value_groups = 1
    layer.config = type("Config", (), {"_attn_implementation": implementation})()
    return layer


LAYERS = {implementation: make_layer(implementation) for implementation in ("sdpa", "eager")}


def gradients(output: torch.Tensor, states: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(1)
    return torch.autograd.grad(output, states, torch.randn_like(output))


def all_equal(left: Sequence[torch.Tensor], right: Sequence[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


@pytest.mark.parametrize("boundaries", BOUNDARIES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("groups", [1, 2])
def test_values_and_gradients_are_those_of_the_split_bit_for_bit(
    boundaries: list[int], dtype: torch.dtype, groups: int
) -> None:
    states = draw_states(40, dtype, 4, groups)
    cu_seqlens = torch.tensor(boundaries, dtype=torch.int32)
    expected = split_attention(*states, cu_seqlens)
    found = segment_attention(*states, cu_seqlens, SCALE, True)
    assert torch.equal(found, expected) and found.stride() == expected.stride()
    assert all_equal(gradients(found, states), gradients(expected, states))


def test_the_math_kernel_is_the_same_too() -> None:
    states, cu_seqlens = draw_states(40), torch.tensor([0, 7, 40])
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        expected, found = split_attention(*states, cu_seqlens), None
        found = segment_attention(*states, cu_seqlens, SCALE)
        assert torch.equal(found, expected) and found.is_contiguous()
        assert all_equal(gradients(found, states), gradients(expected, states))


@pytest.mark.parametrize("requires_grad", [False, True])
def test_the_registration_keeps_the_rules_of_operators(requires_grad: bool) -> None:
    states = [state.detach().requires_grad_(requires_grad) for state in draw_states(20)]
    results = torch.library.opcheck(
        SEGMENT_ATTENTION, (*states, torch.tensor([0, 5, 5, 20]), SCALE, False)
    )
    assert set(results.values()) == {"SUCCESS"}


@pytest.mark.parametrize("boundaries", [[0, 5, 19], [0, 5, 21], [1, 20], [0, 12, 8, 20]], ids=str)
def test_boundaries_that_do_not_fit_are_refused(boundaries: list[int]) -> None:
    with pytest.raises(RuntimeError, match="do not divide 20 tokens"):
        segment_attention(*draw_states(20), torch.tensor(boundaries))


def test_a_second_derivative_is_refused() -> None:
    states = draw_states(20)
    output = segment_attention(*states, torch.tensor([0, 5, 20]))
    with pytest.raises(NotImplementedError, match="can be differentiated once"):
        torch.autograd.grad(output.sum(), states, create_graph=True)


# -- the call that models make ----------------------------------------------------------------------


def call(states: Three, cu_seqlens: torch.Tensor, **further: Any) -> torch.Tensor:
    layer = LAYERS[further.pop("implementation", "sdpa")]
    query, key, value = states
    given = {"scaling": SCALE, "dropout": 0.0, "is_causal": False, **further}
    return attend_segments(sdpa_attention_forward, layer, query, key, value, cu_seqlens, **given)[0]


def operators_in(function: Any, *inputs: Any) -> tuple[torch.Tensor, list[str]]:
    """The result of a compiled function, and what its graphs call."""
    called: list[str] = []

    def backend(module: torch.fx.GraphModule, _: Any) -> Any:
        called.extend(str(node.target) for node in module.graph.nodes)
        return module.forward

    torch._dynamo.reset()
    result = torch.compile(function, fullgraph=True, backend=backend)(*inputs)
    return result, called


def test_compiled_it_is_the_operator_without_any_mask() -> None:
    states, cu_seqlens = draw_states(40), torch.tensor([0, 7, 40])
    found, called = operators_in(call, states, cu_seqlens)
    assert torch.equal(found, split_attention(*states, cu_seqlens))
    assert any("segment_attention" in name for name in called)
    assert not any("searchsorted" in name or "scaled_dot" in name for name in called)


@pytest.mark.parametrize(
    "further",
    [{"bias": torch.zeros(1)}, {"implementation": "eager"}, {"dropout": 0.5}],
    ids=lambda further: next(iter(further)),
)
def test_what_the_operator_cannot_do_keeps_the_mask(further: dict[str, Any]) -> None:
    states, cu_seqlens = draw_states(40), torch.tensor([0, 7, 40])
    found, called = operators_in(lambda: call(states, cu_seqlens, **further))
    assert not any("segment_attention" in name for name in called)
    if "dropout" not in further:
        torch.testing.assert_close(found, split_attention(*states, cu_seqlens))


def count_pairs(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, **kwargs: Any
) -> tuple[torch.Tensor, Any]:
    return query.transpose(1, 2) + kwargs["attention_mask"].sum(), kwargs.get("output_attentions")


@pytest.mark.parametrize("name", ["a_function", "some_function"])
def test_another_function_under_the_name_of_sdpa_is_called(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(count_pairs, "__name__", name)
    query, key, value = draw_states(6)
    cu_seqlens = torch.tensor([0, 2, 6])
    found, _ = operators_in(
        lambda: attend_segments(count_pairs, LAYERS["sdpa"], query, key, value, cu_seqlens)[0]
    )
    assert torch.equal(found, query.transpose(1, 2) + (2 * 2 + 4 * 4))


def test_wanted_attention_weights_reach_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(count_pairs, "__name__", "sdpa_attention_forward")
    given = (count_pairs, LAYERS["sdpa"], *draw_states(6), torch.tensor([0, 2, 6]))
    wanted, _ = operators_in(lambda: attend_segments(*given, output_attentions=True)[1])
    assert wanted is True
    weights, _ = operators_in(lambda: attend_segments(*given, output_attentions=False)[1])
    assert weights is None


class Exported(torch.nn.Module):
    def forward(self, states: Three, cu_seqlens: torch.Tensor) -> torch.Tensor:
        return call(states, cu_seqlens)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("kept", [False, True])
def test_exported_it_is_a_form_that_other_runtimes_know_unless_asked(
    strict: bool, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operators, "KEEP_IN_EXPORTS", kept)
    states = [state.detach() for state in draw_states(40)]
    inputs = (states, torch.tensor([0, 7, 40]))
    tokens, segments = torch.export.Dim("tokens", min=2), torch.export.Dim("segments", min=3)
    program = torch.export.export(
        Exported(), inputs, dynamic_shapes=([{2: tokens}] * 3, {0: segments}), strict=strict
    )
    assert kept == any("segment_attention" in str(node.target) for node in program.graph.nodes)
    states, cu_seqlens = [s.detach() for s in draw_states(30)], torch.tensor([0, 3, 9, 30])
    expected = split_attention(*states, cu_seqlens)
    torch.testing.assert_close(program.module()(states, cu_seqlens), expected)


def test_under_autocast_it_computes_in_the_dtype_of_sdpa() -> None:
    states, cu_seqlens = draw_states(40), torch.tensor([0, 7, 40])
    with torch.autocast("cpu", torch.bfloat16):
        expected = split_attention(*states, cu_seqlens)
        found, called = operators_in(call, states, cu_seqlens)
    assert any("segment_attention" in name for name in called)
    assert found.dtype == torch.bfloat16 and torch.equal(found, expected)


def test_other_numbers_of_segments_need_no_further_compilation() -> None:
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("inductor")

    def scaled(states: Three, cu_seqlens: torch.Tensor) -> torch.Tensor:
        return call([state * 1.5 for state in states], cu_seqlens) + 1

    compiled = torch.compile(scaled, fullgraph=True, backend=counter)
    for boundaries in ([0, 7, 40], [0, 20, 20, 50], [0, 1, 2, 60], [0, 33]):
        states, cu_seqlens = draw_states(boundaries[-1]), torch.tensor(boundaries)
        found, expected = compiled(states, cu_seqlens), scaled_split(states, cu_seqlens)
        assert torch.equal(found, expected)
        assert all_equal(gradients(found, states), gradients(expected, states))
    assert counter.frame_count == 2  # for the first sizes, and once for any


def scaled_split(states: Three, cu_seqlens: torch.Tensor) -> torch.Tensor:
    query, key, value = (state * 1.5 for state in states)
    return split_attention(query, key, value, cu_seqlens) + 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("boundaries", BOUNDARIES, ids=str)
def test_kernels_of_variable_length_agree_with_the_split(
    boundaries: list[int], dtype: torch.dtype
) -> None:
    states = [state.detach().to("cuda").requires_grad_() for state in draw_states(40, dtype)]
    assert find_varlen_kernel(*states) is not None
    cu_seqlens = torch.tensor(boundaries, device="cuda")
    expected = split_attention(*states, cu_seqlens)
    found = segment_attention(*states, cu_seqlens, SCALE)
    bound = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(found, expected, rtol=bound, atol=bound)
    for left, right in zip(gradients(found, states), gradients(expected, states), strict=True):
        torch.testing.assert_close(left, right, rtol=bound, atol=bound)


# -- several copies ---------------------------------------------------------------------------------


def load_copy(folder: Path, name: str) -> ModuleType:
    """The helpers as they are written beside a model."""
    path = folder / f"{name}.py"
    path.write_text(bundle_helpers(["attend_segments"]), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_copies_of_the_helpers_share_one_operator_that_outlives_them(tmp_path: Path) -> None:
    copies = [load_copy(tmp_path, f"copy_of_helpers_{number}") for number in range(2)]
    assert copies[0].SEGMENT_ATTENTION is copies[1].SEGMENT_ATTENTION is SEGMENT_ATTENTION
    states, cu_seqlens = draw_states(40), torch.tensor([0, 7, 40])
    expected = helper.segment_attention(*states, cu_seqlens)
    for copy in copies:
        assert torch.equal(copy.segment_attention(*states, cu_seqlens), expected)
    for copy in copies:
        del sys.modules[copy.__name__]
    del copy, copies
    found = segment_attention(*states, cu_seqlens)
    assert all_equal(gradients(found, states), gradients(expected, states))
