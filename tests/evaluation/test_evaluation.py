"""`snncc evaluate`: figures against the simulator, stores that resume, inputs that change."""

import gzip
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import event_files
import numpy as np
import pytest
from evaluated_programs import CLASSES, classifier, pixels, write_all, write_tar

import snncc
from snncc.artifact import Program, load_program, save_program
from snncc.cli.main import run
from snncc.diagnostics import SnnccError
from snncc.evaluation import readers
from snncc.evaluation.evaluator import Evaluator
from snncc.evaluation.planning import Done, Ways, evaluate, plan_of
from snncc.evaluation.readers import Readers
from snncc.events.framing import Framing
from snncc.events.kept_framing import KeptFraming
from snncc.events.spikingjelly_rules import ByTime
from snncc.runtime.counts.synaptic_operations import count_operations
from snncc.runtime.interpreter import interpret

SEED, COUNT = 5, 83
Call = Callable[..., dict[str, Any]]


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_all(tmp_path, SEED, COUNT)
    return tmp_path


@pytest.fixture
def called(capsys: pytest.CaptureFixture[str]) -> Call:
    """What a call says as JSON; its exit code under "code"."""

    def call(*words: str) -> dict[str, Any]:
        capsys.readouterr()
        code = run(["evaluate", "p.snncc", *words, "--readers", "1", "--json"])
        said = capsys.readouterr()
        record: dict[str, Any] = json.loads(said.out) if said.out else {}
        return {**record, "code": code, "notes": said.err}

    return call


def without_times(record: dict[str, Any]) -> dict[str, Any]:
    other = ("latencies", "seconds", "waited", "workers", "this_call", "notes")
    return {name: value for name, value in record.items() if name not in other}


def test_figures_are_the_interpreters_whatever_the_source_and_the_split(
    there: Path, called: Call
) -> None:
    data = np.load("data.npz")
    graph, images, labels = classifier(SEED), data["x"], data["y"]
    expected = interpret(graph, images)
    order = np.argsort(-expected.logits, axis=1, kind="stable")
    ranks = np.array([list(row).index(label) for row, label in zip(order, labels, strict=True)])
    ties = (expected.logits == np.take_along_axis(expected.logits, labels[:, None], 1)).sum(1) > 1
    assert ties.any()
    assert 0 < (ranks >= 5).sum() < COUNT
    counts = count_operations(graph, images[::4])
    seen = []
    for source, words in {
        "images.npy": "--labels data.npz:y --shard-size 83",
        "data.npz:x": "--labels y --shard-size 1 --threads 1",
        "folder": "--labels folders --shard-size 80",
        "tars": "--labels cls --shard-size 7 --threads 2",
    }.items():
        record = called(
            *(source, *words.split(), "--operations", "4", "--reference", "data.npz:logits"),
            *("-o", f"{len(seen)}.npz"),
        )
        assert record["code"] == 0, record
        seen.append(without_times(record))
        assert Path(f"{len(seen) - 1}.npz").read_bytes() == Path("0.npz").read_bytes()
    assert [record == seen[0] for record in seen] == [True] * 4
    found = np.load("0.npz")
    assert np.array_equal(found["ranks"], ranks)
    assert np.array_equal(found["predictions"], expected.logits.argmax(1))
    own = data["logits"].argmax(1)
    record = seen[0]
    assert record["accuracy"] == (ranks == 0).mean()
    assert record["top5"] == (ranks < 5).mean()
    assert record["agreement"] == (found["predictions"] == own).mean()
    assert record["reference_accuracy"] == (own == labels).mean()
    spikes = expected.spike_counts["spikes"]
    assert record["spike_rates"] == {"spikes": spikes / (COUNT * graph.steps * 12)}
    assert record["operations"]["images"] == len(images[::4])
    acs = counts.total("effective_acs") / counts.images
    assert record["operations"]["effective_acs"] == acs > 0


@pytest.mark.parametrize("rule", ["number", "time"])
def test_recordings_of_events_one_a_file(
    rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, called: Call
) -> None:
    """They are framed as the program keeps it, by number of events where it keeps nothing."""
    monkeypatch.chdir(tmp_path)
    graph = classifier(SEED, "tphw", (3, 2, 5, 5))
    kept = {"framing": KeptFraming(Framing(ByTime(3), "bits")).to_json()}
    save_program(Path("p.snncc"), Program(graph, kept if rule == "time" else {}))
    rng = np.random.default_rng(3)
    for number in range(9):
        times = np.sort(rng.integers(0, 30, 40) ** 2)
        events = [(*(int(n) for n in rng.integers(0, 5, 2)), number % 2, int(t)) for t in times]
        Path("events").mkdir(exist_ok=True)
        Path(f"events/{number}.bin").write_bytes(event_files.atis(events))
    record = called("events", "--shard-size", "4", "-o", "a.npz")
    assert record["code"] == 0, record
    files = " ".join(f"events/{number}.bin" for number in range(9))
    how = "--steps 3 --sensor 5x5 --values bits"
    for by in ("number", "time"):
        assert run(f"frames {files} -o {by}.npz {how} --by {by}".split()) == 0
    assert not np.array_equal(np.load("number.npz")["x"], np.load("time.npz")["x"])
    expected = interpret(graph, np.load(f"{rule}.npz")["x"])
    rate = expected.spike_counts["spikes"] / (9 * graph.steps * 12)
    assert record["spike_rates"] == {"spikes": rate}
    assert np.array_equal(np.load("a.npz")["predictions"], expected.logits.argmax(1))
    refused = called("number.npz:x", "-o", "c.npz")
    assert (refused["code"] == 0) == (rule == "number"), refused


DYING = """
import os, signal, sys
from snncc.cli.main import run
from snncc.evaluation.store import Store
put, left, after = Store.put, int(sys.argv.pop(1)), sys.argv.pop(1) == "after"
def dying(self, result, stamp):
    global left
    left -= 1
    if left < 0 and not after: os.kill(os.getpid(), signal.SIGKILL)
    put(self, result, stamp)
    if left < 0: os.kill(os.getpid(), signal.SIGKILL)
Store.put = dying
sys.exit(run(sys.argv[1:]))
"""


def test_killed_at_any_shard_nothing_is_done_twice_or_lost(
    there: Path, called: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["images.npy", "--labels", "data.npz:y", "--shard-size", "9"]
    whole = called(*words, "-o", "whole.npz")
    for kept, after in ((0, "before"), (2, "after"), (1, "before")):
        call = ["evaluate", "p.snncc", *words, "--readers", "1", "--store", "s.sqlite"]
        died = subprocess.run(
            [sys.executable, "-c", DYING, str(kept), after, *call], check=False, timeout=120
        )
        assert died.returncode == -signal.SIGKILL
    done: list[int] = []
    work = Evaluator.evaluate

    def counted(self: Evaluator, shard: Any, batches: Any) -> Any:
        done.append(shard.number)
        return work(self, shard, batches)

    monkeypatch.setattr(Evaluator, "evaluate", counted)
    record = called(*words, "--store", "s.sqlite", "-o", "resumed.npz")
    assert done == [*range(4, 10)]
    assert record["this_call"]["images"] == COUNT - 4 * 9
    assert without_times(record) == without_times(whole)
    assert Path("whole.npz").read_bytes() == Path("resumed.npz").read_bytes()
    again = called(*words, "--store", "s.sqlite")
    assert again["this_call"]["images"] == 0
    assert len(done) == 6
    assert len(called(*words, "--store", "s.sqlite", "--restart")["this_call"]) == 3
    assert len(done) == 16


def test_changed_inputs_are_noticed_and_touched_ones_are_not_done_again(
    there: Path, called: Call
) -> None:
    words = ["folder", "--labels", "folders", "--shard-size", "9", "--store", "s.sqlite"]
    assert called(*words)["code"] == 0
    files = sorted(Path("folder").rglob("*.png"))
    for file in files[10:40]:
        os.utime(file, (1, 1))
    assert called(*words)["this_call"]["images"] == 0
    content = files[20].read_bytes()
    files[20].write_bytes(files[21].read_bytes())
    assert files[20].read_bytes() != content
    record = called(*words)
    assert (record["code"], [e["code"] for e in record["errors"]]) == (3, ["SNN191"])
    assert "shard 2 (images 18 to 26)" in record["errors"][0]["message"]
    files[20].write_bytes(content)
    assert called(*words)["this_call"]["images"] == 0
    files[20].unlink()
    assert called(*words)["errors"][0]["code"] == "SNN190"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("--shard-size 8", "images of a shard"),
        ("--limit 80", "images"),
        ("--operations 3", "counting of operations"),
        ("--labels data.npz:y", "labels"),
        ("--reference data.npz:logits", "reference"),
    ],
)
def test_a_store_is_of_one_evaluation(there: Path, called: Call, words: str, named: str) -> None:
    assert called("images.npy", "--store", "s.sqlite")["code"] == 0
    before = Path("s.sqlite").read_bytes()
    record = called("images.npy", "--store", "s.sqlite", *words.split())
    assert (record["code"], record["errors"][0]["code"]) == (3, "SNN190")
    assert record["errors"][0]["why"] == f"what differs: {named}"
    assert Path("s.sqlite").read_bytes() == before
    assert called("images.npy", "--store", "s.sqlite", *words.split(), "--restart")["code"] == 0


def test_what_is_no_store_or_is_damaged(there: Path, called: Call) -> None:
    words = ["images.npy", "--shard-size", "9", "--store", "s.sqlite"]
    whole = called(*words)
    with sqlite3.connect("s.sqlite") as database:
        database.execute("UPDATE shards SET ranks = zeroblob(36) WHERE number = 3")
    database.close()
    record = called(*words)
    assert record["this_call"]["images"] == 9
    assert "damaged, and evaluated again: shard 3 (images 27 to 35)" in record["notes"]
    assert without_times(record) == without_times(whole)
    held = sqlite3.connect("s.sqlite", isolation_level=None)
    held.execute("BEGIN EXCLUSIVE")
    assert "another evaluation writes it" in called(*words)["errors"][0]["why"]
    held.close()
    save_program(Path("p.snncc"), Program(classifier(SEED + 1), {}))
    assert called(*words)["errors"][0]["why"] == "what differs: program"
    Path("text").write_text("no database at all, and longer than a header of SQLite " * 20)
    other = sqlite3.connect("other")
    other.execute("CREATE TABLE mine (a)")
    other.commit()
    other.close()
    for name in ("text", "other"):
        before = Path(name).read_bytes()
        for more in ((), ("--restart",)):
            record = called("images.npy", "--store", name, *more)
            assert (record["code"], record["errors"][0]["code"]) == (3, "SNN190"), record
        assert Path(name).read_bytes() == before


def test_images_that_cannot_be_read_are_named_and_the_others_kept(
    there: Path, called: Call
) -> None:
    words = ["folder", "--labels", "folders", "--shard-size", "9", "--store", "s.sqlite"]
    files = sorted(Path("folder").rglob("*.png"))
    content = files[30].read_bytes(), files[70].read_bytes()
    files[30].write_bytes(content[0][:60])
    files[70].write_text("no picture")
    record = called(*words)
    assert record["code"] == 6
    assert [e["code"] for e in record["errors"]] == ["SNN192", "SNN015", "SNN192", "SNN015"]
    assert "shard 3 (images 27 to 35)" in record["errors"][0]["message"]
    assert files[30].name in record["errors"][1]["message"]
    files[30].write_bytes(content[0])
    files[70].write_bytes(content[1])
    record = called(*words)
    assert (record["code"], record["this_call"]["images"]) == (0, 18)
    assert record["results_sha256"] == called(*words[:3])["results_sha256"]


def test_a_process_that_reads_may_die_once(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = load_program(Path("p.snncc"))
    plan = plan_of(program, "folder", "folders", size=9)

    def figures() -> Done:
        ways = Ways(threads=1, readers=1)
        return evaluate(program, plan, None, False, ways, lambda *_: None, print)

    whole = figures().evaluation
    ask, died = readers._asked, []

    def killed(process: Any, request: Any) -> Any:
        if len(died) in (1, 4):
            process.kill()
        died.append(process.pid)
        return ask(process, request)

    monkeypatch.setattr(readers, "_asked", killed)
    found = figures().evaluation
    assert found.digest == whole.digest
    assert len(died) == plan.shards + 2
    assert len(set(died)) == 3

    def always(process: Any, request: Any) -> Any:
        process.kill()
        return ask(process, request)

    monkeypatch.setattr(readers, "_asked", always)
    with pytest.raises(SnnccError, match="ended twice at the same images") as error:
        figures()
    assert error.value.code == "SNN192"


def test_reading_goes_on_beside_the_work_and_no_further_than_two_batches(there: Path) -> None:
    program = load_program(Path("p.snncc"))
    plan = plan_of(program, "images.npy", size=9)
    asked: list[int] = []

    def requests() -> Any:
        for number in range(plan.shards):
            asked.append(number)
            yield from plan.shard(number).requests

    pool = Readers(2)
    batches = pool.ahead(requests())
    most = 0
    for taken, _ in enumerate(batches, 1):
        most = max(most, len(asked) - taken)
    pool.close()
    assert len(asked) == plan.shards
    assert most == 3  # four are read or wait, of which this loop holds one


def test_a_flipped_byte_of_a_store_is_refused_or_evaluated_again(there: Path, called: Call) -> None:
    words = ["images.npy", "--shard-size", "40", "--store", "s.sqlite"]
    whole = without_times(called(*words))
    store, rng = Path("s.sqlite"), np.random.default_rng(2)
    content, again, refused = store.read_bytes(), 0, 0
    used = [place for place in range(len(content)) if content[place]]
    names = [place for place in used if content[place : place + 1].isalpha() and place < 4096]
    for place in [*rng.choice(used, 30, replace=False), *rng.choice(names, 30, replace=False)]:
        other = bytearray(content)
        other[place] ^= 1 << int(rng.integers(8))
        store.write_bytes(other)
        record = called(*words)
        if record["code"]:
            assert record["errors"][0]["code"] in ("SNN190", "SNN002"), (place, record)
            refused += 1
        else:
            assert without_times(record) == whole, place
            again += record["this_call"]["images"] > 0
    assert again
    assert refused


def test_files_that_go_while_an_evaluation_runs_are_named(there: Path) -> None:
    program = load_program(Path("p.snncc"))
    plan = plan_of(program, "folder", "folders", size=9)
    files = sorted(Path("folder").rglob("*.png"))
    gone = iter((files[80], files[3]))  # of a shard that is to come, and of one that is done

    def seen(done: int, _total: int) -> None:
        if done in (9, 18):
            next(gone).unlink()

    with pytest.raises(SnnccError) as error:
        evaluate(program, plan, Path("s.sqlite"), False, Ways(1, 1), seen, print)
    found = [(f.code, f.message) for f in error.value.findings]
    assert [code for code, _ in found] == ["SNN192", "SNN015"]
    assert found[0][1].startswith("shard 8 (")
    with pytest.raises(SnnccError, match=r"shard 0 .* changed since") as error:
        evaluate(program, plan, Path("s.sqlite"), False, Ways(1, 1), seen, print)
    assert error.value.code == "SNN191"


def test_an_array_that_was_replaced_is_read_anew(there: Path, called: Call) -> None:
    once, other = called("data.npz:x"), np.load("data.npz")
    np.savez("data.npz", x=255 - other["x"])
    assert called("data.npz:x")["results_sha256"] != once["results_sha256"]
    np.savez("data.npz", x=other["x"])
    assert called("data.npz:x")["results_sha256"] == once["results_sha256"]
    with Path("images.npy").open("ab") as file:
        file.write(b"more")
    assert called("images.npy")["errors"][0]["code"] == "SNN015"


def test_python_evaluates_as_the_command_does(there: Path, called: Call) -> None:
    record = called("images.npy", "--labels", "data.npz:y", "--operations", "5")
    program = snncc.load("p.snncc")
    labels = np.load("data.npz")["y"]
    found = program.evaluate("images.npy", labels=labels, operations=5, shard_size=11)
    assert found.digest == record["results_sha256"]
    assert json.loads(json.dumps(found.record()))["operations"] == record["operations"]
    for wrong in ({"workers": 1, "scheduler": "tcp://a:1"}, {"restart": True}, {"limit": 0}):
        with pytest.raises(SnnccError) as error:
            program.evaluate("images.npy", **wrong)
        assert error.value.code == "SNN001"


@pytest.mark.parametrize("damage", ["cut", "middle", "twice", "lonely", "packed", "class"])
def test_tar_files_that_are_not_whole_are_refused(there: Path, called: Call, damage: str) -> None:
    images, path = pixels(1, 5), Path("one.tar")
    write_tar(path, images, np.arange(5))
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[: 512 * 4 * 3]
    elif damage == "middle":
        data[512 * 8 : 512 * 8 + 40] = b"x" * 40
    elif damage == "twice":
        data = data.replace(b"0003.png", b"0002.png").replace(b"0003.cls", b"0002.cls")
    elif damage == "lonely":
        data = data.replace(b"0003.png", b"0003.txt")
    elif damage == "class":
        at = data.index(b"0003.cls") - len("part/") + 512
        data[at : at + 1] = b"x"
    path.write_bytes(bytes(data))
    if damage in ("twice", "lonely"):  # names are in the checksums of heads
        _sum_again(path)
    if damage == "packed":
        path.write_bytes(gzip.compress(path.read_bytes()))
    record = called("one.tar", "--labels", "cls")
    assert (record["code"], record["errors"][0]["code"]) == (3, "SNN015"), record


def _sum_again(path: Path) -> None:
    """Rights the checksums of all heads of a .tar file."""
    data = bytearray(path.read_bytes())
    for start in range(0, len(data), 512):
        if data[start + 257 : start + 262] == b"ustar":
            data[start + 148 : start + 156] = b" " * 8
            total = sum(data[start : start + 512])
            data[start + 148 : start + 156] = b"%06o\0 " % total
    path.write_bytes(bytes(data))


def test_labels_and_classes_must_fit(there: Path, called: Call) -> None:
    np.savez("wrong.npz", few=np.zeros(4, np.int64), high=np.full(COUNT, CLASSES))
    np.save("nan.npy", np.full((COUNT, CLASSES), np.nan))
    for words in ("--labels wrong.npz:few", "--labels wrong.npz:high", "--reference nan.npy"):
        assert called("images.npy", *words.split())["errors"][0]["code"] == "SNN016"
    Path("empty").mkdir()
    assert called("empty")["errors"][0]["code"] == "SNN015"
