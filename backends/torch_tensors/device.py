"""Devices: whether there is one, that its products are exact, and how many images fit."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from math import prod

import numpy as np
import torch

from snncc.backends.torch_tensors.forms import Form
from snncc.backends.torch_tensors.matrices import product
from snncc.backends.torch_tensors.precision import float32_whole
from snncc.diagnostics import SnnccError
from snncc.ir import Graph
from snncc.ir.dialects.projections import Convolve
from snncc.ir.op import Op

CPU_BYTES = 1 << 28
"""Values of images that are computed at once take about so much of a CPU's memory..."""
SHARE = 4
"""... and one part in so many of what a GPU has free."""
PROBED = 64
"""Rows, inputs and outputs of the product that a device is tried with."""


def opened(device: str, forms: set[Form]) -> torch.device:
    """A device whose products are exact in these forms.

    Raises:
        SnnccError: SNN050 when there is none, SNN053 when it rounds.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise SnnccError(
            "SNN050",
            "torch finds no CUDA device here",
            why=f"torch {torch.__version__} is installed, torch.cuda.is_available() is False",
            help="leave --device out: --executor torch runs on the CPU too, with the same bits",
        )
    found = torch.device(device)
    with exact_products(found):
        for form in sorted(forms - {Form.INT64}):
            _require_exact(found, form)
    return found


@contextmanager
def exact_products(device: torch.device) -> Generator[None]:
    """Within the block products of floats are what their type says, and nothing records gradients.

    A caller's settings may let torch multiply float32 in fewer bits (TF32, bfloat16): they are put
    back afterwards.
    """
    with (
        float32_whole(),
        torch.inference_mode(),
        torch.autocast(device.type, enabled=False),
    ):
        yield


def _require_exact(device: torch.device, form: Form) -> None:
    """Multiplies numbers whose products need every bit of the form: what settings can spoil shows.

    Each element has one product that fills the form, the last of its sum, and smaller ones.
    """
    low, high = {Form.FLOAT32: (12, 12), Form.FLOAT64: (26, 27)}.get(form, (7, 7))
    x, w = (np.zeros((PROBED, PROBED), np.int64) for _ in range(2))
    rows = np.arange(PROBED)
    x[rows, rows] = (1 << low) - 1 - rows
    w[rows, :] = (1 << high) - 1 - (rows[:, None] + rows) % PROBED
    tensors = [torch.from_numpy(each).to(device)[None] for each in (x, w)]
    got = product(tensors[0], tensors[1], form)[0].cpu().numpy()
    wanted = (x[rows, rows][:, None]) * w
    if not np.array_equal(got, wanted):
        raise SnnccError(
            "SNN053",
            f"products of {form.value} are rounded on {device}",
            why=f"torch {torch.__version__} multiplies integers that {form.value} holds, and the "
            "result is another: a setting or a variable lets it use fewer bits",
            help="unset what lets libraries round (NVIDIA_TF32_OVERRIDE, DNNL_DEFAULT_FPMATH_MODE),"
            " or run the program with --executor simulator",
        )


def images_at_once(graph: Graph, forms: Mapping[str, Form], device: torch.device) -> int:
    """How many images are computed at a time, from the largest values of the program."""
    each = max(_bytes(graph, node.op, node.name) for node in graph.nodes)
    each += sum(prod(node.type.shape) for node in graph.nodes if node.type.domain is not None)
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return max(1, min(4096, free // (SHARE * each)))
    return max(1, min(256, CPU_BYTES // each))


def _bytes(graph: Graph, op: Op, name: str) -> int:
    """About what computing a node takes for an image: its sources and result, and copies."""
    node = graph[name]
    sizes = [prod(graph[source].type.with_time(graph.steps).shape) for source in node.inputs]
    made = prod(node.type.with_time(graph.steps).shape)
    rows = 0
    if isinstance(op, Convolve):
        weight = graph.constants[op.weight.name]
        rows = made // weight.shape[-4] * prod(weight.shape[-3:]) * op.groups
    return 8 * (3 * (sum(sizes) + made) + 2 * rows)


@contextmanager
def out_of_memory(images: int) -> Generator[None]:
    """Turns torch's error of a device that is full into one of ours (SNN004)."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise SnnccError(
            "SNN004",
            "the device has not enough memory",
            why=f"{images} images are computed at a time: {str(error).splitlines()[0]}",
            help="free memory of the device, or run on the CPU",
        ) from error
