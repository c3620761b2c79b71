"""The PyTorch frontend: records one real run of a module as a graph with named axes."""

from snncc.frontends.torch_recorder.trace import Trace, trace_model

__all__ = ["Trace", "trace_model"]
