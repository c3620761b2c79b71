"""Which torch function has which handler, by name; one more is one more word here."""

from collections.abc import Callable
from typing import Any

from snncc.frontends.torch_recorder.calls import (
    activations,
    arithmetic,
    convolutions,
    linear,
    logic,
    moves,
    pooling,
    shapes,
    time_windows,
)
from snncc.frontends.torch_recorder.calls.call import Call, Plan
from snncc.ir.dialects import traced as ops

_GROUPS: dict[Callable[[Call], Plan], str] = {
    shapes.same: "contiguous clone detach data identity "
    "dropout dropout1d dropout2d alpha_dropout feature_dropout",
    shapes.cast: "to float double type type_as",
    shapes.reshape: "reshape view reshape_as view_as",
    shapes.flatten: "flatten ravel",
    shapes.unflatten: "unflatten",
    shapes.unsqueeze: "unsqueeze",
    shapes.squeeze: "squeeze",
    shapes.permute: "permute",
    shapes.transpose: "transpose swapaxes swapdims",
    shapes.transpose_last: "T mT t",
    shapes.movedim: "movedim moveaxis",
    shapes.expand: "expand expand_as",
    shapes.repeat: "repeat",
    shapes.concat: "cat concat concatenate",
    moves.moved: "getitem select narrow roll flip fliplr flipud index_select tile pad interpolate "
    "chunk split tensor_split split_with_sizes unsafe_chunk unsafe_split unbind hsplit vsplit "
    "dsplit upsample upsample_nearest repeat_interleave",
    linear.linear: "linear",
    linear.matmul: "matmul mm bmm",
    linear.einsum: "einsum",
    convolutions.conv2d: "conv2d",
    convolutions.conv1d: "conv1d",
    convolutions.conv_transpose2d: "conv_transpose2d",
    linear.batch_norm: "batch_norm",
    pooling.avg_pool2d: "avg_pool2d",
    pooling.avg_pool1d: "avg_pool1d",
    pooling.adaptive_avg_pool2d: "adaptive_avg_pool2d",
    pooling.max_pool: "max_pool1d max_pool2d max_pool3d",
    pooling.adaptive_max_pool: "adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d",
    arithmetic.reduction(ops.Mean): "mean",
    arithmetic.reduction(ops.Total): "sum",
    time_windows.largest_of_steps: "max amax",
    arithmetic.add: "add iadd radd",
    arithmetic.sub: "sub isub subtract",
    arithmetic.rsub: "rsub",
    arithmetic.mul: "mul imul rmul multiply",
    arithmetic.div: "div idiv truediv itruediv divide true_divide",
    arithmetic.neg: "neg negative",
    logic.magnitude: "abs absolute",
    logic.power: "pow square",
    activations.clipping("relu", 0.0, None): "relu",
    activations.clipping("relu6", 0.0, 6.0): "relu6",
    activations.clamp: "clamp clip clamp_min",
    activations.clamp_max: "clamp_max",
    activations.hardtanh: "hardtanh",
    activations.larger: "maximum",
    activations.smaller: "minimum",
    activations.rounding("floor"): "floor",
    activations.rounding("ceil"): "ceil",
    activations.rounding("trunc"): "trunc fix",
    activations.rounding("round"): "round",
    activations.fake_quantize: "fake_quantize_per_tensor_affine",
}
HANDLERS: dict[str, Callable[[Call], Plan]] = {
    name: handler for handler, names in _GROUPS.items() for name in names.split()
}
BITS = frozenset(
    (
        *(moves.moved, pooling.max_pool, pooling.adaptive_max_pool),
        *(shapes.permute, shapes.transpose, shapes.transpose_last, shapes.movedim),
        *(shapes.expand, shapes.repeat, shapes.concat),
    )
)
"""Handlers that make spikes of spikes; a product of two values does so too."""
PARTS = frozenset(
    (
        *("chunk", "split", "tensor_split", "split_with_sizes", "unsafe_chunk", "unsafe_split"),
        *("unbind", "hsplit", "vsplit", "dsplit", "max"),
    )
)
"""Functions that give several results, each of which has the handler's form."""
CASTS = frozenset(("to", "type", "type_as", "float", "double"))
"""Functions that give a tensor in another type."""
DROPOUTS = frozenset(
    (
        *("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"),
        *("feature_dropout", "feature_alpha_dropout"),
    )
)
"""Functions that leave a value as it is, unless they are in training."""


def handler_of(name: str, call: Call) -> Callable[[Call], Plan] | None:
    """The handler of a call: of logic where it is of spikes, else by its name; None for none."""
    found = logic.logic_of(name, call)
    return HANDLERS.get(name) if found is None and call.out.is_floating_point() else found


def dropout_is_on(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a dropout drops; called without a flag, those of torch.nn.functional differ."""
    chance = kwargs.get("p", args[1] if len(args) > 1 else 0.5)
    default = name not in ("alpha_dropout", "feature_alpha_dropout")
    training = kwargs.get("training", kwargs.get("train", args[2] if len(args) > 2 else default))
    return bool(training) and chance != 0


READS_DATA = {"__bool__", "__int__", "__float__", "__index__", "item", "tolist", "numpy"}
"""Functions by which Python sees the data of a value."""
RANDOM = {
    *("rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like"),
    *("bernoulli", "multinomial", "poisson", "normal", "uniform", "exponential", "random"),
    *("gumbel_softmax", "cauchy", "log_normal", "geometric"),
}
"""Functions that draw random numbers."""
DRAWS = (
    "a compiled program gives the same answer for the same image",
    "remove the randomness at inference",
)
DROPS = (
    "it draws random numbers, though the model is in evaluation mode",
    "use nn.Dropout, or pass training=self.training to the function",
)
READS = (
    "control flow or a computation outside torch would be frozen as this example took it",
    "write the choice with torch.where, or take it out of the model",
)
"""Why, and what to do."""
