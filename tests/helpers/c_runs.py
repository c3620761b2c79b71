"""Programs as C, compiled and run beside the interpreter: answers, spikes and membranes.

`python tests/helpers/c_runs.py --count 300` compares as many random programs.
"""

import argparse
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from generators.inputs import images
from generators.products import PRODUCTS
from generators.programs import program
from generators.windows import WINDOWS
from looped_programs import images as looped_images
from looped_programs import looped
from neuron_programs import compiled as compiled_neurons
from neuron_programs import frames, spiking
from random_neurons import by_neuron, random_model

from snncc.artifact import Program
from snncc.backends.c99.draft import DENSE, EVENTS
from snncc.backends.c99.source import Source
from snncc.ir import TIME, Graph
from snncc.ir.populations import is_neuron, is_population
from snncc.runtime import ALL, interpret

COMPILERS = tuple(name for name in ("gcc", "clang") if shutil.which(name))
needs_compiler = pytest.mark.skipif(not COMPILERS, reason="there is neither gcc nor clang here")
each_compiler = pytest.mark.parametrize(
    "compiler",
    [
        pytest.param(
            name, marks=pytest.mark.skipif(name not in COMPILERS, reason=f"there is no {name} here")
        )
        for name in ("gcc", "clang")
    ],
)
STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror")
CHECKED = ("-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
SEEN = np.dtype([("node", "<i4"), ("place", "<i4"), ("membrane", "<i8"), ("spike", "<i8")])
DRIVE = """
#include <stdio.h>
static void put(int64_t number) {{
    fwrite(&number, sizeof number, 1, stdout);
}}
void net_drive(FILE *seen) {{
    static net_input frames[NET_FRAMES * NET_INPUTS];
    static net_output answer[NET_OUTPUTS];
    (void)seen;
    for (int image = 0; image < {images}; image++) {{
        if (fread(frames, 1, sizeof frames, stdin) != sizeof frames) {{
            return;
        }}
        if (image & 1) {{
            net_run(frames, answer);
        }} else {{
            const net_input *frame = frames;
            net_begin();
            while (net_step(frame)) {{
                frame += NET_FRAMES > 1 ? NET_INPUTS : 0;
            }}
            for (int i = 0; i < NET_OUTPUTS; i++) {{
                answer[i] = net_answer()[i];
            }}
        }}
        for (int i = 0; i < NET_OUTPUTS; i++) {{
            put(answer[i]);
        }}
    }}
}}
"""
MAIN = """
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
static FILE *file;
void net_seen(int node, ptrdiff_t place, int64_t membrane, int spike) {{
    int32_t where[2];
    int64_t what[2];
    where[0] = node; where[1] = (int32_t)place;
    what[0] = membrane; what[1] = spike;
    fwrite(where, sizeof where, 1, file);
    fwrite(what, sizeof what, 1, file);
}}
{declared}
int main(int count, char **names) {{
    if (count < 2) return 1;
    file = fopen(names[1], "wb");
    {called}
    fclose(file);
    return 0;
}}
"""
Case = tuple[Graph, np.ndarray]


def drawn(seed: int) -> Case:
    """A random program and images for it."""
    graph = program(seed, (*WINDOWS, *PRODUCTS) if seed % 2 else ())
    return graph, images(graph, seed, 2)


def looping(seed: int) -> Case:
    """A program with delays."""
    return looped(seed), looped_images(seed, 2)


def keeping(seed: int) -> Case:
    """Neurons of several states, whose frames lie in time and are below 0."""
    real = spiking(random_model(seed), 5, 8)
    graph, _ = compiled_neurons(by_neuron(real, seed) if seed % 2 else real)
    return graph, frames(seed, 2, 5, 8)


def written(folder: Path, cases: Sequence[Case], form: str, record: bool = True) -> None:
    """Sources of all programs in a folder, with a function that runs them."""
    for number, (graph, given) in enumerate(cases):
        files = Source(graph, form, record).files(Program(graph, {}))
        files["net.c"] += DRIVE.format(images=len(given))
        for name in ("net.h", "net.c"):
            text = re.sub(r"\bnet_(?!seen)", f"net{number}_", files[name])
            text = text.replace('"net.h"', f'"net{number}.h"')
            (folder / name.replace("net", f"net{number}")).write_text(text)
    names = [f"net{number}_drive" for number in range(len(cases))]
    declared = "\n".join(f"void {name}(FILE *seen);" for name in names)
    called = "\n    ".join(f"{name}(file);" for name in names)
    (folder / "main.c").write_text(MAIN.format(declared=declared, called=called))


def compiled(folder: Path, compiler: str, *options: str) -> Path:
    """The program of a folder's sources; warnings are errors."""
    sources = sorted(str(path) for path in folder.glob("*.c"))
    call = [compiler, *STRICT, *options, "-o", str(folder / "run"), *sources]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]
    return folder / "run"


def with_time_in_front(graph: Graph, given: np.ndarray) -> np.ndarray:
    """Frames one after another, as a caller in C gives them."""
    kind = next(node for node in graph.nodes if not node.inputs).type
    return np.moveaxis(given, 1 + kind.names.index(TIME), 1) if kind.temporal else given


def compare(run: Path, cases: Sequence[Case]) -> int:
    """Holds answers, membranes and spikes against the interpreter; how many spikes there were."""
    entering = b"".join(with_time_in_front(*case).tobytes() for case in cases)
    call = [str(run), str(run.parent / "seen")]
    done = subprocess.run(call, input=entering, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[:4000].decode()
    answers = np.frombuffer(done.stdout, np.int64)
    seen = np.fromfile(run.parent / "seen", SEEN)
    spikes = at = place = 0
    for number, (graph, given) in enumerate(cases):
        wanted = interpret(graph, given, ALL)
        size = wanted.readout.size
        assert np.array_equal(answers[at : at + size], wanted.readout.reshape(-1)), number
        at += size
        neurons = [node for node in graph.nodes if is_neuron(node.op)]
        steps = len(given) * graph.steps
        count = steps * sum(node.type.neurons for node in neurons)
        mine = seen[place : place + count]
        place += count
        for node in (node for node in neurons if is_population(node.op)):
            own = mine[mine["node"] == graph.nodes.index(node)].reshape(steps, -1)
            assert (own["place"] == np.arange(node.type.neurons)).all()
            shape = node.type.without(TIME).shape
            for what, values in (("spike", wanted.spikes), ("membrane", wanted.membranes)):
                value = np.moveaxis(values[node.name], 1 + node.type.names.index(TIME), 1)
                found = own[what].reshape(len(given), graph.steps, *shape)
                assert np.array_equal(found, value), (number, node.name, what)
        spikes += sum(wanted.spike_counts.values())
    assert at == len(answers)
    return spikes


def same(cases: Iterable[Case], compiler: str, form: str, *options: str) -> int:
    """Compiles, runs and compares; how many spikes there were."""
    kept = [*cases]
    with TemporaryDirectory() as name:
        written(Path(name), kept, form)
        return compare(compiled(Path(name), compiler, *options), kept)


def _soak(count: int, first: int, draw: Callable[[int], Case] = drawn) -> None:
    for start in range(first, first + count, 20):
        seeds = range(start, min(start + 20, first + count))
        for form in (EVENTS, DENSE):
            compiler = COMPILERS[(start // 20) % len(COMPILERS)]
            try:
                spikes = same(map(draw, seeds), compiler, form, *CHECKED)
            except AssertionError as error:
                print(f"{seeds} {form} {compiler}: {error}")
            else:
                print(f"{seeds} {form} {compiler}: {spikes} spikes, all equal", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--first", type=int, default=0)
    _soak(**vars(parser.parse_args()))
