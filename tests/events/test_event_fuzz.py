"""2,000 mutated files of events; `tests/helpers/fuzz_events.py` makes more."""

from pathlib import Path

from event_fuzzer import fuzz, originals, outcome

from snncc.events import Reading


def test_a_mutant_is_a_valid_recording_or_one_coded_error(tmp_path: Path) -> None:
    outcomes = fuzz(tmp_path, 2000, seed=7)
    assert outcomes.total() == 2000
    assert min(outcomes[kind] for kind in ("valid", "SNN001", "SNN015", "SNN080")) > 20, outcomes


def test_the_originals_are_valid(tmp_path: Path) -> None:
    for name, data in originals().items():
        (tmp_path / name).write_bytes(data)
        assert outcome(tmp_path / name, Reading(sensor=(128, 128))) == "valid", name
