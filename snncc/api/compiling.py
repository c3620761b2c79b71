"""`snncc.compile`."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from snncc.api.arguments import (
    Images,
    Numbers,
    activation_bits_of,
    argument_names,
    bits_of,
    classes_of,
    domain_of,
    images_of,
    in_words_of_python,
    neuron_of,
    normalization_of,
    progress_of,
    shape_of,
    texts_of,
)
from snncc.api.checks import choice, flag, mapping, path_of, real, text, whole
from snncc.api.programs import Program
from snncc.artifact.paths import is_there
from snncc.compiler.driver import Compiled, compile_checkpoint, compile_module
from snncc.compiler.given import Given
from snncc.compiler.given_frames import one_framing, open_data
from snncc.compiler.options import CompileOptions, check_options, choices
from snncc.diagnostics import SnnccError
from snncc.frontends.frontend import ModelSpec
from snncc.frontends.registry import read_model

if TYPE_CHECKING:
    from torch import nn

FEWEST = "auto"
CALLED = "calibrate", "evaluate"


def compile(
    model: "nn.Module | str | Path",
    *,
    checkpoint: str | Path | None = None,
    arguments: Mapping[str, object] | None = None,
    input_shape: Sequence[int] | None = None,
    steps: int | None = None,
    normalize: tuple[Numbers, Numbers] | None = None,
    preprocess: str | None = None,
    weight_bits: int | Literal["auto"] = 8,
    layer_bits: Mapping[str, int] | None = None,
    activation_bits: int | Mapping[str, int] | None = None,
    agreement: float | None = None,
    tune: bool = False,
    calibrate: Images | None = None,
    evaluate: Images | None = None,
    profile: str = "exact",
    gain: str | None = None,
    encoding: str = "bit-planes",
    layout: str = "auto",
    frames: tuple[int, int] | None = None,
    answer: str | int | None = None,
    decay: str = "approximate",
    neuron: Mapping[str, object] | None = None,
    weights: str | None = None,
    convention: str | None = None,
    dt: float | None = None,
    labels: Any = None,
    progress: Callable[[int, int], None] | None = None,
) -> Program:
    """Compiles a trained network to an integer program.

    Args:
        model: a `torch.nn.Module`, which is left as it is; the path of a Mixer-SNN's checkpoint or
            of a .nir file; or "package.module:factory", a callable that returns a module (this runs
            its code).
        checkpoint: weights for the module that a factory makes.
        arguments: keyword arguments of a factory.
        input_shape: of one image, (channels, height, width); a Mixer-SNN's checkpoint knows it.
        steps: T, time steps; None for the checkpoint's, else 4.
        normalize: (mean, std) of pixels / 255, numbers or one a channel; None for (0, 1).
        preprocess: "imagenet224" or "cifar224", in place of `normalize`.
        weight_bits: of signed weights, 2 to 24; "auto" for the fewest that keep `agreement`.
        layer_bits: bits by pattern of layer names, e.g. {"token_mix.*": 6}.
        activation_bits: of ReLUs and clamps, 1 to 8, or by pattern of names: they become counts
            in steps that `calibrate` chooses; None to refuse them.
        agreement: with "auto": share of images answered as by the network; None for 0.99.
        tune: whether units of channels are learned from `calibrate`, without labels, by torch;
            for 2 and 3 bits.
        calibrate: images that rounding may look at, uint8 [n, *input_shape], or a path.
        evaluate: images that the program is judged by; None for some of `calibrate`.
        profile: integer semantics: "exact", or "loihi-lava" for Lava's own processes.
        gain: "shift-add" or "unshared": of a BatchNorm that cannot be folded.
        encoding: "bit-planes", or "host" to leave the first layer to the host.
        layout: how the model takes its input: "auto", "sequence" [T, n, ...] or "frame" [n, ...].
        frames: the least and the largest number of a frame, where every step gets a frame of its
            own as it is: `calibrate` and `evaluate` are then [n, T, *input_shape], int8 for a
            domain below 0, or recordings of events; None for one image at all steps.
        answer: of a model that returns a dict or a tuple, the key or the number of its answer; None
            for the first element of a tuple.
        decay: "approximate" or "by-step": of membranes, where it is no 1/m.
        neuron: tau, v_threshold, v_reset, decay_input, compare of a recognised network's neurons.
        weights: "plain", "ema" or a key: which of a checkpoint's sets of weights.
        convention: how a .nir file is run, by the name of the framework that wrote it:
            "snntorch", "snntorch-zero", "norse", "norse-export", "sinabs", "spikingjelly",
            "rockpool", "spyx", "nir-literal" (docs/nir.md); a .net file: "lava-netx" or
            "lava-slayer".
        dt: seconds of one time step of a .nir file, where neither it nor the convention says it.
        labels: integers [n] of `evaluate`, or else `calibrate`: `report` then has the accuracy of
            the network and of the program.
        progress: called during calibration with (done, total).

    Returns:
        The program, with what there is to say about how it came about in `report` and `notes`.

    Raises:
        SnnccError: with every finding, each with a code, a place, the reason and what to do.
    """
    allowed = choices()
    with in_words_of_python():
        options = CompileOptions(
            input_shape=shape_of(input_shape),
            normalize=normalization_of(normalize),
            steps=None if steps is None else whole("steps", steps),
            weight_bits=_bits(weight_bits),
            gain=None if gain is None else choice("gain", gain, allowed["gain"]),
            encoding=choice("encoding", encoding, allowed["encoding"]),
            profile=choice("profile", profile, allowed["profile"]),
            layout=choice("layout", layout, allowed["layout"]),
            decay=choice("decay", decay, allowed["decay"]),
            neuron=neuron_of(neuron),
            layer_bits=bits_of(layer_bits),
            activation_bits=activation_bits_of(activation_bits),
            agreement=_agreement(weight_bits, agreement),
            preprocess=None
            if preprocess is None
            else choice("preprocess", preprocess, allowed["preprocess"]),
            weights=None if weights is None else text("weights", weights),
            convention=None
            if convention is None
            else choice("convention", convention, allowed["convention"]),
            dt=None if dt is None else real("dt", dt),
            answer=_answer(answer),
            frames=None if frames is None else domain_of(frames),
            tune=flag("tune", tune),
        )
        check_options(options)
        calibration, one = _data(calibrate, "calibrate", options)
        evaluation, other = _data(evaluate, "evaluate", options)
        truth = None if labels is None else classes_of(labels)
        told = progress_of(progress)
        framing = one_framing(one, other)
        given = Given(calibration, evaluation, truth, framing, CALLED, progress=told)
        compiled = _compiled(model, checkpoint, arguments, options, given)
    return Program(compiled.program, [argument_names(note) for note in compiled.notes])


def _data(given: Images | None, name: str, options: CompileOptions) -> Any:
    """Data as an array or files, and how frames of them were made."""
    if isinstance(given, str | Path):
        return open_data(str(given), f"--{name}", options)
    below = options.frames is not None and options.frames[0] < 0
    return (None if given is None else images_of(given, name, "int8" if below else "uint8")), None


def _bits(weight_bits: object) -> int | None:
    """A number of bits; None for a search."""
    if isinstance(weight_bits, str) and weight_bits == FEWEST:
        return None
    return whole("weight_bits", weight_bits, f"give an int, or {FEWEST!r}")


def _answer(answer: object) -> str | None:
    """A key, or a number of an element."""
    if answer is None or isinstance(answer, str):
        return answer
    return str(whole("answer", answer, "give the key of a dict, or the number of an element"))


def _agreement(weight_bits: object, agreement: object) -> float | None:
    if agreement is not None:
        return real("agreement", agreement)
    return 0.99 if _bits(weight_bits) is None else None


def _compiled(
    model: object,
    checkpoint: str | Path | None,
    arguments: Mapping[str, object] | None,
    options: CompileOptions,
    given: Given,
) -> Compiled:
    """From the kinds of model that `compile` takes."""
    weights = None if checkpoint is None else path_of("checkpoint", checkpoint)
    if isinstance(model, str | Path):
        factory = _factory(model)
        if factory is None and checkpoint is not None:
            raise _unexpected("checkpoint", f"{model} is a checkpoint itself")
        path = path_of("model", model) if factory is None else weights
        told = texts_of(arguments)
        return compile_checkpoint(path, options, given, model=factory, model_arguments=told)
    source = read_model(ModelSpec(module=model, answer=options.answer))
    for name, value in (
        ("checkpoint", weights),
        ("arguments", mapping("arguments", arguments)),
        ("neuron", options.neuron),
        ("weights", options.weights),
        ("convention", options.convention),
        ("dt", options.dt),
    ):
        if value is not None and value != {}:
            raise _unexpected(name, "model is a module, which holds its weights and parameters")
    return compile_module(source, options, given)


def _factory(model: str | Path) -> str | None:
    """The factory's name, when this is no path."""
    return model if isinstance(model, str) and ":" in model and not is_there(Path(model)) else None


def _unexpected(name: str, why: str) -> SnnccError:
    return SnnccError("SNN001", f"{name} does not go with this model", why=why, help="leave it out")
