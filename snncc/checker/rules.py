"""The function of each op: its result, and what is said about it. Without one it is rejected.

docs/certificate.md states every rule in words.
"""

from collections.abc import Callable

from snncc.checker.currents import add, add_along, concat, gain
from snncc.checker.delays import delay
from snncc.checker.gates import gate
from snncc.checker.inputs import frames, pixels
from snncc.checker.moves import take
from snncc.checker.neurons import population
from snncc.checker.products import product
from snncc.checker.program_file import Json
from snncc.checker.projections import contract, convolve
from snncc.checker.readout import readout
from snncc.checker.states import states
from snncc.checker.thresholds import multi_threshold
from snncc.checker.values import Found, NodeRecord
from snncc.checker.windows import largest

KERNEL = "weight channel height width out_channel out_height out_width"
WINDOWS = "axes out size kernel stride padding dilation"
ONE, NONE, RULE = [1, 1], [0, 0], {"reset": "hard", "compare": "ge", "rounding": "floor"}
NEURON = {"bias": None, "polarity": None, "offset": None, "decay": ONE, "decay_offset": 0}
ABSENT = "threshold bias reads late keep amount takes start floor low step below read high"
EMPTY = "swallow has_floor has_low has_high shift carry reset_shift states_within"
STATES: dict[str, Json] = {
    **{key: None for key in ABSENT.split()},
    **{key: [] for key in EMPTY.split()},
    **{"compare": "ge", "membrane": NONE, "most": 1},
}
STAIRS: dict[str, Json] = {"polarity": None, "lowest": 0, "above": None}
OPS: dict[str, tuple[Callable[[NodeRecord], Found], str, dict[str, Json]]] = {
    # the function, the fields that must be there, the others with what they are by default
    "pixels": (pixels, "axes shape", {"encoding": "bit-planes"}),
    "frames": (frames, "axes shape", {"encoding": "bit-planes", "domain": [0, 255]}),
    "contract": (contract, "weight", {"into": [], "out": [], "shared": [], "summed": []}),
    "convolve": (convolve, KERNEL, {"stride": ONE, "padding": NONE, "dilation": ONE, "groups": 1}),
    "concat": (concat, "along out", {}),
    "sum": (add, "", {"shifts": []}),
    "sum_along": (add_along, "summed", {}),
    "largest": (largest, WINDOWS, {"offset": None}),
    "take": (take, "axes out runs", {}),
    "gate": (gate, "", {"inverted": False}),
    "delay": (delay, "steps kind axes shape", {"range": None, "start": None}),
    "product": (product, "summed", {"inverted": False}),
    "multi_threshold": (multi_threshold, "thresholds", STAIRS),
    "gain": (gain, "mantissa", {"shift": 0}),
    "integer_population": (population, "threshold", {**NEURON, **RULE, "membrane": NONE}),
    "integer_neuron": (states, "leak gain form", STATES),
    "integer_readout": (readout, "", {"offset": None, "unit": 1.0}),
}
