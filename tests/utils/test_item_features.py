"""Features by item, and counts of what a mask selects, against torch's own."""

import pytest
import torch

from utils.item_features import count_selected, split_by_item


def test_each_item_has_its_rows() -> None:
    rows = torch.arange(12.0).view(6, 2)
    parts = split_by_item(rows, torch.tensor([1, 3, 2]))
    assert [part.tolist() for part in parts] == [part.tolist() for part in rows.split([1, 3, 2])]
    with pytest.raises(RuntimeError, match="split"):
        split_by_item(rows, torch.tensor([1, 3]))


def test_a_graph_holds_for_any_number_of_items() -> None:
    def joined(rows: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
        return torch.cat(split_by_item(rows, sizes)) * 2

    class Joined(torch.nn.Module):
        forward = staticmethod(joined)

    rows = torch.randn(7, 3)
    dynamic = ({0: torch.export.Dim.AUTO}, {0: torch.export.Dim.AUTO})
    first = (rows, torch.tensor([3, 4]))
    program = torch.export.export(Joined(), first, dynamic_shapes=dynamic)
    others = torch.randn(9, 3)
    assert torch.equal(program.module()(others, torch.tensor([2, 3, 4])), others * 2)


@pytest.mark.parametrize(
    "selection",
    [
        torch.tensor([[True, False, True], [False, False, True]]),
        torch.tensor([[True, False, True], [False, False, True]])[:, :, None].expand(2, 3, 4),
        torch.tensor([[1, 0, 1], [0, 0, 2]], dtype=torch.uint8),
        torch.tensor([True, False]),
        torch.tensor([1, 0, 1]),
    ],
    ids=["mask", "expanded", "bytes", "rows", "indices"],
)
@pytest.mark.filterwarnings("ignore:indexing with dtype torch.uint8")
def test_what_is_selected_is_counted(selection: torch.Tensor) -> None:
    values = torch.randn(2, 3, 4)
    assert int(count_selected(values, selection)) == values[selection].numel()
