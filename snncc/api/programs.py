"""Programs as Python callers hold them: run, verify, save, export."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snncc import artifact
from snncc.api.arguments import Images, images_of, in_words_of_python
from snncc.api.checks import choice, flag, mapping, path_of, several, whole, wrong
from snncc.api.page import program_page
from snncc.api.plots import ProgramPlots
from snncc.api.reports import Report
from snncc.api.results import Recorded, RecordedPopulations, Result
from snncc.api.verdicts import Verdict
from snncc.artifact import computation_digest
from snncc.artifact.kinds import EMPTY, PROGRAM, kind_of
from snncc.data.image_arrays import images_for, require_some
from snncc.data.image_folder import ImageFolder
from snncc.data.preprocessing import preset_of
from snncc.data.specs import check_no_key
from snncc.diagnostics import SnnccError
from snncc.execution import Execute, Execution
from snncc.ir import Graph
from snncc.ir.arrays import spread
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.projections import Frames
from snncc.ir.encodings import frames_of
from snncc.ir.populations import population_nodes
from snncc.runtime.answers import predictions_of
from snncc.runtime.recording import BATCH, run_recorded

if TYPE_CHECKING:
    from snncc.backends.cpu.streams.stream import Stream
    from snncc.chips.verdicts import Fit

LEVELS = ("strict", "shift-add", "bit-serial")
EXECUTORS = ("simulator", "interpreter")
KERNELS = ("event", "dense", "auto")


class Program:
    """An integer program: compiled by `snncc.compile`, or read by `snncc.load`.

    Two are equal when they compute the same by the same nodes, whatever their checkpoints are
    called and whatever `report` says.

    Attributes:
        graph: the integer program itself, node by node.
        report: facts in JSON form: the network, options, what was folded where, fidelity; called,
            `report("net.html", images)`, it writes a page with pictures.
        notes: sentences for the user, of the compilation; none for a program that was read.
    """

    def __init__(self, program: artifact.Program, notes: Collection[str] = ()) -> None:
        self._program = program
        self.graph: Graph = program.graph
        self.report = Report(program.provenance, program, self._images)
        self.notes: tuple[str, ...] = tuple(notes)
        self._executors: dict[tuple[str, str, int | None], Execute] = {}

    @property
    def digest(self) -> str:
        """The sha256 of nodes and constants: what is computed, not where it comes from."""
        return computation_digest(self._program)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one image."""
        return self._frames.shape

    @property
    def steps(self) -> int:
        """T, the number of time steps."""
        return self.graph.steps

    @property
    def populations(self) -> tuple[str, ...]:
        """Names of the populations, in the order of the network."""
        return tuple(node.name for node in population_nodes(self.graph))

    @property
    def plot(self) -> ProgramPlots:
        """Pictures as matplotlib's axes: `program.plot.graph()`."""
        return ProgramPlots(self.graph, self.report)

    def save(self, path: str | Path) -> str:
        """Writes the program and its report; if both are equal, so are the bytes.

        Returns:
            The sha256 over its content, the report included; `digest` is of the computation alone.

        Raises:
            SnnccError: SNN002 when the file cannot be written, or there is a checkpoint, data or
                another file of a known kind that is no program.
        """
        target = path_of("path", path)
        check_no_key("path", target)
        kind = kind_of(target)
        if kind not in ("", EMPTY, PROGRAM):
            raise SnnccError(
                "SNN002",
                f"{path} is not replaced",
                why=f"it is {kind}, and would be lost",
                help="give another path, such as net.snncc",
            )
        with in_words_of_python():
            return artifact.save_program(target, self._program)

    def run(
        self,
        images: Images,
        *,
        executor: str = "simulator",
        kernels: str = "event",
        threads: int | None = None,
    ) -> Result:
        """Answers images.

        Args:
            images: uint8 [n, *input_shape] as they are stored (normalisation is part of the
                program), or the path of an .npy, an .npz with a key, or a folder.
            executor: "simulator", or "interpreter": the definition, slow.
            kernels: of the simulator: "event", "dense" or "auto"; the same bits.
            threads: of the simulator; None for as many as the machine gives.

        Returns:
            Answers. Spikes and membranes are recorded when `result.spikes[name]` asks for them.

        Raises:
            SnnccError: SNN001 for an argument that there is not, SNN015 or SNN016 for images that
                cannot be read or do not fit, SNN004 when memory does not suffice.
        """
        with in_words_of_python():
            execute = self._executor(executor, kernels, threads)
            taken = self._images(images)
            execution, _ = run_recorded(self.graph, taken, execute, frozenset())
        spikes: dict[str, Recorded] = {}
        membranes: dict[str, Recorded] = {}

        def record(name: str, wanted: dict[str, Recorded]) -> Recorded:
            if name not in spikes:
                with in_words_of_python():
                    _, recording = run_recorded(self.graph, taken, execute, (name,))
                made = self._recorded(name, recording.spikes[name], recording.membranes[name])
                spikes[name], membranes[name] = made
            return wanted[name]

        return Result(
            predictions_of(execution.logits),
            execution.logits,
            execution.readout,
            self._rates(execution, len(taken)),
            RecordedPopulations(self.populations, lambda name: record(name, spikes)),
            RecordedPopulations(self.populations, lambda name: record(name, membranes)),
        )

    def stream(self, sample: Images, *, record: Collection[str] = ()) -> "Stream":
        """Answers one image, or the frames of one sample, step by step.

        Args:
            sample: uint8 [*input_shape], without the axis of a batch.
            record: populations whose spikes and membranes every answer has.

        Returns:
            What gives an answer for every step: `for answer in program.stream(image)`; the last one
            has the readout and logits of `run`. `state()` is what the steps to come need.

        Raises:
            SnnccError: SNN016 for what is no sample, SNN001 for a name that no population has.
        """
        from snncc.runtime.simulator import Simulator

        with in_words_of_python():
            names = several("record", record, self.populations)
            dtype = self._dtype
            one = sample if isinstance(sample, str | Path) else images_of(sample, "sample", dtype)
            if not isinstance(one, np.ndarray):
                raise wrong("sample", sample, "give one image, or one sample's frames, as an array")
            (taken,) = self._images(one[None])
            return Simulator(self.graph).stream(taken, names)

    def verify(self, level: str = "shift-add", *, allow: Collection[str] = ()) -> Verdict:
        """Says whether every operation stays within a level of the ladder.

        Args:
            level: "strict", "shift-add" or "bit-serial".
            allow: "encoding=host" accepts a first layer that the host computes.

        Raises:
            SnnccError: SNN001 for a level or an allowance that there is not.
        """
        from snncc.mfi import ALLOWANCES, Level, Policy, prove

        wanted = Level.parse(choice("level", level, LEVELS))
        allowed = several("allow", allow, tuple(ALLOWANCES))
        proof = prove(self.graph)
        judgement = Policy(wanted, allowed).judge(proof)
        return Verdict.of(proof, judgement, level)

    def export(
        self, target: str, directory: str | Path, *, form: str | None = None, force: bool = False
    ) -> None:
        """Writes the program for another system.

        Args:
            target: "lava": a folder of Python that builds the network from Lava processes; "onnx":
                a file, an integer graph of ONNX; "c": a folder of portable C99.
            directory: to write: a folder, which is made or must be empty, or for "onnx" a file,
                which must not be there.
            form: of "onnx": "scan", all steps in one run (None too), or "step", one step a run; of
                "c": "events" (None too), active inputs are listed, or "dense".
            force: replaces an unchanged earlier export that is there.

        Raises:
            SnnccError: SNN001 for an unknown target or form, SNN002 when it cannot be
                written, SNN036 or SNN040 for what the target has no form for, SNN050 when a
                package that it needs is not installed.
        """
        from snncc.targets.registry import exporter, that_export, that_have_forms

        choice("target", target, that_export())
        if form is not None:
            choice("form", form, that_have_forms())
        place, replaces = path_of("directory", directory), flag("force", force)
        check_no_key("directory", place)
        with in_words_of_python():
            exporter(target, form)(self._program, place, replaces)

    def fit(self, chip: str | Path, *, changes: Mapping[str, object] | None = None) -> "Fit":
        """Says whether the program fits a chip; `answer` is the verdict in words.

        Args:
            chip: the name of a description that comes with snncc, or the path of another.
            changes: facts in place of the description's, such as {"cores": 120}.

        Returns:
            The answer, "fits", "does not fit" or "cannot be said", with all violations, what is
            unknown, what nobody verified, and what each layer needs.

        Raises:
            SnnccError: SNN001 for a chip or a fact that there is not, SNN130 for a description
                that is not valid.
        """
        from snncc.chips.fitting import Fitter
        from snncc.chips.reading import chip_named

        given = [f"{key}={value}" for key, value in mapping("changes", changes).items()]
        with in_words_of_python():
            return Fitter(self.graph).fit(chip_named(str(path_of("chip", chip)), given))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        neurons = sum(n.type.neurons for n in population_nodes(self.graph))
        return (
            f"<Program {self.report.get('network', 'program')}: {len(self.populations)} populations"
            f" with {neurons:,} neurons, {self.steps} steps, images {list(self.input_shape)}>"
        )

    def _repr_html_(self) -> str:
        return program_page(self.graph, self.report, self.verify())

    @property
    def _frames(self) -> Frames:
        return frames_of(self.graph)

    @property
    def _dtype(self) -> str:
        """Of the numbers that enter."""
        return next(node.type for node in self.graph.nodes if not node.inputs).dtype

    def _images(self, given: Images) -> Any:
        """An array [n, *input_shape] of 8-bit integers."""
        images = images_of(given, "images", self._dtype)
        if isinstance(images, ImageFolder):
            files = images.images(self.input_shape, preset_of(self.report))
            return files[0 : len(files)]
        fitting = images_for(images, self.input_shape, "images", self._frames.domain)
        require_some(fitting, "images")
        return np.ascontiguousarray(fitting)

    def _executor(self, executor: str, kernels: str, threads: int | None) -> Execute:
        """What runs the program, made once for each choice."""
        from snncc.backends.cpu.dense.choice import known_rates
        from snncc.runtime.executors import as_executor, executor_of
        from snncc.runtime.simulator import Simulator

        choice("executor", executor, EXECUTORS)
        choice("kernels", kernels, KERNELS)
        threads = None if threads is None else whole("threads", threads)
        if threads is not None and threads < 1:
            raise SnnccError("SNN001", f"threads={threads}", help="give at least 1")
        if executor == "interpreter" and (kernels != "event" or threads is not None):
            raise SnnccError(
                "SNN001",
                "kernels and threads do not go with executor='interpreter'",
                why="the interpreter is the definition: one thread, no kernels",
                help="leave them out",
            )
        key = (executor, kernels, threads)
        if key not in self._executors:
            if executor == "interpreter":
                self._executors[key] = executor_of(self.graph, executor)
            else:
                rates = known_rates(self.report)
                known: Any = kernels
                self._executors[key] = as_executor(Simulator(self.graph, threads, known, rates))
        return self._executors[key]

    def _rates(self, execution: Execution, images: int) -> dict[str, float]:
        return {
            node.name: execution.spike_counts[node.name]
            / max(1, images * self.steps * node.type.neurons)
            for node in population_nodes(self.graph)
        }

    def _recorded(self, name: str, spikes: Any, membranes: Any) -> tuple[Recorded, Recorded]:
        node = self.graph[name]
        op = node.op
        param = op.threshold if isinstance(op, IntegerPopulation | IntegerNeuron) else None
        if param is None:
            raise SnnccError("SNN001", f"{name} is no population")
        axes = (BATCH, *node.type.names)
        levels = self.graph.constants[param.name].astype(np.int64)
        threshold = spread(levels, param.axes, node.type.names)[None]
        return Recorded(name, spikes, axes, threshold), Recorded(name, membranes, axes, threshold)


def load(path: str | Path) -> Program:
    """Reads a program that `snncc compile` or `Program.save` wrote; needs no torch.

    Raises:
        SnnccError: SNN015 when there is no such file, SNN017 when it is damaged or no program,
            SNN040 when it holds ops that this snncc cannot run.
    """
    from snncc.runtime.interpreter import VALUE

    with in_words_of_python():
        program = artifact.load_program(path_of("path", path))
        VALUE.require(program.graph)
        return Program(program)
