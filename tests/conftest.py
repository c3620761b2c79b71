import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from checked_plans import checked_plan
from compiled_mixers import CompiledMixers
from lava_environment import SKIPPED, lava_environment
from shared_folder import shared_folder
from slow_files import SLOW

from snncc.backends.lava_nc.environment import LavaEnvironment

ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what needs Lava, and what is quick."""
    for item in items:
        if "lava" in getattr(item, "fixturenames", ()):
            item.add_marker("lava")
        elif item.path.stem.removeprefix("test_") not in SLOW:
            item.add_marker("quick")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with a trained checkpoint, images and golden outputs; skips without it."""
    return shared_folder()


@pytest.fixture(scope="session")
def mixer(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> CompiledMixers:
    """Programs of the trained checkpoint."""
    base = tmp_path_factory.getbasetemp()
    whole_run = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return CompiledMixers(whole_run / "mixers", shared)


@pytest.fixture(scope="session")
def lava() -> LavaEnvironment:
    """A Python with Lava; skips without one, unless SNNCC_REQUIRE_LAVA is set: then it fails."""
    return lava_environment()


@pytest.fixture(scope="session", autouse=True)
def cache_of_this_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests, and the processes they start, run what the package ships, not what the user kept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNNCC_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says loudly what was not tested."""
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if SKIPPED in str(r.longrepr)]
    if skipped:
        terminalreporter.section("LAVA IS NOT TESTED", red=True, bold=True)
        terminalreporter.line(
            f"{len(skipped)} tests were skipped: {SKIPPED}. `make lava` makes one where there is a "
            "Python 3.10."
        )


@pytest.fixture(autouse=True)
def threads_for_small_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of the tests are too small for a second thread; here they get it all the same."""
    monkeypatch.setattr("snncc.runtime.simulator.UPDATES_PER_THREAD", 1)


@pytest.fixture(autouse=True)
def every_plan_is_checked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan checker looks at every plan of a simulator, but where memory or time is measured."""
    if request.path.stem != "test_memory":
        monkeypatch.setattr("snncc.runtime.simulator.plan_units", checked_plan)
