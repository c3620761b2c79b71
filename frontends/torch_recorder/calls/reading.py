"""Whether Python or NumPy sees the data of a value, by whichever door.

A call on data that gives no tensor gives numbers, unless it is asked for what a tensor is. A result
whose shape depends on data shows data in its shape.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._pytree import tree_flatten

from snncc.frontends.torch_recorder.steps import Value

METADATA = frozenset(
    (
        *("shape", "size", "dim", "ndim", "ndimension", "numel", "nelement", "len", "stride"),
        *("dtype", "type", "device", "get_device", "layout", "element_size", "itemsize", "nbytes"),
        *("storage_offset", "is_contiguous", "is_floating_point", "is_complex", "is_signed"),
        *("is_sparse", "is_sparse_csr", "is_quantized", "is_meta", "is_cuda", "is_cpu", "is_mps"),
        *("is_leaf", "is_conj", "is_neg", "is_inference", "is_shared", "is_pinned", "is_mkldnn"),
        *("is_xpu", "is_vulkan", "is_nested", "is_ipu", "is_hpu", "is_maia", "is_mtia", "is_xla"),
        *("is_view", "is_storage", "is_same_size", "is_set_to", "requires_grad", "grad"),
        *("grad_fn", "retains_grad", "names", "has_names", "name", "version", "output_nr"),
        *("hash", "data_ptr", "dlpack_device", "repr", "str", "format", "dir", "register_hook"),
        *("reduce_ex", "backward", "volatile", "result_type"),
    )
)
"""What a tensor is, and what shows it to a person; underscores left out."""
_SHAPED_BY_DATA = frozenset(
    (
        *("nonzero", "argwhere", "masked_select", "unique", "unique_consecutive", "unique_dim"),
        *("bincount", "to_sparse", "to_sparse_coo", "to_sparse_csr", "to_sparse_csc"),
        *("to_sparse_bsr", "to_sparse_bsc"),
    )
)
_MASKS = (torch.bool, torch.uint8)


def reads_data(
    raw: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    out: Any,
    value_of: Callable[[Any], Value | None],
) -> bool:
    """Whether a call on data shows it outside of tensors.

    Args:
        raw: name of the function.
        args: of the call.
        kwargs: of the call, by name.
        out: what it gave.
        value_of: the value of a tensor that depends on the input; None for others.
    """
    name = raw.strip("_")
    tensors = [o for o in tree_flatten(out)[0] if isinstance(o, torch.Tensor)]
    if not tensors:
        return out is not None and name not in METADATA
    if name in _SHAPED_BY_DATA:
        return True
    if name == "where":
        return len(args) + len(kwargs) == 1
    if name == "repeat_interleave":
        counts = kwargs.get("repeats", args[1] if len(args) > 1 else args[0])
        return value_of(counts) is not None
    if name != "getitem":
        return False
    places = [a for a in tree_flatten(args[1:])[0] if isinstance(a, torch.Tensor)]
    return any(a.dtype in _MASKS and value_of(a) is not None for a in places)
