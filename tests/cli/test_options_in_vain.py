"""No option is dropped in silence: in every mode of every command it shows, or it is refused.

Every option is given in every mode. What it changes in the exit code, in what is printed or in what
is written is its effect; where there is none it must be refused, by name and with a reason.
"""

import hashlib
import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import nir_files
import numpy as np
import pytest
import torch
from chip_texts import ON_A_MESH, small_program
from event_files import dvs128
from executions import images_of, populations, ran, with_neurons
from option_samples import MODES, SAMPLES, UNSEEN, VAIN
from programs import lowered
from test_run_on_lava import SEED, bundles  # noqa: F401 (a fixture)

from snncc.artifact import Program, load_program, save_program
from snncc.backends.lava_nc import environment
from snncc.cli.main import COMMANDS, run
from snncc.cli.run import rules as run_rules
from snncc.frontends.mixer_snn.config import MixerConfig
from snncc.frontends.mixer_snn.model import MixerSNN
from snncc.ir import Graph
from snncc.runtime.compare.comparison import compare
from snncc.runtime.proofs import kernel_inspection
from snncc.runtime.proofs.kernel_inspection import KernelProof

FACTORY = """
import torch
from snncc.frontends.mixer_snn.config import MixerConfig
from snncc.frontends.mixer_snn.model import MixerSNN

def make(classes=5):
    torch.manual_seed(1)
    return MixerSNN(MixerConfig(6, (1, 1), 2, 2, 8, 1, int(classes))).eval()
"""


OF_A_LAYER = (
    {
        **nir_files.ends([1, 8, 8], [5]),
        "flat": ("Flatten", {"start_dim": 0, "end_dim": -1}),
        "fc": nir_files.affine(np.random.default_rng(3).normal(size=(5, 64))),
        "lif": nir_files.lif(5),
    },
    nir_files.chain("input", "flat", "fc", "lif", "output"),
)
"""A network of one layer, as nodes and edges of a .nir file."""


def leading_with_time(recording: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Its spikes as [t, batch, ...], without names of axes; one train differs."""
    found: dict[str, np.ndarray] = {}
    for name in map(str, recording["names"]):
        shape, axes = recording[f"shape/{name}"], list(recording[f"axes/{name}"])
        count = int(shape.prod())
        spikes = np.unpackbits(recording[f"spikes/{name}"], count=count).reshape(shape)
        spikes = np.moveaxis(spikes, [axes.index("t"), axes.index("batch")], [0, 1]).copy()
        found[f"shape/{name}"] = np.array(spikes.shape)
        spikes.flat[-1] ^= 1
        found[f"spikes/{name}"] = np.packbits(spikes)
    return found


def all_axes(folder: Path) -> str:
    """--axes for every population of the program."""
    graph = load_program(folder / "p.snncc").graph
    orders = {n: [a for a in graph[n].type.names if a != "t"] for n in populations(graph)}
    return " ".join(f"--axes {n}=t,batch,{','.join(axes)}" for n, axes in orders.items())


def options_of(name: str) -> list[str]:
    params = importlib.import_module(COMMANDS[name]).command.params
    options = [p for p in params if isinstance(p, click.Option) and not p.required]
    return [option.name or "" for option in options]


CASES = [
    (name, mode, option) for name in COMMANDS for mode in MODES[name] for option in options_of(name)
]


def write_events() -> None:
    """Recordings: of arrays, and of a camera that AEDAT 2.0 names."""
    rng = np.random.default_rng(2)
    columns = {
        "x": rng.integers(0, 8, 30),
        "y": rng.integers(0, 6, 30),
        "p": rng.integers(0, 2, 30),
    }
    times = np.sort(rng.integers(10, 200, 30))
    np.savez("events.npz", t=times, **columns)
    both = zip(columns["x"] // 4, columns["y"] // 4, columns["p"], times, strict=True)
    Path("camera.aedat").write_bytes(
        dvs128([(int(x), int(y), int(p), int(t)) for x, y, p, t in both])
    )


def fired_otherwise(graph: Graph, images: np.ndarray) -> Graph:
    """The program with another reset in the last population where that changes spikes."""
    before = ran("as it is", graph, images)
    for name in reversed(populations(graph)):
        reset = "soft" if graph[name].op.reset == "hard" else "hard"
        changed = with_neurons(graph, name, reset=reset)
        after = ran("changed", changed, images)
        if compare(before, after).first is not None:
            return changed
    raise AssertionError("no population's reset changes a spike: take another seed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("vain")
    graph, images = lowered(SEED), images_of(SEED)
    changed = fired_otherwise(graph, images)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.syspath_prepend(str(root))
        save_program(Path("p.snncc"), Program(graph, {}))
        save_program(Path("q.snncc"), Program(changed, {}))
        classes = graph[graph.output].type.shape[0]
        np.savez(
            "d.npz",
            x=images,
            others=255 - images,
            y=np.arange(len(images)) % classes,
            logits=np.random.default_rng(0).random((len(images), classes)),
        )
        torch.manual_seed(0)
        torch.save(MixerSNN(MixerConfig(6, (1, 1), 2, 2, 8, 1, 5)).state_dict(), "net.pth")
        pixels = np.random.default_rng(1).integers(0, 256, (2, 40, 1, 8, 8), dtype=np.uint8)
        np.savez("images.npz", x=pixels[0], y=pixels[1, :30])
        write_events()
        nir_files.write(Path("net.nir"), *OF_A_LAYER)
        Path("my_factory.py").write_text(FACTORY)
        save_program(Path("m.snncc"), Program(small_program(), {}))
        Path("chip.toml").write_text(ON_A_MESH)
        rows = np.random.default_rng(2).integers(0, 256, (3, 2, 3), dtype=np.uint8)
        np.savez("rows.npz", x=rows)
        assert run(["run", "m.snncc", "rows.npz:x", "--record", "m.npz"]) == 0
        assert run(["map", "m.snncc", "--chip", "chip.toml", "-o", "net.map.json"]) == 0
        Path("other.json").write_text('{"a": 1}')
        assert run(["verify", "p.snncc", "--certificate", "cert.json"]) == 0
        assert run(["run", "p.snncc", "d.npz:x", "--record", "one.npz"]) == 0
        assert run(["run", "q.snncc", "d.npz:x", "--record", "two.npz"]) == 0
        with np.load("one.npz") as one:
            np.savez("nameless.npz", **leading_with_time(one))
        assert run(["export", "p.snncc", "--to", "lava", "-o", "bundle"]) == 0
        yield root


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch, bundles: object) -> None:  # noqa: F811
    """No search for Lava; one thread more than there is, so that asking for it shows.

    No kernel is compiled to be looked at, half a minute: `test_kernel_inspection` does that.
    """
    proof = KernelProof("run_units", "int64", 9000, 200, ())
    monkeypatch.setattr(kernel_inspection, "inspect_kernels", lambda: (proof,))
    none = environment.Search(None, (environment.Refused(Path("/no"), "test", "it is not"),))
    monkeypatch.setattr(environment, "find_lava", lambda given=None: none)
    monkeypatch.setattr(environment, "find_python", lambda: None)
    made = environment.LavaEnvironment(Path("/made/python"), "test", "3.10", "0.10", "1.26")
    monkeypatch.setattr("snncc.backends.lava_nc.making.make_lava", lambda *_: made)


def masked(text: str) -> str:
    """Without what differs from run to run: seconds, and what follows from them."""
    text = re.sub(r'("[a-z_]*seconds[a-z_]*": )[0-9.e-]+', r"\1#", text)
    text = re.sub(r"[0-9.,]+ (ms|s)\b", "#", text)
    return re.sub(r"\d+\.\d{3} s  ", "# s  ", text)


def done(call: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[object, ...]:
    """Exit code, what was printed, and what was written; the folder is as before afterwards."""
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    capsys.readouterr()
    code = run(call)
    printed = capsys.readouterr()
    written = []
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        content = file.read_bytes()
        if before.get(file) == content or "__pycache__" in file.parts:
            continue
        written.append((file.name, hashlib.sha256(content).hexdigest()))
        file.write_bytes(before[file]) if file in before else file.unlink()
    out, err = masked(printed.out), masked(printed.err)
    if "--profile" in call:  # nothing but times
        out = re.sub(r"[\d.,%]+", "#", out)
    return code, out, err, written


def test_every_option_has_a_sample_and_every_command_its_modes() -> None:
    assert set(MODES) == set(SAMPLES) == set(COMMANDS)
    for name in COMMANDS:
        assert set(SAMPLES[name]) == set(options_of(name)), name
    known = {(name, mode) for name in MODES for mode in MODES[name]}
    assert set(VAIN) <= known
    assert {(name, mode) for name, mode, _ in UNSEEN} <= known
    assert not [(n, m, o) for n, m, o in UNSEEN if o in VAIN.get((n, m), ())]


@pytest.fixture(scope="module")
def seen() -> dict[str, tuple[object, ...]]:
    """What calls without the option gave."""
    return {}


@pytest.mark.parametrize(("name", "mode", "option"), CASES)
def test_an_option_shows_or_is_refused(
    name: str,
    mode: str,
    option: str,
    folder: Path,
    stand_ins: None,
    seen: dict[str, tuple[object, ...]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    if (name, mode, option) in UNSEEN:
        return
    node = populations(load_program(folder / "p.snncc").graph)[0]
    base, words = (
        text.replace("NODE", node).replace("AXES", all_axes(folder)).split()
        for text in (f"{name} {MODES[name][mode]}", SAMPLES[name][option])
    )
    with_it = done([*base, *words], folder, capsys)
    if option in VAIN.get((name, mode), ()):
        code, _, err, written = with_it
        assert code == 2, (base, words, err)
        assert not written
        assert "error[SNN001]: " in str(err)
        assert "= why: " in str(err)
        named = re.findall(r"error\[SNN001\]: .*?(--[a-z-]+)", str(err))
        given = {"--output" if word == "-o" else word for word in [*base, *words]}
        assert set(named) & given, err
        return
    key = " ".join(base)
    if key not in seen:
        seen[key] = done(base, folder, capsys)
    assert with_it != seen[key], (base, words)


def test_json_says_what_ran(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = (
        done(["run", "p.snncc", "d.npz:x", "--json", "--executor", name], folder, capsys)
        for name in ("simulator", "interpreter")
    )
    assert '"executor": "simulator"' in str(one)
    assert '"executor": "interpreter"' in str(two)


def test_all_vain_options_are_named_at_once(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = "run p.snncc d.npz:x --executor interpreter --threads 2 --timeout 9 --kernels event"
    assert run(call.split()) == 2
    error = capsys.readouterr().err
    for option in ("--threads", "--timeout", "--kernels"):
        assert f"error[SNN001]: {option} has no effect here" in error
    assert "3 errors" in error


def test_what_is_more_than_there_is_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snncc.runtime.simulator.threads_here", lambda: 2)
    data = ["p.snncc", "d.npz:x", "--limit", "999999"]
    for call in (["run", *data], ["run", *data, "--record", "new.npz"], ["count", *data]):
        assert run(call) == 0
        assert "note: --limit 999,999: there are 24 images\n" in capsys.readouterr().err
    assert run(["verify", "p.snncc", "--run", "d.npz:x", "--limit", "25"]) == 0
    assert "note: --limit 25: there are 24 images\n" in capsys.readouterr().err
    assert run(["verify", "p.snncc", "--run", "d.npz:x"]) == 0
    assert "note" not in capsys.readouterr().err
    assert run(["compare", "p.snncc", "two.npz", "--limit", "25"]) == 1
    assert "note: --limit 25: there are 24 images\n" in capsys.readouterr().err
    assert run(["compare", "one.npz", "two.npz", "--limit", "25"]) == 1
    assert "note: --limit 25: there are 24 images\n" in capsys.readouterr().err
    assert run(["run", "p.snncc", "d.npz:x", "--limit", "3", "--threads", "9999"]) == 0
    assert capsys.readouterr().err == "note: --threads 9,999: this machine gives 2\n"
    run_rules.say_threads(2)
    run_rules.say_threads(None)
    assert capsys.readouterr().err == ""


def test_doctor_fails_when_the_interpreter_that_is_named_has_no_lava(
    stand_ins: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["doctor"]) == 0
    assert run(["doctor", "--lava-python", "/nothere"]) == 5
    assert run(["doctor", "--lava-python", "/nothere", "--json"]) == 5
