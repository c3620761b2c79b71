"""Maps, windows, reshapes, branches and subgraphs of .nir files, against torch's own functions."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nir_files import Nodes, affine, chain, conv2d, ends, integrate, lif, write
from torch.nn import functional

import snncc
from snncc.frontends.frontend import ModelSpec, Traced
from snncc.frontends.registry import read_model
from snncc.semantics.traced import run_traced

RNG = np.random.default_rng(0)


def traced(path: Path, shape: tuple[int, ...], steps: int = 3) -> Traced:
    source = read_model(ModelSpec(path, convention="nir-literal", dt=1.0))
    assert source.input_shape == shape
    trace = source.trace(shape, steps, "auto")
    assert trace.findings == ()
    return trace


def answer(path: Path, images: np.ndarray) -> np.ndarray:
    """What the Output gives, [n, ...], for images that stand still."""
    graph = traced(path, images.shape[1:]).graph
    return run_traced(graph, images)[graph.output]


def one_layer(path: Path, kind: str, fields: dict[str, Any], before: list[int]) -> Path:
    nodes = {**ends(before, [1]), "layer": (kind, fields)}
    return write(path, nodes, chain("input", "layer", "output"))


def tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float64))


@pytest.mark.parametrize(
    "geometry",
    [
        {},
        {"stride": [2, 1], "padding": [1, 2], "dilation": [1, 2]},
        {"groups": 2, "padding": [1, 0]},
        {"padding": "same"},
        {"padding": "same", "dilation": [2, 1]},
        {"padding": "valid", "stride": [1, 3]},
        {"stride": 2, "padding": 1},
    ],
)
def test_convolutions_are_those_of_torch(tmp_path: Path, geometry: dict[str, Any]) -> None:
    groups = geometry.get("groups", 1)
    weight = RNG.normal(size=(6, 4 // groups, 3, 4))
    kind, fields = conv2d(weight, [7, 9], **geometry)
    fields = {**fields, "bias": RNG.normal(size=6)}
    path = one_layer(tmp_path / "net.nir", kind, fields, [4, 7, 9])
    images = RNG.normal(size=(5, 4, 7, 9))
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in geometry.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of "same", that it makes a copy
        wanted = functional.conv2d(tensor(images), tensor(weight), tensor(fields["bias"]), **given)
    assert np.allclose(answer(path, images), wanted.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("geometry", [{}, {"stride": 2, "padding": 1}, {"padding": "same"}])
def test_convolutions_of_one_dimension(tmp_path: Path, geometry: dict[str, Any]) -> None:
    """Two of them, and a Flatten: [C, N] is an image of height 1."""
    usual = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
    first, second = RNG.normal(size=(4, 2, 3)), RNG.normal(size=(3, 4, 1))
    one = {"weight": first, "bias": RNG.normal(size=4), "input_shape": 8, **usual, **geometry}
    two = {"weight": second, "bias": np.zeros(3), **usual}
    nodes = {
        **ends([2, 8], [1]),
        "one": ("Conv1d", one),
        "two": ("Conv1d", two),
        "flat": ("Flatten", {"start_dim": 0, "end_dim": -1}),
    }
    path = write(tmp_path / "net.nir", nodes, chain("input", "one", "two", "flat", "output"))
    images = RNG.normal(size=(5, 2, 1, 8))
    x = functional.conv1d(tensor(images[:, :, 0]), tensor(first), tensor(one["bias"]), **geometry)
    wanted = functional.conv1d(x, tensor(second)).numpy().reshape(5, -1)
    assert np.allclose(answer(path, images).reshape(5, -1), wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["SumPool2d", "AvgPool2d"])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, 2, 0), ([3, 2], [2, 1], [1, 1])])
def test_pools_count_the_zeros_of_their_padding(
    tmp_path: Path, kind: str, kernel: Any, stride: Any, padding: Any
) -> None:
    fields = {"kernel_size": kernel, "stride": stride, "padding": padding}
    path = one_layer(tmp_path / "net.nir", kind, fields, [3, 6, 5])
    images = RNG.normal(size=(4, 3, 6, 5))
    pair = [kernel, kernel] if isinstance(kernel, int) else kernel
    weight = torch.ones(3, 1, *pair, dtype=torch.float64)
    wanted = functional.conv2d(tensor(images), weight, None, stride, padding, groups=3).numpy()
    wanted = wanted if kind == "SumPool2d" else wanted / (pair[0] * pair[1])
    assert np.allclose(answer(path, images), wanted, rtol=1e-12, atol=1e-12)


def test_scales_lie_over_any_axes(tmp_path: Path) -> None:
    images = RNG.normal(size=(4, 2, 3, 3))
    for scale in (RNG.normal(size=(2, 3, 3)), np.array(0.5), np.full((2, 3, 3), 2.0)):
        path = one_layer(tmp_path / "net.nir", "Scale", {"scale": scale}, [2, 3, 3])
        assert np.allclose(answer(path, images), images * scale)


def test_a_threshold_forgets_and_is_strict(tmp_path: Path) -> None:
    nodes = {**ends([3], [3]), "z": ("Threshold", {"threshold": np.array([1.0, 2.0, 1.0])})}
    path = write(tmp_path / "net.nir", nodes, chain("input", "z", "output"))
    images = np.array([[1.0, 2.5, 1.25], [0.75, 2.0, 1.0]])
    assert answer(path, images).tolist() == [[0, 1, 1], [0, 0, 0]]


@pytest.mark.parametrize(("start", "end"), [(0, -1), (0, 2), (1, -1), (0, 1), (-2, 2)])
def test_a_flatten_counts_dimensions_without_a_batch(tmp_path: Path, start: int, end: int) -> None:
    fields = {"start_dim": start, "end_dim": end, "input_type": [2, 3, 4]}
    path = one_layer(tmp_path / "net.nir", "Flatten", fields, [2, 3, 4])
    images = RNG.normal(size=(5, 2, 3, 4))
    assert np.array_equal(answer(path, images).reshape(5, -1), images.reshape(5, -1))


def branches(path: Path) -> tuple[Path, Nodes]:
    """An image, flattened and read twice, meets a linear skip of its own spikes."""
    rng = np.random.default_rng(4)
    nodes: dict[str, Any] = {
        **ends([2, 3, 3], [4]),
        "conv": conv2d(rng.integers(0, 3, (2, 2, 1, 1)) * 0.5, [3, 3]),
        "first": ("IF", {k: np.full((2, 3, 3), v[0]) for k, v in integrate(1)[1].items()}),
        "flat": ("Flatten", {"start_dim": 0, "end_dim": -1}),
        "one": affine(rng.integers(-2, 3, (18, 18)) * 0.25),
        "two": affine(rng.integers(-2, 4, (4, 18)) * 0.25),
        "second": lif(4),
    }
    edges = [
        *chain("input", "conv", "first", "flat", "one", "two", "second", "output"),
        ("flat", "two"),
    ]
    return write(path, nodes, edges), nodes


def test_edges_that_meet_add_up(tmp_path: Path) -> None:
    """Also where one side has three axes and the other one: a Flatten and a linear map."""
    path, nodes = branches(tmp_path / "net.nir")
    images = RNG.integers(0, 4, (200, 2, 3, 3)).astype(np.float64)
    graph = traced(path, (2, 3, 3), 5).graph
    found = run_traced(graph, images)
    v, out = np.zeros((200, 18)), []
    x = np.einsum("oi,bihw->bohw", nodes["conv"][1]["weight"][:, :, 0, 0], images)
    memory = np.zeros((200, 4))
    for _ in range(5):
        v = v + x.reshape(200, -1)
        z = (v > 1.0).astype(np.float64)
        v = v * (1 - z)
        both = z + z @ nodes["one"][1]["weight"].T
        memory = memory + (both @ nodes["two"][1]["weight"].T - memory) / 2.0
        fires = (memory > 1.0).astype(np.float64)
        memory = memory * (1 - fires)
        out.append(fires)
    wanted = np.array(out)
    assert 0.02 < wanted.mean() < 0.9
    assert np.array_equal(np.moveaxis(found["second"], 1, 0), wanted)
    images8 = images.astype(np.uint8)
    program = snncc.compile(
        path,
        convention="nir-literal",
        dt=1.0,
        steps=5,
        normalize=(0.0, 1 / 255),
        weight_bits=16,
    )
    spikes = program.run(images8[:20]).spikes["second"].values
    assert np.array_equal(spikes.transpose(1, 0, 2), wanted[:, :20])


def test_subgraphs_stand_in_the_graph_that_holds_them(tmp_path: Path) -> None:
    inner = (
        {**ends([2], [2]), "lif": lif(2), "more": affine([[1.0, 0.5], [0.25, 1.0]])},
        chain("input", "lif", "more", "output"),
    )
    outer = (
        {**ends([2], [2]), "deep": ("NIRGraph", inner)},
        chain("input", "deep", "output"),
    )
    fc = affine([[1.0, 0.25], [0.5, 1.0]])
    nested = {**ends([2], [2]), "fc": fc, "sub": ("NIRGraph", outer), "end": lif(2)}
    plain = {**ends([2], [2]), "fc": fc, "lif": inner[0]["lif"], "more": inner[0]["more"]}
    one = write(tmp_path / "a.nir", nested, chain("input", "fc", "sub", "end", "output"))
    other = write(
        tmp_path / "b.nir",
        {**plain, "end": lif(2)},
        chain("input", "fc", "lif", "more", "end", "output"),
    )
    images = RNG.integers(0, 4, (50, 2)).astype(np.float64)
    found, wanted = (traced(path, (2,), 6).graph for path in (one, other))
    assert "sub.deep.lif" in found.by_name
    values, known = run_traced(found, images), run_traced(wanted, images)
    assert np.array_equal(values["sub.deep.lif"], known["lif"])
    assert np.array_equal(values["end"], known["end"])
    assert known["end"].any()


def test_the_order_of_edges_does_not_matter(tmp_path: Path) -> None:
    path, nodes = branches(tmp_path / "a.nir")
    edges = chain("input", "conv", "first", "flat", "one", "two", "second", "output")
    other = write(tmp_path / "b.nir", nodes, [("flat", "two"), *edges[::-1]])
    calls = {"convention": "nir-literal", "dt": 1.0, "steps": 2}
    assert snncc.compile(path, **calls).digest == snncc.compile(other, **calls).digest
