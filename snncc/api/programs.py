"""Programs as Python callers hold them: run, verify, save, export."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snncc import artifact
from snncc.api.arguments import Images, images_of, in_words_of_python
from snncc.api.checks import choice, flag, mapping, path_of, real, several
from snncc.api.executors import Executors
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
from snncc.events.kept_framing import require_alike
from snncc.execution import Execution
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
    from snncc.evaluation.figures import Evaluation

LEVELS = ("strict", "shift-add", "bit-serial")


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
        self._executors = Executors(self.graph, self.report)

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
        device: str | None = None,
    ) -> Result:
        """Answers images.

        Args:
            images: uint8 [n, *input_shape] as they are stored (normalisation is part of the
                program), or the path of an .npy, an .npz with a key, or a folder.
            executor: "simulator", or "interpreter": the definition, slow; "torch": tensors.
            kernels: of the simulator: "event", "dense" or "auto"; the same bits.
            threads: of the simulator; None for as many as the machine gives.

            device: of torch: "cpu" (None too) or "cuda"; the same bits.

        Returns:
            Answers. Spikes and membranes are recorded when `result.spikes[name]` asks for them.

        Raises:
            SnnccError: SNN001 for an argument that there is not, SNN015 or SNN016 for images that
                cannot be read or do not fit, SNN004 when memory does not suffice.
        """
        with in_words_of_python():
            execute = self._executors.of(executor, kernels, threads, device)
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

    def stream(
        self,
        image: Any = None,
        *,
        record: Collection[str] = (),
        threads: int | None = None,
    ) -> "Stream":
        """One image step by step, with an answer after each; the bits are those of `run`.

        Args:
            image: uint8 [*input_shape]; None where every step brings its own frame, as it comes:
                `stream.step(frame)`, of `input_shape` without time.
            record: populations whose spikes and membranes every answer has.
            threads: None for as many as the machine gives.

        Returns:
            An iterator over the remaining answers, each with `done`, `readout` and `logits`;
            `state()` is everything that the remaining steps need.

        Raises:
            SnnccError: SNN001 for an argument that there is not, and without an image where the
                program takes one for all steps; SNN016 for an image that does not fit.
        """
        with in_words_of_python():
            simulator = self._executors.streaming(threads)
            one = image[None] if hasattr(image, "shape") else [image]
            given = None if image is None else self._images(one)[0]
            return simulator.stream(given, tuple(record))

    def evaluate(
        self,
        data: str | Path,
        *,
        labels: Any = None,
        reference: str | Path | None = None,
        store: str | Path | None = None,
        restart: bool = False,
        limit: int | None = None,
        shard_size: int = 256,
        operations: int | None = None,
        threads: int | None = None,
        readers: int | None = None,
        workers: int | None = None,
        scheduler: str | None = None,
        patience: float = 300.0,
        progress: Callable[[int, int], None] | None = None,
    ) -> "Evaluation":
        """Evaluates a whole data set, shard by shard.

        Args:
            data: path of a folder of image files, .tar files or recordings, of an .npy or an .npz.
            labels: "folders", "cls" (in .tar files), a path with a key, or integers [n].
            reference: path of logits of another network, with a key.
            store: file that keeps results; what it holds is not done again.
            restart: forgets what is in the store.
            limit: only the first images.
            shard_size: images that are kept, sent and lost as one.
            operations: counts synaptic operations on every so many images.
            threads: of each simulator.
            readers: processes that decode, beside each simulator.
            workers: processes of this machine that evaluate (`pip install 'snncc[cluster]'`).
            scheduler: address of one of Dask, whose workers evaluate.
            patience: seconds that may pass without scheduler or workers.
            progress: called with the number of images that are done, and of all.

        Raises:
            SnnccError: SNN001 for an argument that there is not, SNN015 or SNN016 for data that do
                not fit, SNN190 for the store, SNN191 for images that changed, SNN192 for images
                that cannot be evaluated, SNN193 for the cluster, SNN050 without dask.
        """
        from snncc.api.evaluations import evaluation_of
        from snncc.evaluation.planning import Ways

        ways = Ways(threads, readers, workers, scheduler, real("patience", patience))
        with in_words_of_python():
            return evaluation_of(
                self._program,
                *(data, labels, reference, store, restart, limit, shard_size, operations),
                ways,
                progress,
            )

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
                a file, an integer graph of ONNX; "c": a folder of portable C99; "nir": a file, a
                graph of NIR in real numbers.
            directory: to write: a folder, which is made or must be empty, or for "onnx" and "nir" a
                file, which must not be there.
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

    def _images(self, given: Images) -> Any:
        """An array [n, *input_shape] of 8-bit integers."""
        kind = next(node.type for node in self.graph.nodes if not node.inputs)
        if isinstance(given, str | Path):
            require_alike(str(given), self.report)
        images = images_of(given, "images", kind.dtype)
        if isinstance(images, ImageFolder):
            files = images.images(self.input_shape, preset_of(self.report))
            return files[0 : len(files)]
        fitting = images_for(images, self.input_shape, "images", self._frames.domain)
        require_some(fitting, "images")
        return np.ascontiguousarray(fitting)

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
