"""The target `onnx`, put together for the registry; nothing but the registry imports it."""

from collections.abc import Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from snncc.artifact import Program
from snncc.backends.onnx_graph.draft import FORMS
from snncc.backends.onnx_graph.files import check_free, write_model
from snncc.backends.onnx_graph.library import PACKAGES, library
from snncc.backends.onnx_graph.model import OPSET, onnx_model
from snncc.backends.onnx_graph.running import onnx_executor
from snncc.targets.registry import PROFILES
from snncc.targets.target import Exported, Machine, Target

NAME = "onnx"


def onnx() -> Target:
    """Integer graphs of ONNX; onnxruntime runs them."""
    by_form = {form: partial(_export, form) for form in FORMS}
    return Target(
        NAME,
        "ONNX",
        "Integer graphs of ONNX, opset 17: programs of every profile, with the same bits.",
        profiles=tuple(PROFILES),
        machine=_machine,
        export=by_form[FORMS[0]],
        forms=by_form,
        export_needs=_require,
    )


def _require() -> None:
    """Raises SnnccError (SNN050) when what writes graphs is not installed."""
    for name in ("onnx", "onnx_ir"):
        library(name)


def _machine(_python: Path | None) -> Machine:
    """The onnxruntime of this Python. Raises SnnccError (SNN050) when there is none."""
    _require()
    library("onnxruntime")
    found: Mapping[str, str] = {package: version(package) for package in PACKAGES.values()}
    text = f"onnxruntime {found['onnxruntime']}"
    return Machine("this process", text, found, onnx_executor)


def _proved(model: Any) -> str:
    """For how many steps a run may go on."""
    return f"proved for {int(model.metadata_props['snncc.proved_steps']):,} from the start"


def _export(form: str, program: Program, path: Path, force: bool) -> Exported:
    check_free(path, force)
    model = onnx_model(program, form)
    files = write_model(path, model)
    nodes = len(model.graph)
    sizes = [file.stat().st_size for file in files]
    inputs, outputs = (
        [value.name for value in side] for side in (model.graph.inputs, model.graph.outputs)
    )
    return Exported(
        {
            "form": form,
            "opset": OPSET,
            "proved_steps": int(model.metadata_props["snncc.proved_steps"]),
            "nodes": nodes,
            "files": [str(file) for file in files],
            "bytes": sum(sizes),
            "inputs": inputs,
            "outputs": outputs,
        },
        (
            ("form", f"{form}, opset {OPSET}"),
            ("steps", f"T = {program.graph.steps}, {_proved(model)}"),
            (
                "graph",
                f"{nodes:,} nodes, {sum(sizes):,} bytes in {' and '.join(f.name for f in files)}",
            ),
            ("inputs", f"{len(inputs)}: images, and what populations and the answer keep"),
            ("outputs", f"{len(outputs)}: readout, logits, and what is kept"),
        ),
    )
