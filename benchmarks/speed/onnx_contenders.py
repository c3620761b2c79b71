"""The network in onnxruntime: the integer program, and the original in floating point."""

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from snncc.artifact import Program
from snncc.backends.onnx_graph.inputs import IMAGES
from snncc.backends.onnx_graph.model import READOUT, onnx_model, serialised, start_inputs
from speed.networks import FOLDER, Network
from speed.rounds import Contender
from speed.torch_contenders import PlainNeurons, with_neurons

OPSET = 17


def dense_integer_onnx(network: Network, batch: int, threads: int) -> Contender:
    """The integer program as `snncc export --to onnx` writes it; its caller compares bits."""
    model = onnx_model(Program(network.graph, {}))
    session = _session(serialised(model), threads)
    feed = {IMAGES: network.images[:batch], **start_inputs(model, batch)}

    def answer() -> np.ndarray:
        (readout,) = session.run([READOUT], feed)
        return np.asarray(readout)

    return Contender("dense integer ONNX", answer, note="onnxruntime, integers alone")


def float_onnx(network: Network, batch: int, threads: int) -> Contender:
    """The original exported by torch, norms folded into maps by onnxruntime."""
    path = FOLDER / f"{network.name}-{batch}.onnx"
    x = network.sequence(batch)
    if not path.exists() or path.stat().st_mtime < network.checkpoint.stat().st_mtime:
        _export(with_neurons(network.module(), PlainNeurons), x, path)
    session = _session(path.read_bytes(), threads)
    feed = {session.get_inputs()[0].name: x.numpy()}

    def answer() -> np.ndarray:
        (logits,) = session.run(None, feed)
        return np.asarray(logits).mean(0)

    return Contender("float ONNX", answer, note="onnxruntime, exported by torch")


def _export(net: nn.Module, x: torch.Tensor, path: Path) -> None:
    written = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, (x,), written, opset_version=OPSET, dynamo=False)
    path.write_bytes(written.getvalue())


def _session(model: bytes, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Threads spin while a run lasts and stop with it, else they would slow the next contender.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
