"""Random checkpoints of torch.save are read as they were saved, bit for bit."""

import random
import warnings
from collections import OrderedDict, defaultdict, deque
from pathlib import Path

import pytest
import torch
from torch import nn

from snncc.frontends.checkpoint import load_checkpoint

TYPES = (
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int8, torch.uint8),
    *(torch.int16, torch.int32, torch.int64, torch.bool, torch.uint16, torch.uint32, torch.uint64),
    *(torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz),
)


def a_tensor(rng: random.Random, shared: torch.Tensor) -> torch.Tensor:
    """Of any type, shape and stride; sometimes a part of a tensor that others are parts of, too."""
    if rng.random() < 0.2:
        start = rng.randrange(16)
        return shared[start : start + 4]
    x = (3 * torch.randn([rng.randint(0, 4) for _ in range(rng.randint(0, 4))])).abs()
    x = x.to(rng.choice(TYPES))
    if x.dim() > 1 and rng.random() < 0.4:
        x = x.transpose(0, -1)
    if x.dim() and rng.random() < 0.4:
        x = x[rng.choice((slice(1, None), slice(None, None, 2)))]
    if rng.random() < 0.1:
        x = x.unsqueeze(0).expand(3, *x.shape)
    if x.dtype == torch.float32 and rng.random() < 0.4:
        return nn.Parameter(x)
    return nn.Buffer(x) if rng.random() < 0.1 else x


def beside(rng: random.Random, state: dict[str, torch.Tensor]) -> object:
    """The state alone, or with whatever scripts save beside it."""
    things: list[object] = [1, 2.5, None, True, (1, "a"), {1: 2}, {1, 2}, frozenset([1]), b"abc"]
    things += [bytearray(b"a"), 1j, defaultdict(list), deque([1]), torch.float32, Path("runs")]
    things += [torch.device("cpu"), 2**80, -1, slice(1, 2), range(3)]
    options = {f"x{n}": rng.choice(things) for n in range(3)}
    return rng.choice((state, OrderedDict(state), {"net": state, **options}))


@pytest.mark.parametrize("seed", range(24))
def test_a_random_checkpoint_is_read_as_it_was_saved(tmp_path: Path, seed: int) -> None:
    torch.manual_seed(seed)
    rng = random.Random(seed)  # noqa: S311
    shared = torch.randn(20)
    state = {f"a.{n}.weight": a_tensor(rng, shared) for n in range(rng.randint(1, 8))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(
            beside(rng, state),
            tmp_path / "c.pth",
            pickle_protocol=rng.choice((2, 2, 3, 4, 5)),
            _use_new_zipfile_serialization=rng.random() < 0.6,
        )
    found = load_checkpoint(tmp_path / "c.pth").state
    assert found.keys() == state.keys()
    for name, value in state.items():
        small = value.is_floating_point() and value.dtype.itemsize == 1
        wanted = value.detach().to(torch.float32) if small else value.detach()
        mine = found[name]
        assert (mine.dtype, mine.shape) == (wanted.dtype, wanted.shape)
        pair = [t.clone(memory_format=torch.contiguous_format) for t in (mine, wanted)]
        a, b = (bytes(t.untyped_storage().tolist()) for t in pair)
        assert a == b, name
