"""Arguments of the Python API: what their page says is taken, all else is one coded error."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from spikingjelly.activation_based import layer, neuron
from torch import nn

import snncc

SHAPE = (3,)
IMAGES = np.arange(12, dtype=np.uint8).reshape(4, 3)


class Hostile:
    """Raises whatever is asked of it."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")

    def __array__(self, *_: object, **__: object) -> NDArray[Any]:
        raise OSError("no array")

    def __index__(self) -> int:
        raise ValueError("no number")


WRONG: list[Any] = [
    *(None, True, False, 0, -1, 3, 1.5, float("nan"), float("inf"), 1j, 10**400, 10**5000),
    *("", "a", "3", "none.pth", "a:b", "a" * 5000, "a\0b", "\ud800", "--x", "encoding=host"),
    *(b"", b"a", [], [1], ["a"], [[1], [1, 2]], [None], (), (1, 2), ("a", "b"), {}, {"a": 1}),
    *({1: 2}, {"*": 0.5}, {"*": True}, {"tau": object()}, set(), {"a"}, object(), Hostile()),
    *(np.int64(2), np.float64(2.5), np.bool_(True), np.zeros(0), np.zeros((2, 2)), np.arange(3)),
    *(np.array(["a"]), np.array([None]), Path(""), Path("a" * 5000), Fraction(1, 2), len, int),
    *(range(3), iter([1]), slice(1), ..., NotImplemented, ValueError("a"), nn.Identity()),
]


def network() -> nn.Module:
    net = nn.Sequential(layer.Linear(3, 4), neuron.IFNode(), layer.Linear(4, 2))
    for module in net.modules():
        if hasattr(module, "step_mode"):
            module.step_mode = "m"
    return net.eval()


@pytest.fixture(scope="module")
def program() -> snncc.Program:
    return snncc.compile(network(), input_shape=SHAPE, steps=2)


def refuses_or_works(call: Callable[[], object]) -> None:
    """Anything but a coded error, a warning too, fails the test."""
    with suppress(snncc.SnnccError):
        call()


def parameters_of(function: Callable[..., object]) -> Iterator[str]:
    return (name for name in inspect.signature(function).parameters if name != "self")


@pytest.mark.parametrize("name", [*parameters_of(snncc.compile)])
@pytest.mark.parametrize("source", ["module", "checkpoint", "factory"])
def test_compile_refuses_or_compiles(
    name: str, source: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "for_arguments.py").write_text("def make(n=1):\n    raise RuntimeError(n)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    checkpoint = tmp_path / "none.pth"
    given: dict[str, dict[str, Any]] = {
        "module": {"model": network(), "input_shape": SHAPE, "steps": 1},
        "checkpoint": {"model": checkpoint},
        "factory": {"model": "for_arguments:make", "input_shape": SHAPE},
    }
    for wrong in WRONG:
        options = {**given[source], name: wrong}
        model = options.pop("model")
        refuses_or_works(lambda model=model, options=options: snncc.compile(model, **options))  # type: ignore[misc]


def test_methods_refuse_or_work(
    program: snncc.Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first: dict[Callable[..., object], dict[str, Any]] = {
        program.run: {"images": IMAGES},
        program.verify: {},
        program.save: {"path": "p.snncc"},
        program.export: {"target": "lava", "directory": "bundle"},
        snncc.load: {"path": "p.snncc"},
    }
    for method, usual in first.items():
        for name in parameters_of(method):
            for wrong in WRONG:
                given = {**usual, name: wrong}
                refuses_or_works(lambda method=method, given=given: method(**given))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda _: snncc.compile("a.pth", neuron=3), "neuron=3"),  # type: ignore[arg-type]
        (lambda _: snncc.compile("a.pth", layer_bits=["a"]), "layer_bits=['a']"),  # type: ignore[arg-type]
        (lambda _: snncc.compile("a.pth", layer_bits={"a": 1.5}), "layer_bits['a']=1.5"),  # type: ignore[dict-item]
        (lambda _: snncc.compile("a.pth", steps=1.5), "steps=1.5"),  # type: ignore[arg-type]
        (lambda _: snncc.compile("a.pth", steps=True), "steps=True"),
        (lambda _: snncc.compile("a.pth", weight_bits="8"), "weight_bits='8'"),  # type: ignore[arg-type]
        (lambda _: snncc.compile("a.pth", agreement="a"), "agreement='a'"),  # type: ignore[arg-type]
        (lambda _: snncc.compile("a.pth", weights=3), "weights=3"),  # type: ignore[arg-type]
        (lambda _: snncc.compile("a.pth", gain=3), "gain=3"),  # type: ignore[arg-type]
        (lambda _: snncc.compile("a:b", arguments={"n": [Hostile()]}), "n=a list"),
        (lambda p: p.run(IMAGES, threads="a"), "threads='a'"),
        (lambda p: p.run(IMAGES, threads=1.5), "threads=1.5"),
        (lambda p: p.run(IMAGES, executor=None), "executor=None"),
        (lambda p: p.verify(allow="encoding=host"), "('encoding=host',)"),
        (lambda p: p.verify(level=3), "level=3"),
        (lambda p: p.save(None), "path=None"),
        (lambda _: snncc.load(None), "path=None"),  # type: ignore[arg-type]
        (lambda p: p.export("lava", None), "directory=None"),
        (lambda p: p.export("lava", "there", force="no"), "force='no'"),
    ],
)
def test_wrong_types_are_named(
    program: snncc.Program, call: Any, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(snncc.SnnccError) as caught:
        call(program)
    assert caught.value.code == "SNN001"
    assert said in str(caught.value)
    assert "= help" in str(caught.value)


def test_lists_of_whole_numbers_are_images(program: snncc.Program) -> None:
    wanted = program.run(IMAGES).readout
    for same in (IMAGES.tolist(), tuple(map(tuple, IMAGES.tolist())), [*IMAGES]):
        assert (program.run(same).readout == wanted).all()
    for wrong in ([[0, 1, 256]], [[0, -1, 2]], [[0.0, 1.0, 2.0]], [[True, False, True]], []):
        with pytest.raises(snncc.SnnccError, match="SNN016"):
            program.run(wrong)
    with pytest.raises(snncc.SnnccError, match="SNN016"):
        program.run(IMAGES.astype(np.int64))


def test_numbers_of_numpy_are_numbers() -> None:
    net = network()
    plain = snncc.compile(net, input_shape=SHAPE, steps=2, weight_bits=6, normalize=(0.5, 0.25))
    same = snncc.compile(
        net,
        input_shape=np.array(SHAPE),  # type: ignore[arg-type]
        steps=np.int64(2),  # type: ignore[arg-type]
        weight_bits=np.int64(6),  # type: ignore[arg-type]
        normalize=(np.float32(0.5), np.array([0.25])),  # type: ignore[arg-type]
    )
    assert same == plain
    by_layer = snncc.compile(net, input_shape=SHAPE, steps=2, layer_bits={"*": np.int32(6)})  # type: ignore[dict-item]
    assert by_layer.report["weight_bits"] == 6
    assert plain.run(IMAGES, threads=np.int64(1)).readout.shape == (4, 2)  # type: ignore[arg-type]


def test_factories_get_the_values_that_were_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "told.py").write_text("def make(**given):\n    raise RuntimeError(repr(given))\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    given = {"a": "3", "b": 3, "c": [1, (2.5, None)], "d": "x y", "e": np.int64(4), "f": "[1"}
    with pytest.raises(snncc.SnnccError) as caught:
        snncc.compile("told:make", arguments=given, input_shape=SHAPE)
    assert repr({**given, "e": 4}) in str(caught.value)


def test_notes_and_verdicts_speak_of_arguments(program: snncc.Program, root: Path) -> None:
    mixer = snncc.compile(root / "examples/digits_mixer.pth")
    texts = [*program.notes, *mixer.notes]
    assert any("calibrate" in each for each in texts)
    for op in mixer.verify("strict").refused:
        texts += [op.need.reason, op.need.help]
    assert any("gain" in each for each in texts)
    for each in texts:
        plain = "".join(each.split("`")[::2])
        assert "--" not in plain, each
