"""What the user chooses when a network is compiled."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from snncc.data.preprocessing import PRESETS, Preprocessing
from snncc.diagnostics import SnnccError
from snncc.frontends.file_conventions import CONVENTIONS
from snncc.ir.limits import MOST_STEPS
from snncc.targets.registry import PROFILES, profile_named, unknown

ALLOWED_WEIGHT_BITS = range(2, 25)
ALLOWED_ACTIVATION_BITS = range(1, 9)
DEFAULT_WEIGHT_BITS = 8
BEYOND = 1e100
"""No mean, standard deviation or normalised pixel is larger, and no deviation so much smaller."""
OPTIONAL = ("preprocess", "gain", "convention")
"""Choices that may be None."""


def choices() -> dict[str, tuple[str, ...]]:
    """What options allow, by their names."""
    return {
        "preprocess": tuple(PRESETS),
        "gain": ("shift-add", "unshared"),
        "encoding": ("bit-planes", "host"),
        "profile": tuple(PROFILES),
        "layout": ("auto", "sequence", "frame"),
        "decay": ("approximate", "by-step"),
        "convention": CONVENTIONS,
    }


@dataclass(frozen=True)
class CompileOptions:
    """What the user chooses.

    Attributes:
        input_shape: of one image; None to take it from a recognised checkpoint.
        normalize: means and standard deviations, one or one per channel; None for (0, 1).
        steps: T; None to take the checkpoint's, else 4.
        weight_bits: of signed weights, 2 to 24; None for 8, or for a search.
        layer_bits: (pattern, bits) for the maps whose names fit, the last one deciding.
        agreement: when given, the bits are searched: the fewest with which this share of images is
            answered as by the network; `weight_bits` and `layer_bits` must not be given then.
        gain: "shift-add" or "unshared": what becomes of a BatchNorm that cannot be folded; None for
            the profile's own, see `Profile`.
        encoding: "bit-planes" or "host": how the image enters.
        profile: semantics of the integer program.
        layout: how the model takes its input, see `trace_model`.
        decay: "approximate" or "by-step": what becomes of a decay that is no 1/m.
        neuron: parameters of a recognised network's neurons by name, as text; None for those of
            the public implementation.
        preprocess: a name of `PRESETS`, in place of `normalize`; image files get its geometry.
        weights: which of a checkpoint's sets of weights: "ema", "plain" or a key of the file; None
            for the plain one.
        convention: how a .nir or .net file is run, a name of `CONVENTIONS` (docs/nir.md,
            docs/lava_net.md); None to be asked.
        dt: seconds of one time step of a .nir file; None where the convention or the file says it.
        activation_bits: (pattern, bits) for the activations of real numbers whose names fit, the
            last one deciding; they become counts. None of them may be left.
        tune: whether the units of channels are learned after rounding, with torch, from calibration
            images without labels.
        answer: of a module that returns a dict or a tuple, the key or the number of its answer.
        frames: the least and the largest number of a frame, where every step has a frame of its
            own, whole numbers as they are; None for one 8-bit image at all steps.
    """

    input_shape: tuple[int, ...] | None = None
    normalize: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    steps: int | None = None
    weight_bits: int | None = None
    gain: str | None = None
    encoding: str = "bit-planes"
    profile: str = "exact"
    layout: str = "auto"
    decay: str = "approximate"
    neuron: Mapping[str, str] | None = None
    layer_bits: tuple[tuple[str, int], ...] = ()
    agreement: float | None = None
    preprocess: str | None = None
    weights: str | None = None
    convention: str | None = None
    dt: float | None = None
    activation_bits: tuple[tuple[str, int], ...] = ()
    answer: str | None = None
    frames: tuple[int, int] | None = None
    tune: bool = False

    @property
    def given_bits(self) -> list[int]:
        """Every number of bits that the user names for weights."""
        own = [bits for _, bits in self.layer_bits]
        return own if self.weight_bits is None else [self.weight_bits, *own]

    @property
    def preset(self) -> Preprocessing | None:
        return None if self.preprocess is None else PRESETS[self.preprocess]

    @property
    def normalization(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Means and standard deviations of pixels / 255."""
        if self.preset is not None:
            return self.preset.normalization
        return self.normalize or ((0.0,), (1.0,))

    @property
    def pixel_bounds(self) -> tuple[float, float]:
        """Smallest and largest number that enters, normalised."""
        if self.frames is not None:
            return float(self.frames[0]), float(self.frames[1])
        means, stds = self.normalization
        ends = [(x - mean) / std for x in (0.0, 1.0) for mean in means for std in stds]
        return min(ends), max(ends)


def check_options(options: CompileOptions) -> None:
    """Raises SnnccError (SNN001) for a choice that there is not, or two that exclude each other."""
    _check_whole_numbers(options)
    _check_normalisation(options)
    for bits in options.given_bits:
        if bits not in ALLOWED_WEIGHT_BITS:
            raise SnnccError("SNN001", f"weights of {bits} bits", help="give 2 to 24 bits")
    for _, bits in options.activation_bits:
        if bits not in ALLOWED_ACTIVATION_BITS:
            raise SnnccError("SNN001", f"activations of {bits} bits", help="give 1 to 8 bits")
    if options.dt is not None and not 0.0 < options.dt < math.inf:
        help_ = "give seconds above 0, e.g. 1e-4"
        raise SnnccError("SNN001", f"a time step of {options.dt:g} s", help=help_)
    if options.agreement is not None:
        _check_search(options, options.agreement)
    if options.steps is not None and options.steps < 1:
        raise SnnccError("SNN001", f"{options.steps} time steps", help="give at least 1")
    if options.steps is not None and options.steps > MOST_STEPS:
        raise SnnccError("SNN070", f"{options.steps} time steps", help=f"give at most {MOST_STEPS}")
    if options.input_shape is not None and min(options.input_shape, default=0) < 1:
        raise SnnccError(
            "SNN001",
            f"images of shape {list(options.input_shape)}",
            help="every length must be at least 1",
        )
    if options.normalize is not None and options.preprocess is not None:
        raise SnnccError(
            "SNN001",
            "--normalize and --preprocess are both given",
            why="a preset brings its own normalisation",
            help="give one of them",
        )
    if options.frames is not None:
        _check_frames(options, options.frames)
    if options.profile in PROFILES:
        profile_named(options.profile).check(options)
    for what, allowed in choices().items():
        value = getattr(options, what)
        if value not in allowed and not (value is None and what in OPTIONAL):
            raise unknown(what, value, allowed)


def without_images() -> SnnccError:
    """There is nothing by which bits could be searched."""
    return SnnccError(
        "SNN001",
        "the fewest bits cannot be searched without images",
        help="give --calibrate, and --evaluate for images that rounding has not seen",
    )


def untuned(why: str) -> SnnccError:
    """Tuning was asked for and cannot be."""
    return SnnccError(
        "SNN001",
        "--tune has no effect here",
        why=why,
        help="give --calibrate with more images, and --profile exact; or leave --tune out",
    )


def without_shape() -> SnnccError:
    """Neither the user nor the model says of what shape an image is."""
    return SnnccError(
        "SNN001",
        "the image's shape is not known",
        why="only a recognised checkpoint says what it takes",
        help="give --input-shape C,H,W",
    )


def _check_whole_numbers(options: CompileOptions) -> None:
    """A fraction would only be found deep in the compiler; True and False are no numbers."""
    for name, value in (
        ("steps", options.steps),
        ("weight_bits", options.weight_bits),
        *(("layer_bits", bits) for _, bits in options.layer_bits),
        *(("activation_bits", bits) for _, bits in options.activation_bits),
        *(("input_shape", length) for length in options.input_shape or ()),
    ):
        if value is not None and not _is_whole(value):
            raise SnnccError(
                "SNN001",
                f"{name} with {value!r}, which is no whole number",
                why="time steps, bits and lengths are counted",
                help="give an int",
            )


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_normalisation(options: CompileOptions) -> None:
    """Any mean, but no deviation that cannot be divided by."""
    means, stds = options.normalize or ((), ())
    for what, values, least in (("mean", means, -math.inf), ("standard deviation", stds, 0.0)):
        for value in values:
            if not math.isfinite(value) or value <= least:
                raise SnnccError(
                    "SNN001",
                    f"a {what} of {value:g}",
                    why="a pixel enters as (x / 255 - mean) / standard deviation",
                    help="give finite numbers, standard deviations above 0",
                )
    if options.normalize is None:
        return
    ends = [*options.pixel_bounds, *means, *stds, *(1.0 / value for value in stds)]
    if max(map(abs, ends)) > BEYOND:
        raise SnnccError(
            "SNN001",
            f"--normalize {_listed(means)} {_listed(stds)} is beyond what is computed with",
            why="a pixel enters as (x / 255 - mean) / standard deviation; float64 has room to "
            f"multiply what lies between {1.0 / BEYOND:g} and {BEYOND:g}",
            help="give mean and standard deviation of pixels / 255, mostly between 0 and 1",
        )


def _check_frames(options: CompileOptions, domain: tuple[int, int]) -> None:
    """Frames have a domain of 8 bits that holds 0, and enter as they are."""
    low, high = domain
    told = f"--frames {low}..{high}"
    if not -128 <= low <= 0 <= high <= (255 if low == 0 else 127) or low == high:
        why = "where nothing happens a frame is 0, and its numbers have 8 bits"
        raise SnnccError("SNN001", told, why=why, help="give for example 0..1, 0..15 or -8..7")
    usual = CompileOptions()
    for name in ("normalize", "preprocess", "layout", "encoding"):
        if getattr(options, name) != getattr(usual, name):
            raise SnnccError(
                "SNN001",
                f"--{name} does not go with --frames",
                why="every step gets a frame of whole numbers, which enter as they are, by planes",
                help=f"leave --{name} out; what scales frames belongs into the model",
            )


def _listed(values: tuple[float, ...]) -> str:
    return ",".join(f"{value:g}" for value in values)


def _check_search(options: CompileOptions, agreement: float) -> None:
    """A search chooses all bits itself."""
    if not 0.0 < agreement <= 1.0:
        raise SnnccError("SNN001", f"an agreement of {agreement:g}", help="give 0 to 1")
    if options.weight_bits is not None:
        raise SnnccError(
            "SNN001",
            f"--agreement goes with --weight-bits auto, not with {options.weight_bits} bits",
            why="an agreement is what a search for the fewest bits keeps",
            help="give --weight-bits auto with it, or leave --agreement out",
        )
    if options.layer_bits:
        raise SnnccError(
            "SNN001",
            "--layer-bits does not go with --weight-bits auto",
            why="the search chooses the bits of every map",
            help="leave one of them out",
        )
