"""Exact matrix products of bits or counts and integer weights, by libraries that are here.

No product of our own: onnxruntime's MatMulInteger (uint8 times int8 to int32) where onnxruntime and
onnx are installed, otherwise NumPy's BLAS on floating point numbers. Both multiply. Both are exact:

- Every product is a weight, as often as a count says. Whatever the order of additions, a partial
  sum is one of some of a result's weights, and `reach` bounds all of these.
- int32 holds them: units have no current of more than 32 bits. Kernels that add pairs of products
  in int16 (x86 without VNNI) do not saturate: a pair is at most 2 * 127 * 128, since no count that
  is multiplied is above 127.
- float32 holds every integer up to 2^24, float64 up to 2^53, and the sum of two held integers
  whose sum is held is that sum, with or without a fused multiply-add. So float32 is taken where
  reach is below 2^24, float64 elsewhere. This is said of products that add products; a scheme that
  subtracts operands first (Strassen) would need a larger bound, and CPU BLAS libraries have none.
"""

import importlib
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from snncc.ir import Array

Product = Callable[[Array], Array]
"""Bits or counts [m, k], uint8, to sums [m, n]."""
FLOAT32 = 1 << 24


@cache
def library() -> str:
    """What multiplies here, with its version."""
    try:
        found = version("onnxruntime")
        importlib.import_module("onnxruntime")
        importlib.import_module("onnx")
    except (ImportError, PackageNotFoundError):
        return f"numpy {np.__version__}"
    return f"onnxruntime {found}"


def product_with(matrix: Array, reach: int) -> Product:
    """The product with one matrix.

    Args:
        matrix: integers [k, n].
        reach: no sum of some of the numbers in a column is larger in magnitude.
    """
    if matrix.dtype == np.int8 and library().startswith("onnxruntime"):
        return _by_onnxruntime(matrix)
    return _by_numpy(matrix, np.dtype(np.float32 if reach < FLOAT32 else np.float64))


def _by_numpy(matrix: Array, dtype: np.dtype[Any]) -> Product:
    weights = matrix.astype(dtype)

    def product(bits: Array) -> Array:
        sums: Array = bits.astype(dtype) @ weights
        return sums

    return product


def _by_onnxruntime(matrix: Array) -> Product:
    """A session of one node; threads are the caller's, so the library makes none of its own."""
    onnx: Any = importlib.import_module("onnx")
    onnxruntime: Any = importlib.import_module("onnxruntime")
    helper, kinds = onnx.helper, onnx.TensorProto
    k, n = matrix.shape
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["bits", "weights"], ["sums"])],
        "product",
        [helper.make_tensor_value_info("bits", kinds.UINT8, ["m", k])],
        [helper.make_tensor_value_info("sums", kinds.INT32, ["m", n])],
        [onnx.numpy_helper.from_array(np.ascontiguousarray(matrix), "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )

    def product(bits: Array) -> Array:
        sums: Array = session.run(None, {"bits": bits})[0]
        return sums

    return product
