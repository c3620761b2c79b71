"""What each framework means by a NIR file: everything that the file itself leaves open.

The equations of a convention's neurons, from one step to the next, with a = dt / tau:

    euler        v' = (1 - a) v + a v_leak + g x
    exponential  the same with 1 - a = exp(-dt / tau)
    g            "file": a r; "tau": a, r is ignored; "one": 1, r is ignored
    of an IF     v' = v + g x with g = dt r ("file"), or 1
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

GIVEN, FIXED, USUAL, FROM_R = "given", "fixed", "usual", "from r"


@dataclass(frozen=True)
class Convention:
    """How a framework runs a file.

    Attributes:
        name: of `--convention`.
        about: one line for users.
        dt: seconds, or None; what it is says `dt_is`.
        dt_is: "given": asked for where r does not tell it; "fixed"; "usual": the writer's default;
            "from r": solved from r = (tau / dt) exp(-dt / tau).
        decay: "euler" or "exponential".
        gain: of the input of leaky neurons, see above.
        gain_of_if: "file" or "one".
        compare: "gt" (v > v_threshold) or "ge".
        reset: "hard" (v := v_reset) or "soft" (v := v - amount).
        reset_to: where a hard reset goes, "file" or "zero" (v_reset of the file is ignored).
        late: whether a spike's reset acts in the next step: v' = (1 - a) v + g x - v_threshold z.
        several: whether a neuron may spike several times a step, v // v_threshold.
        floor: whether the membrane of an IF never falls below -v_threshold.
        start: the membrane before the first step, "zero", "leak" (v_leak) or "reset" (v_reset).
        first_spikes: whether spikes of a step come from the membrane before its input.
        leak: which v_leak there may be: "any", "zero" or "reset" (equal to v_reset).
        tau_is: "seconds", or "dt times tau" where the writer multiplied once too often.
        cut: where a loop of edges gets its delay: at the "spike", at "w_rec", or "".
    """

    name: str
    about: str
    dt: float | None = None
    dt_is: str = GIVEN
    decay: str = "euler"
    gain: str = "file"
    gain_of_if: str = "file"
    compare: str = "gt"
    reset: str = "hard"
    reset_to: str = "file"
    late: bool = False
    several: bool = False
    floor: bool = False
    start: str = "zero"
    first_spikes: bool = False
    leak: str = "any"
    tau_is: str = "seconds"
    cut: str = "spike"

    @property
    def facts(self) -> Mapping[str, str | bool]:
        """What it says beside dt, for the artefact."""
        left_out = ("name", "about", "dt", "dt_is")
        return {key: each for key, each in asdict(self).items() if key not in left_out}


_NORSE = Convention(
    "norse",
    "Norse runs the file: Euler, >, hard reset to 0, r and v_reset ignored, start at v_leak",
    gain="tau",
    gain_of_if="one",
    reset_to="zero",
    start="leak",
    cut="w_rec",
)
_SNNTORCH = Convention(
    "snntorch",
    "snnTorch wrote it, as by default: dt 1e-4, Euler, >, subtracts the threshold one step later",
    dt=1e-4,
    dt_is=FIXED,
    gain_of_if="one",
    reset="soft",
    late=True,
    leak="zero",
)
_ALL = (
    _SNNTORCH,
    Convention(
        "snntorch-zero",
        "snnTorch wrote it, with reset_mechanism='zero': dt 1e-4, Euler, >, hard reset to 0",
        dt=1e-4,
        dt_is=FIXED,
        gain_of_if="one",
        reset_to="zero",
        leak="zero",
    ),
    _NORSE,
    Convention(
        "norse-export",
        "Norse wrote it, whose exporter gives dt times tau: undone with dt 1e-3, else as norse",
        dt=1e-3,
        dt_is=FIXED,
        gain="tau",
        gain_of_if="one",
        reset_to="zero",
        start="leak",
        tau_is="dt times tau",
        cut="w_rec",
    ),
    Convention(
        "sinabs",
        "sinabs: dt 1, exponential decay, several spikes a step, subtracts, a floor for IF",
        dt=1.0,
        dt_is=FIXED,
        decay="exponential",
        compare="ge",
        reset="soft",
        several=True,
        floor=True,
        leak="zero",
        cut="",
    ),
    Convention(
        "spikingjelly",
        "SpikingJelly: dt 1e-4 unless r says otherwise, Euler, >=, hard reset, start at v_reset",
        dt=1e-4,
        dt_is=USUAL,
        compare="ge",
        start="reset",
        leak="reset",
        cut="w_rec",
    ),
    Convention(
        "rockpool",
        "Rockpool: dt from r, exponential decay, gain 1, several spikes a step, subtracts",
        dt_is=FROM_R,
        decay="exponential",
        gain="one",
        gain_of_if="one",
        compare="ge",
        reset="soft",
        several=True,
        leak="zero",
        cut="",
    ),
    Convention(
        "spyx",
        "Spyx: dt 1, Euler, gain 1, spikes before it adds the input, subtracts one step later",
        dt=1.0,
        dt_is=FIXED,
        gain="one",
        gain_of_if="one",
        reset="soft",
        late=True,
        first_spikes=True,
        leak="zero",
        cut="",
    ),
    Convention(
        "nir-literal",
        "the equations of NIR itself, by Euler steps: >, hard reset to v_reset, start at 0",
    ),
)
CONVENTIONS: Mapping[str, Convention] = {each.name: each for each in _ALL}
"""By the name that users give."""
