"""Every fault of a .nir file is one finding with the node's name; what is clear is repaired."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nir_files import Edges, Nodes, affine, chain, conv2d, ends, lif, small, write

import snncc
from snncc.diagnostics import SnnccError
from snncc.frontends.frontend import ModelSpec, Source
from snncc.frontends.nir import hdf5_file
from snncc.frontends.registry import read_model

h5py = pytest.importorskip("h5py")
LINE = chain("input", "fc", "lif", "output")
NAN = float("nan")


def nodes(**changed: Any) -> dict[str, Any]:
    """Input, Affine of 2, LIF of 2, Output, with some nodes replaced, added or (None) left out."""
    usual = {**ends([2], [2]), "fc": affine([[1.0, 0.5], [0.25, 1.0]]), "lif": lif(2), **changed}
    return {name: node for name, node in usual.items() if node is not None}


def changed(node: tuple[str, Any], **fields: Any) -> tuple[str, Any]:
    kept = {**node[1], **fields}
    return node[0], {key: each for key, each in kept.items() if each is not None}


def read(path: Path) -> Source:
    return read_model(ModelSpec(path, convention="nir-literal", dt=1.0))


def refuse(path: Path) -> None:
    """Raises what compiling would raise."""
    source = read(path)
    raise SnnccError.of(source.trace(source.input_shape or (), 2, "auto").findings)


def findings(path: Path) -> list[Any]:
    with pytest.raises(SnnccError) as error:
        refuse(path)
    return list(error.value.findings)


FAULTS: dict[str, tuple[Nodes, Edges, str, str]] = {
    "unknown type": (nodes(lif=("Spiky", {})), LINE, "lif", "does not have"),
    "no field": (nodes(lif=changed(lif(2), r=None)), LINE, "lif", "has no r"),
    "unknown field": (nodes(lif=changed(lif(2), leak=1.0)), LINE, "lif", "has leak"),
    "NaN": (nodes(lif=lif(2, tau=[NAN, 1.0])), LINE, "lif", "tau that is not finite"),
    "infinite": (nodes(fc=affine([[np.inf, 1], [1, 1]])), LINE, "fc", "not finite"),
    "huge": (nodes(fc=affine([[1e300, 1], [1, 1]])), LINE, "fc", "beyond 1e+30"),
    "tau below 0": (nodes(lif=lif(2, tau=-1.0)), LINE, "lif", "not above 0"),
    "tau 0": (nodes(lif=lif(2, tau=0.0)), LINE, "lif", "not above 0"),
    "bias of another length": (
        nodes(fc=affine([[1.0, 0.0], [0.0, 1.0]], [1.0, 2.0, 3.0])),
        LINE,
        "fc",
        "bias of shape [3]",
    ),
    "weight of another width": (nodes(fc=affine(np.ones((2, 3)))), LINE, "fc", "gets one of [2]"),
    "weight of one axis": (nodes(fc=("Linear", {"weight": np.ones(2)})), LINE, "fc", "shape [2]"),
    "neurons of another number": (nodes(lif=lif(3)), LINE, "lif", "shape [3]"),
    "neurons of two numbers": (
        nodes(lif=changed(lif(2), tau=np.ones(3))),
        LINE,
        "lif",
        "several shapes",
    ),
    "a text for a number": (nodes(lif=changed(lif(2), r="one")), LINE, "lif", "text 'one'"),
    "an empty field": (nodes(lif=changed(lif(2), r=np.zeros(0))), LINE, "lif", "shape [0]"),
    "an edge to nowhere": (
        nodes(),
        [*LINE, ("lif", "more"), ("more", "output"), ("less", "output")],
        "less",
        "no node is called so",
    ),
    "an edge twice": (nodes(), [*LINE, ("fc", "lif")], "lif", "stands twice"),
    "no Input": (nodes(input=None), chain("fc", "lif", "output"), "", "no Input"),
    "no Output": (nodes(output=None), chain("input", "fc", "lif"), "", "no Output"),
    "an edge from the Output": (nodes(), [*LINE, ("output", "fc")], "output", "leads from"),
    "an edge to the Input": (nodes(), [*LINE, ("lif", "input")], "input", "leads to"),
    "a node that reads nothing": (
        nodes(more=affine(np.ones((2, 2)))),
        [*LINE, ("more", "lif")],
        "more",
        "reads nothing",
    ),
    "a loop beside the Input": (
        nodes(more=affine(np.ones((2, 2))), less=affine(np.ones((2, 2)))),
        [*LINE, ("more", "less"), ("less", "more"), ("less", "lif")],
        "less",
        "idle",
    ),
    "an Output that nothing reaches": (
        nodes(),
        chain("input", "fc", "lif"),
        "output",
        "reads nothing",
    ),
    "sums of two shapes": (
        nodes(more=affine(np.ones((3, 2)))),
        [*LINE, ("input", "more"), ("more", "lif")],
        "lif",
        "adds up values",
    ),
    "dimensions of a Flatten": (
        nodes(fc=("Flatten", {"start_dim": 0, "end_dim": 3})),
        LINE,
        "fc",
        "dimensions 0 to 3",
    ),
    "half a stride": (
        nodes(fc=changed(conv2d(np.ones((1, 1, 1, 1)), [1, 1]), stride=[0.5, 1])),
        LINE,
        "fc",
        "whole numbers",
    ),
    "no stride": (
        nodes(fc=changed(conv2d(np.ones((1, 1, 1, 1)), [1, 1]), stride=[0, 1])),
        LINE,
        "fc",
        "stride of [0, 1]",
    ),
    "padding by another name": (
        nodes(fc=changed(conv2d(np.ones((1, 1, 1, 1)), [1, 1]), padding="full")),
        LINE,
        "fc",
        "text 'full'",
    ),
    "groups that do not divide": (
        nodes(fc=changed(conv2d(np.ones((3, 1, 1, 1)), [1, 1]), groups=2)),
        LINE,
        "fc",
        "[2] groups",
    ),
    "a convolution of a vector": (
        nodes(fc=conv2d(np.ones((1, 1, 1, 1)), [1, 1])),
        LINE,
        "fc",
        "not 3 dimensions",
    ),
    "an Input of no size": (nodes(input=("Input", {"shape": [0]})), LINE, "input", "shape of [0]"),
    "a hostile Input": (
        nodes(input=("Input", {"shape": [1 << 20, 1 << 20]})),
        LINE,
        "input",
        "numbers from 1",
    ),
    "a subgraph without ends": (
        nodes(lif=("NIRGraph", ({"a": lif(2)}, []))),
        LINE,
        "lif",
        "0 nodes of type Input",
    ),
}
UNSUPPORTED: dict[str, tuple[Nodes, Edges, str, str]] = {
    "a loop without neurons": (
        nodes(back=affine(np.ones((2, 2)))),
        [*LINE, ("fc", "back"), ("back", "fc")],
        "fc",
        "leads through no neurons",
    ),
    "a loop beside another way": (
        nodes(back=affine(np.ones((2, 2)))),
        [*LINE, ("lif", "back"), ("back", "lif"), ("back", "output")],
        "lif",
        "something else too",
    ),
    "a loop through a delay": (
        nodes(back=("Delay", {"delay": np.ones(2)})),
        [*LINE, ("lif", "back"), ("back", "lif")],
        "lif",
        "between the neurons",
    ),
    "a delay of the image": (
        nodes(wait=("Delay", {"delay": np.ones(2)})),
        chain("input", "wait", "fc", "lif", "output"),
        "wait",
        "delays the Input",
    ),
    "a delay of the image times constants": (
        nodes(times=("Scale", {"scale": np.full(2, 2.0)}), wait=("Delay", {"delay": np.ones(2)})),
        chain("input", "times", "wait", "fc", "lif", "output"),
        "wait",
        "delays the Input",
    ),
    "a long delay": (nodes(lif=("Delay", {"delay": 1e4})), LINE, "lif", "4,096 are possible"),
    "two Inputs": (
        nodes(other=("Input", {"shape": [2]})),
        [*LINE, ("other", "fc")],
        "other",
        "one input",
    ),
    "two Outputs": (
        nodes(result=("Output", {"shape": [2]})),
        [*LINE, ("fc", "result")],
        "result",
        "one output",
    ),
    "a kernel that would fill memory": (
        nodes(
            fc=changed(conv2d(np.ones((1, 1, 4, 4)), [1, 1]), padding="same", dilation=4095),
            input=("Input", {"shape": [1, 1, 1]}),
            lif=None,
        ),
        chain("input", "fc", "output"),
        "fc",
        "spans",
    ),
    "maps side by side": (
        nodes(fc=("Linear", {"weight": np.ones((2, 2, 2))})),
        LINE,
        "fc",
        "several maps",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_finding_with_the_nodes_name(tmp_path: Path, fault: str) -> None:
    held, edges, name, told = FAULTS[fault]
    found = findings(write(tmp_path / "net.nir", held, edges))
    assert {finding.code for finding in found} == {"SNN151"}, found
    assert told in found[0].message + found[0].why, found
    assert (found[0].loc.module_path if found[0].loc else "") == name
    assert found[0].help or found[0].why


@pytest.mark.parametrize("what", UNSUPPORTED)
def test_what_has_no_form_is_one_finding_by_name(tmp_path: Path, what: str) -> None:
    held, edges, name, told = UNSUPPORTED[what]
    (finding,) = findings(write(tmp_path / "net.nir", held, edges))
    assert (finding.code, finding.loc.module_path) == ("SNN153", name)
    assert told in finding.message + finding.why


def test_all_faults_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    held = nodes(fc=affine([[NAN, 1], [1, 1]]), lif=lif(2, tau=-1.0), more=("Odd", {}))
    found = findings(write(tmp_path / "net.nir", held, [*LINE, ("more", "lif")]))
    assert [finding.loc.module_path for finding in found] == ["fc", "lif", "more"]


def graft(path: Path, change: Callable[[Any], None]) -> Path:
    """A valid file, changed by h5py."""
    small(path)
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def outside(file: Any) -> None:
    del file["node/nodes/fc/weight"]
    file["node/nodes/fc/weight"] = h5py.ExternalLink("other.h5", "/x")


def soft(file: Any) -> None:
    file["node/nodes/more"] = h5py.SoftLink("/node/nodes/fc")


def virtual(file: Any) -> None:
    del file["node/nodes/fc/weight"]
    layout = h5py.VirtualLayout((2, 2), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "x", (2, 2))
    file["node/nodes/fc"].create_virtual_dataset("weight", layout)


def declared(file: Any) -> None:
    del file["node/nodes/fc/weight"]
    file["node/nodes/fc"].create_dataset("weight", (1 << 20, 1 << 20), "f8", chunks=(64, 64))


def bomb(file: Any) -> None:
    del file["node/nodes/fc/weight"]
    file["node/nodes/fc"].create_dataset(
        "weight", data=np.zeros((4096, 4096)), chunks=(4096, 4096), compression="gzip"
    )


def itself(file: Any) -> None:
    file["node/nodes/again"] = file["node"]


def packed(file: Any) -> None:
    del file["node/nodes/fc/weight"]
    file["node/nodes/fc"].create_dataset("weight", data=np.eye(2), chunks=(2, 2), compression="lzf")


def compound(file: Any) -> None:
    del file["node/nodes/fc/weight"]
    file["node/nodes/fc/weight"] = np.zeros(3, np.dtype([("a", "f8"), ("b", "i4")]))


def number_for_type(file: Any) -> None:
    del file["node/nodes/fc/type"]
    file["node/nodes/fc/type"] = 3


def no_type(file: Any) -> None:
    del file["node/nodes/fc/type"]


def no_edges(file: Any) -> None:
    del file["node/edges"]


def odd_edges(file: Any) -> None:
    del file["node/edges"]
    file["node/edges"] = np.zeros((2, 3))


def no_node(file: Any) -> None:
    del file["node"]


def another_root(file: Any) -> None:
    del file["node/type"]
    file["node/type"] = "LIF"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (outside, "leads elsewhere"),
        (soft, "leads elsewhere"),
        (virtual, "in another file"),
        (declared, "bytes of numbers"),
        (bomb, "bytes of numbers"),
        (itself, "holds itself"),
        (packed, "filter"),
        (compound, "no numbers"),
        (number_for_type, "no text"),
        (no_type, "no type"),
        (no_edges, "nodes and edges"),
        (odd_edges, "edges of shape"),
        (no_node, "no /node"),
        (another_root, "no NIRGraph"),
    ],
)
def test_what_stands_in_hdf5_is_read_as_data_or_refused(
    tmp_path: Path, change: Callable[[Any], None], told: str
) -> None:
    (finding,) = findings(graft(tmp_path / "net.nir", change))
    assert finding.code == "SNN150"
    assert told in finding.message + finding.why


def test_a_file_without_a_version_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "net.nir", nodes(), LINE, version=None)
    assert read(path).facts["nir"]["version"] == ""


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "text", "cut"])
def test_what_is_no_hdf5_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "net.nir"
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        whole = small(tmp_path / "whole.nir").read_bytes()
        path.write_bytes({"empty": b"", "text": b"hello", "cut": whole[:600]}[kind])
    with pytest.raises(SnnccError) as error:
        snncc.compile(path, convention="norse")
    assert [finding.code for finding in error.value.findings] == ["SNN150"]


def test_too_many_nodes_or_too_deep_subgraphs_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner: Any = ({**ends([2], [2]), "a": lif(2)}, chain("input", "a", "output"))
    for _ in range(hdf5_file.DEEPEST):
        inner = ({**ends([2], [2]), "sub": ("NIRGraph", inner)}, chain("input", "sub", "output"))
    (finding,) = findings(write(tmp_path / "deep.nir", *inner))
    assert "deeper" in finding.message + finding.why
    monkeypatch.setattr(hdf5_file, "MOST_NODES", 3)
    (finding,) = findings(small(tmp_path / "many.nir"))
    assert "more than 3" in finding.message + finding.why


def repairs(path: Path) -> list[str]:
    source = read(path)
    assert source.trace(source.input_shape or (), 2, "auto").findings == ()
    return list(source.facts["nir"]["repaired"])


def test_a_lost_name_of_one_node_is_found(tmp_path: Path) -> None:
    inner = ({**ends([2], [2]), "lif1": lif(2)}, chain("input", "lif", "output"))
    path = write(tmp_path / "net.nir", nodes(lif=("NIRGraph", inner)), LINE)
    (note,) = repairs(path)
    assert "'lif.lif'" in note
    assert "'lif.lif1'" in note


def test_an_input_of_batch_and_time_is_that_of_its_reader(tmp_path: Path) -> None:
    path = write(tmp_path / "net.nir", nodes(input=("Input", {"shape": [1, 80, 2]})), LINE)
    (note,) = repairs(path)
    assert "[1, 80, 2]" in note
    assert read(path).input_shape == (2,)


def test_ends_that_say_another_shape_are_taken_as_they_are_fed(tmp_path: Path) -> None:
    inner = ({**ends([7], [7]), "a": lif(2)}, chain("input", "a", "output"))
    held = nodes(lif=("NIRGraph", inner), output=("Output", {"shape": [1, 1, 2]}))
    found = repairs(write(tmp_path / "net.nir", held, LINE))
    assert len(found) == 3
    assert any("'output'" in note and "[1, 1, 2]" in note for note in found)


def test_what_does_not_lead_to_the_output_is_left_out_and_said(tmp_path: Path) -> None:
    held = nodes(more=affine(np.ones((5, 2))))
    (note,) = repairs(write(tmp_path / "net.nir", held, [*LINE, ("lif", "more")]))
    assert "left out: more" in note


def test_faults_are_told_by_verify_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from snncc.cli.main import run

    held, edges, _, _ = UNSUPPORTED["a long delay"]
    path = str(write(tmp_path / "net.nir", held, edges))
    assert run(["verify", path, "--convention", "nir-literal", "--dt", "1"]) == 1
    assert "Delay 'lif' waits for 10,000 steps" in capsys.readouterr().out
    assert (
        run(["verify", str(small(tmp_path / "a.nir")), "--convention", "norse", "--dt", "1"]) == 0
    )
