"""What people call from Python: the names, what they need, what they give, and how they fail."""

import importlib.util
import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import snncc
from snncc.cli.main import run

EXPECTED = [
    *("Finding", "Program", "Recorded", "Result", "SnnccError", "Verdict", "__version__"),
    *("compile", "load"),
]


@pytest.fixture(scope="module")
def digits(root: Path) -> dict[str, NDArray[Any]]:
    with np.load(root / "examples/digits.npz") as data:
        return {key: data[key] for key in data.files}


@pytest.fixture(scope="module")
def program(root: Path, digits: dict[str, NDArray[Any]]) -> snncc.Program:
    return snncc.compile(
        root / "examples/digits_mixer.pth", normalize=(0.3, 0.35), calibrate=digits["x_cal"][:32]
    )


def test_the_public_names_are_these() -> None:
    assert snncc.__all__ == EXPECTED
    assert dir(snncc) == sorted(EXPECTED)
    for name in snncc.__all__:
        assert getattr(snncc, name) is not None


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'kompile'"):
        snncc.kompile  # type: ignore[attr-defined]  # noqa: B018


def test_public_objects_have_no_undocumented_names() -> None:
    for name in snncc.__all__:
        public = getattr(snncc, name)
        if not inspect.isclass(public) or issubclass(public, Exception):
            continue
        assert inspect.getdoc(public), name
        for member, value in vars(public).items():
            if not member.startswith("_") and callable(value):
                assert inspect.getdoc(value), f"{name}.{member}"


def test_importing_needs_neither_torch_nor_numba() -> None:
    code = (
        "import sys, snncc; "
        "assert not {'torch', 'numba', 'numpy', 'llvmlite'} & set(sys.modules), sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_running_needs_no_torch(program: snncc.Program, root: Path, tmp_path: Path) -> None:
    program.save(tmp_path / "net.snncc")
    code = (
        "import sys, numpy as np, snncc\n"
        "p = snncc.load('net.snncc')\n"
        "p.run(np.zeros((2, *p.input_shape), np.uint8)).spikes[p.populations[0]]\n"
        "p.verify()\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_the_program_is_the_command_lines(
    program: snncc.Program, root: Path, tmp_path: Path, digits: dict[str, NDArray[Any]]
) -> None:
    np.save(tmp_path / "cal.npy", digits["x_cal"][:32])
    by_command = tmp_path / "by_command.snncc"
    arguments = ["compile", str(root / "examples/digits_mixer.pth"), "-o", str(by_command)]
    arguments += ["--normalize", "0.3,0.35", "--calibrate", str(tmp_path / "cal.npy")]
    assert run(arguments) == 0
    program.save(tmp_path / "by_python.snncc")
    assert by_command.read_bytes() == (tmp_path / "by_python.snncc").read_bytes()
    assert snncc.load(by_command) == program
    assert hash(snncc.load(by_command)) == hash(program)


def test_equal_programs_compute_the_same_wherever_they_come_from(
    program: snncc.Program,
    root: Path,
    tmp_path: Path,
    digits: dict[str, NDArray[Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    renamed = tmp_path / "renamed.pth"
    renamed.write_bytes((root / "examples/digits_mixer.pth").read_bytes())
    images = digits["x_cal"][:32]
    again = snncc.compile(renamed, normalize=(0.3, 0.35), calibrate=images)
    assert again.report["checkpoint"] != program.report["checkpoint"]
    assert again == program
    assert hash(again) == hash(program)
    saved = {p.save(tmp_path / "p.snncc") for p in (again, program)}
    assert len(saved) == 2
    capsys.readouterr()
    assert run(["inspect", str(tmp_path / "p.snncc"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["digest"] == program.digest
    other = snncc.compile(renamed, normalize=(0.3, 0.36), calibrate=images)
    assert other != program
    assert program != "a program"


def test_lines_of_the_models_source_are_no_part_of_what_is_computed(tmp_path: Path) -> None:
    source = (
        "from torch import nn\nfrom spikingjelly.activation_based import layer, neuron\n"
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.a, self.f = layer.Linear(4, 3), neuron.IFNode()\n"
        "        self.b = layer.Linear(3, 2)\n        self.a.weight.data.fill_(0.5)\n"
        "        self.b.weight.data.fill_(0.25)\n"
        "        [m.bias.data.zero_() for m in (self.a, self.b)]\n"
        "        [setattr(m, 'step_mode', 'm') for m in (self.a, self.b, self.f)]\n"
        "    def forward(self, x):\n        return self.b(self.f(self.a(x))).mean(0)\n"
    )
    programs: list[snncc.Program] = []
    for lead in ("", "# a line more\n"):
        path = tmp_path / f"net_{len(lead)}.py"
        path.write_text(lead + source)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        programs.append(snncc.compile(module.Net().eval(), input_shape=(4,), steps=2))
    assert programs[0] == programs[1]


def test_results_carry_axes_thresholds_and_predictions(
    program: snncc.Program, digits: dict[str, NDArray[Any]]
) -> None:
    result = program.run(digits["x_test"][:20])
    assert result.logits.shape == result.readout.shape == (20, 10)
    assert (result.predictions == result.logits.argmax(1)).all()
    assert result.accuracy(digits["y_test"][:20]) > 0.8
    with pytest.raises(ValueError, match="labels have shape"):
        result.accuracy(digits["y_test"][:19])
    assert tuple(result.spikes) == program.populations
    for name in program.populations:
        spikes, membranes = result.spikes[name], result.membranes[name]
        assert spikes.axes == membranes.axes
        assert spikes.axes[0] == "batch"
        assert "t" in spikes.axes
        assert spikes.values.shape[0] == 20
        fires = membranes.values >= membranes.threshold
        polar = program.graph[name].op.polarity  # type: ignore[attr-defined]
        if polar is None:  # where a norm scales by 0 or below, the sign turns the comparison
            assert (fires == (spikes.values == 1)).all(), name
        assert np.isclose(spikes.values.mean(), result.spike_rates[name])
    with pytest.raises(KeyError, match="no population is called 'nobody'"):
        result.spikes["nobody"]


def test_executors_and_kernels_give_the_same(
    program: snncc.Program, digits: dict[str, NDArray[Any]]
) -> None:
    images = digits["x_test"][:6]
    first = program.run(images)
    others: list[dict[str, Any]] = [
        {"executor": "interpreter"},
        {"kernels": "dense"},
        {"kernels": "auto"},
        {"threads": 2},
    ]
    for options in others:
        other = program.run(images, **options)
        assert (first.readout == other.readout).all(), options
        for name in program.populations:
            assert (first.membranes[name].values == other.membranes[name].values).all(), options


def test_images_may_be_a_list_a_tensor_a_file(
    program: snncc.Program, digits: dict[str, NDArray[Any]], tmp_path: Path
) -> None:
    import torch

    images = digits["x_test"][:3]
    np.savez(tmp_path / "d.npz", x=images, y=digits["y_test"][:3])
    wanted = program.run(images).readout
    same: list[Any] = [torch.from_numpy(images), f"{tmp_path / 'd.npz'}:x"]
    for given in same:
        assert (program.run(given).readout == wanted).all()


def test_a_live_module_is_compiled_and_left_as_it_is() -> None:
    import torch
    from spikingjelly.activation_based import layer, neuron
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(
        layer.Linear(16, 8, step_mode="m"),
        neuron.LIFNode(step_mode="m"),
        layer.Linear(8, 3, step_mode="m"),
    )
    net.train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    program = snncc.compile(net, input_shape=(16,), steps=3, weight_bits=16)
    assert net.training
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert program.input_shape == (16,)
    assert program.steps == 3
    images = np.random.default_rng(0).integers(0, 256, (5, 16), dtype=np.uint8)
    assert program.run(images).logits.shape == (5, 3)


def test_saving_replaces_programs_alone(program: snncc.Program, root: Path, tmp_path: Path) -> None:
    for name in ("examples/digits_mixer.pth", "examples/digits.npz"):
        victim = tmp_path / Path(name).name
        victim.write_bytes((root / name).read_bytes())
        with pytest.raises(snncc.SnnccError, match="SNN002"):
            program.save(victim)
        assert victim.read_bytes() == (root / name).read_bytes()
    assert program.save(tmp_path / "p.snncc") == program.save(tmp_path / "p.snncc")


def test_outputs_are_not_called_as_keys_of_files(program: snncc.Program, tmp_path: Path) -> None:
    for call in (program.save, lambda path: program.export("lava", path)):
        with pytest.raises(snncc.SnnccError, match="FILE:KEY"):
            call(tmp_path / "d.npz:x")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("labels", [[0.5], [10], [-1], [True], ["a"]])
def test_labels_that_are_no_classes_have_no_accuracy(program: snncc.Program, labels: Any) -> None:
    result = program.run(np.zeros((1, *program.input_shape), np.uint8))
    with pytest.raises(ValueError, match="no integers from 0 to 9"):
        result.accuracy(labels)


def test_verdicts_answer_for_a_level(program: snncc.Program) -> None:
    verdict = program.verify()
    assert verdict.holds
    assert verdict
    assert verdict.level == "shift-add"
    strict = program.verify("strict")
    assert not strict
    assert [op.op for op in strict.refused] == ["gain", "gain"]


def test_reprs_are_short_and_the_page_escapes_names(program: snncc.Program) -> None:
    result = program.run(np.zeros((1, *program.input_shape), np.uint8))
    for shown in (
        program,
        result,
        program.verify(),
        result.spikes,
        result.spikes["token_mix_lif.0"],
    ):
        assert len(repr(shown)) < 200
    page = program._repr_html_()
    assert "level shift-add" in page
    assert "token_mix_lif.0" in page
    from snncc.api.page import program_page

    forged = program_page(program.graph, {"network": "<script>alert(1)</script>"}, program.verify())
    assert "<script>" not in forged


def test_export_writes_the_bundle_of_the_command(program: snncc.Program, tmp_path: Path) -> None:
    program.export("lava", tmp_path / "bundle")
    assert json.loads((tmp_path / "bundle/manifest.json").read_text())


@pytest.mark.parametrize(
    ("call", "code", "said"),
    [
        (lambda: snncc.compile(3), "SNN001", "torch.nn.Module"),  # type: ignore[arg-type]
        (lambda: snncc.compile("none.pth"), "SNN010", "no such file"),
        (lambda: snncc.compile("none.pth", weight_bits=1), "SNN001", "bits"),
        (lambda: snncc.compile("a.pth", normalize=0.3), "SNN001", "(mean, std)"),  # type: ignore[arg-type]
        (lambda: snncc.compile("a.pth", input_shape="3"), "SNN001", "channels"),
        (lambda: snncc.compile("a.pth", calibrate="no.npy"), "SNN015", "no.npy"),
        (lambda: snncc.compile("a.pth", calibrate=object()), "SNN016", "calibrate"),
        (lambda: snncc.compile("a.pth", checkpoint="b.pth"), "SNN001", "checkpoint"),
        (lambda: snncc.compile("a.pth", progress=3), "SNN001", "progress"),  # type: ignore[arg-type]
        (lambda: snncc.compile("os:getcwd"), "SNN003", "not a module"),
        (lambda: snncc.load("none.snncc"), "SNN015", "none.snncc"),
    ],
)
def test_what_is_wrong_is_one_coded_error(call: Any, code: str, said: str) -> None:
    with pytest.raises(snncc.SnnccError) as caught:
        call()
    assert caught.value.code == code
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"executor": "gpu"}, "executor='gpu'"),
        ({"kernels": "fast"}, "kernels='fast'"),
        ({"threads": 0}, "threads=0"),
        ({"executor": "interpreter", "threads": 2}, "leave them out"),
    ],
)
def test_options_of_a_run_are_checked(
    program: snncc.Program, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(snncc.SnnccError, match="SNN001") as caught:
        program.run(np.zeros((1, *program.input_shape), np.uint8), **options)
    assert said in str(caught.value)


def test_errors_speak_of_arguments_not_of_options(root: Path) -> None:
    path = root / "examples/digits_mixer.pth"
    calls: list[Any] = [
        lambda: snncc.compile(path, weight_bits="auto"),
        lambda: snncc.compile(path, normalize=(0, 1), preprocess="imagenet224"),
        lambda: snncc.compile(path, profile="loihi-lava", gain="shift-add"),
        lambda: snncc.compile(path, steps=0),
        lambda: snncc.compile(path, arguments={"a": 1}),
        lambda: snncc.compile(path, profile="loihi-lava", decay="by-step"),
        lambda: snncc.compile(path, agreement=0.5),
    ]
    for call in calls:
        with pytest.raises(snncc.SnnccError) as caught:
            call()
        assert "--" not in str(caught.value), str(caught.value)


def test_the_readmes_quick_start_runs_word_for_word(root: Path, tmp_path: Path) -> None:
    for page in ("README.md", "docs/python.md"):
        blocks = (root / page).read_text().split("```python\n")[1:]
        starts = [
            b.partition("```")[0]
            for b in blocks
            if b.startswith("import numpy as np\nimport snncc")
        ]
        assert len(starts) == 1, page
        (tmp_path / "examples").symlink_to(root / "examples")
        done = subprocess.run(
            [sys.executable, "-c", starts[0]], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert "0.978" in done.stdout, page
        assert "<token_mix_lif.0: uint8 batch=500, t=4, h1=8, w1=8, c1=24>" in done.stdout
        (tmp_path / "examples").unlink()
