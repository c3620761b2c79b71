"""The profile `exact`: folds keep every decision; any population may have constants of its own."""

from snncc.passes.fold_batchnorm_into_thresholds import FoldBatchnormIntoThresholds
from snncc.passes.fold_scales_into_neurons import FoldScalesIntoNeurons
from snncc.passes.measure_decays_by_step import MeasureDecaysByStep
from snncc.passes.pipeline import Pass
from snncc.passes.unshare_weights_under_gains import UnshareWeightsUnderGains
from snncc.quantize.lower_to_integers import LowerToIntegers
from snncc.quantize.units import choose_units
from snncc.targets.profile import Choices, Profile


def exact() -> Profile:
    """Programs for executors that hold any integers: the CPU's, and Lava processes of our own."""
    return Profile(
        "exact",
        "integers as exact as they can be",
        gain="shift-add",
        most_bits=24,
        check=lambda _choices: None,
        passes=_passes,
        choose_units=choose_units,
        lower=LowerToIntegers,
        limits=lambda _program: (),
    )


def _passes(choices: Choices) -> tuple[Pass, ...]:
    passes: tuple[Pass, ...] = (FoldBatchnormIntoThresholds(), FoldScalesIntoNeurons())
    if choices.decay == "by-step":
        passes = (*passes, MeasureDecaysByStep())
    return (*passes, UnshareWeightsUnderGains()) if choices.gain == "unshared" else passes
