"""What a Mixer-SNN checkpoint says about its network, read from names and shapes alone."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from snncc.diagnostics import Finding, SnnccError
from snncc.ir import Loc

State = Mapping[str, torch.Tensor]
HELP = "give --model pkg.module:factory to compile a network of your own"


@dataclass(frozen=True)
class MixerConfig:
    """Shape of a Mixer-SNN.

    Attributes:
        dim: channels of the first stage; stage i has dim * 2^i.
        depths: blocks per stage.
        alpha: hidden channels of the channel mixing, in multiples of the stage's channels.
        patch_size: side of the first stage's patches, pixels.
        image_size: side of the image, pixels; the token-axis norms tie the network to it.
        in_channels: of the image.
        num_classes: of the answer.
        patch_cell: spiking patch encoding between stages; otherwise a strided convolution.
        identity_norm: a BatchNorm and neurons on the token mixing's identity branch.
        scale_steps: T of temporal effective BatchNorm, which scales every step by its own k_t; 0
            for BatchNorm that is the same at every step (threshold-dependent or not).
        learned_tau: neurons have a trained membrane time constant, tau = 1 / sigmoid(w).
    """

    dim: int
    depths: tuple[int, ...]
    alpha: int = 3
    patch_size: int = 4
    image_size: int = 224
    in_channels: int = 3
    num_classes: int = 1000
    patch_cell: bool = True
    identity_norm: bool = False
    scale_steps: int = 0
    learned_tau: bool = False

    @property
    def variant(self) -> str:
        """What sets this network apart, in words."""
        words = ["patch cell" if self.patch_cell else "strided merging"]
        words += ["identity norm"] * self.identity_norm
        words += [f"temporal effective BN for T = {self.scale_steps}"] * bool(self.scale_steps)
        words += ["learned tau"] * self.learned_tau
        return ", ".join(words)


PARTS = frozenset({"to_patch_embedding", "token_mix", "channel_mix", "mlp_head"})
"""First levels of a Mixer-SNN's names that every variant has."""
OTHER_PARTS = frozenset(
    {"batch_norm", "to_patch_embedding_lif", "token_mix_lif", "channel_mix_lif"}
)
LEAVES = frozenset(
    {"weight", "bias", "running_mean", "running_var", "num_batches_tracked", "scale", "w"}
)


LEVELS = frozenset(
    {
        *("net", "proj_h", "proj_w", "fuse", "BN", "activation"),
        *("cell2node", "node1_node2", "node2_node3", "lif"),
    }
)


def is_mixer_name(name: str) -> bool:
    """Whether a Mixer-SNN may have a tensor of this name."""
    first, *middle, last = name.split(".") if "." in name else (name, "")
    own = first in PARTS | OTHER_PARTS and last in LEAVES
    return own and all(level in LEVELS or level.isdecimal() for level in middle)


def is_mixer(state: State) -> bool:
    """Whether most names are those of a Mixer-SNN, of any variant; some may be missing."""
    own = [name for name in state if is_mixer_name(name)]
    return {name.partition(".")[0] for name in own} >= PARTS and 2 * len(own) > len(state)


def infer_config(state: State) -> MixerConfig:
    """The configuration of a plain-keyed state_dict (see `plain_keys`).

    Raises:
        SnnccError: SNN013 when it is no Mixer-SNN; SNN020 for the LayerNorm variant, naming every
            module; SNN012 when the shapes do not go together.
    """
    if not is_mixer(state):
        raise SnnccError(
            "SNN013",
            "the checkpoint is not of a network that is recognised",
            why="its tensors are not named as those of a Mixer-SNN",
            help=HELP,
        )
    _refuse_layer_norms(state)
    try:
        return _infer(state)
    except (KeyError, IndexError, ValueError, ZeroDivisionError) as error:
        raise SnnccError(
            "SNN012",
            f"the network's shape cannot be told from the checkpoint: {error}",
            why="tensors of a Mixer-SNN are missing or have an unexpected shape",
            help="check that the file was written completely",
        ) from error


def _infer(state: State) -> MixerConfig:
    """Each size from any tensor that has it, so that one that is missing can be named as such."""
    dim = _length(state, "to_patch_embedding.0", ("0.weight", *_norm("1")))
    stem = state.get("to_patch_embedding.0.0.weight")
    channels, patch = (3, 1) if stem is None else (int(n) for n in stem.shape[1:3])
    stages = 1 + max(
        int(key.split(".")[1]) for key in state if key.startswith("to_patch_embedding.")
    )
    blocks = 1 + max(int(key.split(".")[1]) for key in state if key.startswith("token_mix."))
    widths = Counter(
        _length(state, f"token_mix.{block}.fuse", ("0.weight", *_norm("1"))) // dim
        for block in range(blocks)
    )
    depths = tuple(widths.get(2**i, 0) for i in range(stages))
    first = next((i for i, depth in enumerate(depths) if depth), None)
    if first is None:
        raise ValueError("it has no mixing block")
    tokens = _length(state, "token_mix.0.proj_h", ("1.weight", "1.bias", *_norm("2")))
    hidden = _length(state, "channel_mix.0.1.net", ("0.weight", "0.bias"))
    if hidden < dim * 2**first:
        raise ValueError(f"its channel mixing has {hidden} hidden units")
    return MixerConfig(
        dim=dim,
        depths=depths,
        alpha=hidden // (dim * 2**first),
        patch_size=patch,
        image_size=tokens * 2**first * patch,
        in_channels=channels,
        num_classes=_length(state, "mlp_head.1", ("weight", "bias")),
        patch_cell=stages == 1 or any(".cell2node." in key for key in state),
        identity_norm=any(key.startswith("token_mix.0.BN.") for key in state),
        scale_steps=_scale_steps(state),
        learned_tau=any(key.startswith("to_patch_embedding_lif.") for key in state),
    )


def _norm(place: str) -> tuple[str, ...]:
    """Tensors of a BatchNorm, each as long as what it normalises."""
    return tuple(f"{place}.{leaf}" for leaf in ("weight", "bias", "running_mean", "running_var"))


def _length(state: State, path: str, leaves: tuple[str, ...]) -> int:
    """The first length of the first tensor that is there."""
    there = [state[f"{path}.{leaf}"] for leaf in leaves if f"{path}.{leaf}" in state]
    if not there:
        raise KeyError(f"{path}.{leaves[0]}")
    return int(there[0].shape[0])


def _scale_steps(state: State) -> int:
    """How many steps temporal effective BatchNorm was trained for; 0 when there is none."""
    lengths = {int(tensor.numel()) for key, tensor in state.items() if key.endswith(".scale")}
    if len(lengths) > 1:
        raise ValueError(f"its BatchNorms were trained for {sorted(lengths)} steps")
    return lengths.pop() if lengths else 0


def _refuse_layer_norms(state: State) -> None:
    """Names every norm without running statistics: LayerNorms, or BatchNorms that lost them."""
    bare = sorted(
        key.removesuffix(".weight")
        for key, tensor in state.items()
        if tensor.dim() == 1
        and re.fullmatch(
            r"(token_mix\.\d+\.(proj_[hw]\.2|fuse\.1)|channel_mix\.\d+\.1\.net\.[14]|"
            r"to_patch_embedding\.\d+(\.[^.]+)*\.1|batch_norm)\.weight",
            key,
        )
        and not any(key.replace(".weight", f".running_{leaf}") in state for leaf in ("mean", "var"))
    )
    if not bare:
        return
    if any(key.endswith((".running_mean", ".running_var")) for key in state):
        bare = [path for path in bare if ".net." in path or ".proj_" in path]
        raise_for = _layer_norm
    else:
        raise_for = _without_statistics
    if bare:
        raise SnnccError.of(map(raise_for, bare))


def _layer_norm(path: str) -> Finding:
    return Finding(
        "SNN020",
        "LayerNorm needs a division by data",
        Loc(path, call="LayerNorm"),
        "mean and variance depend on the input, so no constant threshold can absorb them",
        "train with BatchNorm, which folds",
    )


def _without_statistics(path: str) -> Finding:
    return Finding(
        "SNN025",
        "a BatchNorm without running statistics",
        Loc(path, call="BatchNorm"),
        "the checkpoint holds no running_mean and running_var, so it would divide by data",
        "train with track_running_stats=True, and save the whole state_dict() with its buffers",
    )


def plain_keys(state: State) -> dict[str, torch.Tensor]:
    """Names without the level that SyncBatchNorm conversion inserts (`.1.0.weight`)."""
    wrapped = {
        key.rsplit(".", 1)[0].removesuffix(".0") for key in state if key.endswith(".0.running_mean")
    }
    plain: dict[str, torch.Tensor] = {}
    for key, tensor in state.items():
        module, _, leaf = key.rpartition(".")
        parent = module.removesuffix(".0")
        plain[f"{parent}.{leaf}" if parent != module and parent in wrapped else key] = tensor
    return plain
