"""`snncc evaluate` on workers of Dask: the same bits, whatever happens to them."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from evaluated_programs import write_all

from snncc.artifact import Program, load_program
from snncc.cli.main import run
from snncc.diagnostics import SnnccError
from snncc.evaluation.cluster import OnCluster, local_cluster
from snncc.evaluation.evaluating import evaluate_shards, missing_from
from snncc.evaluation.figures import Evaluation, figures_of
from snncc.evaluation.planning import Ways, evaluate, plan_of
from snncc.evaluation.shards import Plan
from snncc.evaluation.store import open_store

distributed = pytest.importorskip("distributed")
SEED, COUNT = 5, 120
SILENT = 5.0
Seen = Callable[[int, int], None]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cluster")
    write_all(root, SEED, COUNT)
    return root


@pytest.fixture(scope="module")
def program(data: Path) -> Program:
    return load_program(data / "p.snncc")


def planned(program: Program, data: Path, size: int) -> Plan:
    labels = f"{data}/data.npz:y"
    return plan_of(program, f"{data}/images.npy", labels, size=size, operations=3)


@pytest.fixture(scope="module")
def alone(program: Program, data: Path) -> Evaluation:
    """What one process says."""
    plan = planned(program, data, 50)
    return evaluate(program, plan, None, False, Ways(1, 1), lambda *_: None, print).evaluation


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with local_cluster(4) as made:
        yield made


def on(address: str, program: Program, plan: Plan, seen: Seen, patience: float = 60) -> Any:
    """Figures and the engine that gave them; each shard is delivered once."""
    told: list[str] = []
    engine = OnCluster(address, program, 1, 1, patience, told.append)
    with open_store(None, plan.facts) as store:
        missing = missing_from(plan, store, told.append)
        images = evaluate_shards(plan, store, missing, engine, seen)
        assert images == COUNT
        return figures_of(plan, program.graph, store), engine, told


def same(found: Evaluation, other: Evaluation) -> None:
    assert found.digest == other.digest
    assert found.operations == other.operations
    assert (found.accuracy, found.top5) == (other.accuracy, other.top5)
    assert found.spike_rates == other.spike_rates


def look_now(cluster: Any) -> None:
    """Lets a scheduler find workers that have been silent for a few seconds, not for a minute."""
    usual, cluster.scheduler.worker_ttl = cluster.scheduler.worker_ttl, SILENT
    try:
        cluster.sync(cluster.scheduler.check_worker_ttl)
    finally:
        cluster.scheduler.worker_ttl = usual


def workers(cluster: Any) -> dict[str, int]:
    """Processes by address."""
    with distributed.Client(cluster.scheduler_address) as client:
        found: dict[str, int] = client.run(os.getpid)
        return found


def test_workers_give_the_bits_of_one_process_killed_frozen_or_fewer(
    cluster: Any,
    program: Program,
    data: Path,
    alone: Evaluation,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pids = workers(cluster)
    assert len(pids) == 4
    (killed, first), (frozen, second), *_ = pids.items()
    asked: list[int] = []

    def harm(done: int, _total: int) -> None:
        if done >= 10 and not asked:
            asked.append(done)
            os.kill(first, signal.SIGKILL)
            os.kill(second, signal.SIGSTOP)
            threading.Timer(SILENT + 1, look_now, [cluster]).start()

    found, engine, told = on(cluster.scheduler_address, program, planned(program, data, 2), harm)
    assert asked
    same(found, alone)
    assert {killed, frozen} <= {*engine.lost}
    assert all(f"the worker {address} is lost" in "".join(told) for address in (killed, frozen))
    for count in (2, 1):
        cluster.scale(count)
        with distributed.Client(cluster.scheduler_address) as client:
            deadline = time.monotonic() + 60
            while len(client.nthreads()) != count:
                assert time.monotonic() < deadline
                time.sleep(0.2)
        plan = planned(program, data, 7 * count)
        found, engine, _ = on(cluster.scheduler_address, program, plan, lambda *_: None)
        same(found, alone)
        assert len(found.workers) <= count
        assert engine.lost == []
    words = ["--labels", f"{data}/data.npz:y", "--scheduler", cluster.scheduler_address]
    assert run(["evaluate", f"{data}/p.snncc", f"{data}/images.npy", *words]) == 0
    assert alone.digest in capsys.readouterr().out


def test_a_shard_that_ends_its_workers_is_named_and_the_others_kept(
    cluster: Any, program: Program, data: Path
) -> None:
    from cluster_faults import Poison

    cluster.scheduler.allowed_failures = 0
    plan = planned(program, data, 20)
    told: list[str] = []
    engine = OnCluster(cluster.scheduler_address, program, 1, 1, 60, told.append)
    with distributed.Client(cluster.scheduler_address) as client:
        client.register_plugin(Poison(4), name="poison")
        with open_store(None, plan.facts) as store:
            with pytest.raises(SnnccError) as error:
                evaluate_shards(plan, store, [*range(6)], engine, lambda *_: None)
            lost = {*range(6)} - {*store.stamps()}  # with it, what its workers held beside it
        client.unregister_worker_plugin("poison")
    findings = error.value.findings
    assert {f.code for f in findings} == {"SNN192"}
    assert 4 in lost
    named = "\n".join(f.message for f in findings)
    assert all(f"shard {number} (images " in named for number in lost)
    assert "shard 4 ended every worker that took it" in named


def started(*words: str) -> subprocess.Popen[bytes]:
    call = [sys.executable, "-W", "ignore", "-m", *words]
    return subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_a_scheduler_that_is_killed_and_started_again(
    program: Program, data: Path, alone: Evaluation, unused: int
) -> None:
    address = f"tcp://127.0.0.1:{unused}"
    scheduler = "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--no-dashboard"
    worker = "distributed.cli.dask_worker", address, "--no-nanny", "--no-dashboard"

    def both() -> list[subprocess.Popen[bytes]]:
        return [
            started(*scheduler, "--port", str(unused)),
            started(*worker, "--nthreads", "2", "--host", "127.0.0.1"),
        ]

    running = both()
    asked: list[int] = []

    def harm(done: int, _total: int) -> None:
        if done >= 10 and not asked:
            asked.append(done)
            for process in running:
                process.kill()
                process.wait()
            running.extend(both())

    try:
        found, _, told = on(address, program, planned(program, data, 2), harm)
    finally:
        for process in running:
            process.kill()
            process.wait()
    same(found, alone)
    assert asked
    assert f"the scheduler {address} is gone; waiting for it" in told
    with pytest.raises(SnnccError, match="there is no scheduler") as error:
        on(address, program, planned(program, data, 50), lambda *_: None, patience=1)
    assert error.value.code == "SNN193"


@pytest.fixture
def unused() -> int:
    """A port of this machine that nobody listens at."""
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
