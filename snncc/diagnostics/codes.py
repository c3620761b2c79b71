"""Every diagnostic code, with its title and the exit code of the command line."""

from collections.abc import Mapping
from dataclasses import dataclass

NO = 1
USAGE = 2
UNREADABLE = 3
UNSUPPORTED = 4
MISSING_DEPENDENCY = 5
BACKEND_FAILED = 6


@dataclass(frozen=True, slots=True)
class Code:
    """What a code stands for."""

    title: str
    exit_code: int


CODES: Mapping[str, Code] = {
    # What the user typed or passed.
    "SNN001": Code("an option does not fit the model or the data", USAGE),
    "SNN002": Code("the output cannot be written", USAGE),
    "SNN003": Code("the model factory cannot be imported or called", USAGE),
    "SNN004": Code("a run does not fit into memory", USAGE),
    "SNN005": Code("a command line cannot be read", USAGE),
    "SNN006": Code("options in snncc.toml are not valid", UNREADABLE),
    # Files.
    "SNN010": Code("a checkpoint cannot be read", UNREADABLE),
    "SNN011": Code("a checkpoint would run code", UNREADABLE),
    "SNN012": Code("a checkpoint does not fit the model", UNREADABLE),
    "SNN013": Code("a checkpoint is not of a known network", UNREADABLE),
    "SNN015": Code("a data file cannot be read", UNREADABLE),
    "SNN016": Code("data do not fit the program", UNREADABLE),
    "SNN017": Code("a program file is damaged or not a program", UNREADABLE),
    "SNN080": Code("a recording of events is not valid", UNREADABLE),
    "SNN081": Code("a recording does not fit the frames", UNREADABLE),
    "SNN090": Code("a checkpoint holds several sets of weights", USAGE),
    # The model: frontend.
    "SNN020": Code("a normalisation divides by data", UNSUPPORTED),
    "SNN021": Code("an operation has no integer form", UNSUPPORTED),
    "SNN022": Code("control flow depends on data", UNSUPPORTED),
    "SNN023": Code("the model is random", UNSUPPORTED),
    "SNN024": Code("a tensor comes from code that cannot be seen", UNSUPPORTED),
    "SNN025": Code("a module is not ready for inference", UNSUPPORTED),
    "SNN026": Code("a module keeps state and has no handler", UNSUPPORTED),
    "SNN027": Code("the trace does not reproduce the model", UNSUPPORTED),
    "SNN028": Code("the model fails on the example input", UNSUPPORTED),
    "SNN029": Code("axes of the model cannot be told apart", UNSUPPORTED),
    # The model: lowering.
    "SNN030": Code("a linear map reads real currents", UNSUPPORTED),
    "SNN031": Code("the network has no readout that can be summed", UNSUPPORTED),
    "SNN033": Code("a constant does not fit the widest integer", UNSUPPORTED),
    "SNN034": Code("values of a tensor are not finite", UNREADABLE),
    "SNN035": Code("there is no certificate for a program that multiplies", UNSUPPORTED),
    "SNN036": Code("a program does not fit Lava's processes", UNSUPPORTED),
    "SNN110": Code("an answer has several axes", UNSUPPORTED),
    "SNN120": Code("the steps of a loop over time differ", UNSUPPORTED),
    "SNN121": Code("a state of a loop over time has no form", UNSUPPORTED),
    "SNN100": Code("a neuron's parameter or start cannot be modelled", UNSUPPORTED),
    # NIR files, and .net files of lava-dl.
    "SNN150": Code("a NIR or .net file cannot be read", UNREADABLE),
    "SNN151": Code("a NIR or .net file is not valid", UNREADABLE),
    "SNN152": Code("a NIR or .net file leaves something open", USAGE),
    "SNN153": Code("a node of a NIR or .net file has no form", UNSUPPORTED),
    # Backends.
    "SNN040": Code("a backend has no form for part of a program", UNSUPPORTED),
    # Programs.
    "SNN070": Code("a program is larger than the stated limits", UNSUPPORTED),
    # Chips.
    "SNN130": Code("a description of a chip is not valid", UNREADABLE),
    "SNN131": Code("a program does not fit a chip, or that cannot be said", NO),
    "SNN132": Code("a mapping is not right for its program and chip", NO),
    # Evaluations.
    "SNN190": Code("a store of results cannot be used", UNREADABLE),
    "SNN191": Code("images changed while they were evaluated", UNREADABLE),
    "SNN192": Code("images could not be evaluated", BACKEND_FAILED),
    "SNN193": Code("a cluster does not evaluate", BACKEND_FAILED),
    # Environment.
    "SNN050": Code("an optional dependency is missing", MISSING_DEPENDENCY),
    "SNN051": Code("no Lava environment is found", MISSING_DEPENDENCY),
    "SNN052": Code("a Lava environment cannot be made", MISSING_DEPENDENCY),
    "SNN053": Code("the process of a backend failed", BACKEND_FAILED),
    "SNN054": Code("the process of a backend took too long", BACKEND_FAILED),
    # Executors.
    "SNN060": Code("two executors of one program differ", NO),
    "SNN061": Code("a plan of the simulator does not compute its program", NO),
}
