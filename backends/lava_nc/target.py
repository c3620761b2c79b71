"""The target `lava` and its own profile, put together for the registry.

This file alone of the backend may look at everything: nothing but the registry imports it.
"""

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from snncc.artifact import Program
from snncc.backends.lava_nc import registers
from snncc.backends.lava_nc.environment import LavaEnvironment
from snncc.backends.lava_nc.loihi.limits import loihi_findings
from snncc.backends.lava_nc.loihi.lowering import LowerToLoihi
from snncc.backends.lava_nc.loihi.units import choose_loihi_units
from snncc.diagnostics import SnnccError
from snncc.execution import Execute
from snncc.mfi.folds.sites import Storage
from snncc.passes.fold_thresholds_into_weights import FoldThresholdsIntoWeights
from snncc.passes.pipeline import Pass
from snncc.passes.replicate_currents import ReplicateCurrents
from snncc.passes.unshare_weights_under_gains import UnshareWeightsUnderGains
from snncc.quantize.calibration import Rounded
from snncc.targets.profile import Choices, Profile
from snncc.targets.target import Advance, Exported, Machine, Target

NAME = "lava"
MOST_BITS = 8
STORAGE = Storage(1 << registers.CURRENT_SHIFT, registers.bias_spacing)


def loihi_lava() -> Profile:
    """Programs that the stock processes of lava-nc carry out."""
    return Profile(
        registers.PROFILE,
        "for Lava's own processes",
        gain="unshared",
        most_bits=MOST_BITS,
        check=_check,
        passes=_passes,
        choose_units=choose_loihi_units,
        lower=_lower,
        limits=loihi_findings,
        storage=STORAGE,
        counts=False,
    )


def lava() -> Target:
    """Process networks for lava-nc: its stock processes, or ours for programs of `exact`."""
    return Target(
        NAME,
        "Lava",
        "Process networks for lava-nc 0.10.0, under a Python 3.10 of its own.",
        profiles=("exact", registers.PROFILE),
        machine=_machine,
        export=_export,
        asks_for_python=True,
    )


def _passes(_choices: Choices) -> tuple[Pass, ...]:
    return ReplicateCurrents(), UnshareWeightsUnderGains(), FoldThresholdsIntoWeights()


def _lower(rounded: Rounded, _bits: int) -> LowerToLoihi:
    return LowerToLoihi(rounded)


def _check(choices: Choices) -> None:
    """A synapse of Lava has 8 bits, and one weight for all steps; nothing scales a current."""
    widest = max(choices.given_bits, default=0)
    if widest > MOST_BITS:
        raise SnnccError(
            "SNN001",
            f"weights of {widest} bits, profile {registers.PROFILE}",
            why="a synapse of Lava's processes holds 8 bits",
            help=f"give 2 to {MOST_BITS} bits",
        )
    if choices.decay == "by-step":
        raise SnnccError(
            "SNN001",
            f"--decay by-step, profile {registers.PROFILE}",
            why="it needs weights of their own for every step, which Lava's processes do not have",
            help="leave --decay out: a leak is the nearest multiple of 1/4096",
        )
    if choices.gain == "shift-add":
        raise SnnccError(
            "SNN001",
            f"--gain shift-add, profile {registers.PROFILE}",
            why="no process of Lava scales a current neuron by neuron; a BatchNorm that cannot be "
            "folded becomes weights of their own",
            help="leave --gain out, or give unshared",
        )


def _export(program: Program, folder: Path, force: bool) -> Exported:
    from snncc.backends.lava_nc import schedule_table, write_bundle

    network = write_bundle(program, folder, force)
    schedule = network.schedule
    rows = schedule_table(program.graph, schedule)
    processes, relays = len(network.processes), len(schedule.relays)
    return Exported(
        {
            "processes": processes,
            "relays": relays,
            "steps": schedule.steps,
            "depth": schedule.depth,
            "period": schedule.period,
            "schedule": [{"steps": s, "value": v, "relays": r} for s, v, r in rows],
        },
        (
            ("processes", f"{processes}, {relays} of them relays"),
            ("steps", f"{schedule.steps} a sample, a new sample every {schedule.period}"),
            ("depth", f"{schedule.depth} steps from an image to the first step of its answer"),
        ),
        ("steps", "value", "relays"),
        rows,
    )


def _machine(python: Path | None) -> Machine:
    """The Lava environment. Raises SnnccError (SNN051) when there is none."""
    from snncc.backends.lava_nc.environment import require_lava

    found = require_lava(python)
    return Machine(
        str(found.python),
        f"lava-nc {found.lava}, Python {found.version}",
        {"lava-nc": found.lava, "python": str(found.python)},
        partial(_running, found),
    )


@contextmanager
def _running(
    lava: LavaEnvironment, program: Program, seconds: float, advance: Advance
) -> Generator[Execute]:
    """Writes the bundle into a folder that goes with its owner; the executor runs it."""
    from snncc.backends.lava_nc import write_bundle
    from snncc.backends.lava_nc.running.child_process import guarded_folder
    from snncc.backends.lava_nc.running.executor import lava_executor

    with guarded_folder() as folder:
        bundle = folder.path / "bundle"
        write_bundle(program, bundle)
        yield lava_executor(program.graph, bundle, lava, folder, seconds, advance)
