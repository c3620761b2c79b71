"""Framing: SpikingJelly's own functions, tonic's rules from their definitions, domains, losses."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from spikingjelly_events import functions

from snncc.diagnostics import SnnccError
from snncc.events import (
    ByDuration,
    ByNumber,
    ByTime,
    ByWindow,
    Events,
    Framing,
    Rule,
    Sensor,
    TonicEventBins,
    TonicEventCount,
    TonicTimeBins,
    TonicTimeWindow,
    framing_from_json,
    make_frames,
)

SENSOR = Sensor(5, 4)
THEIRS = functions(
    "utils.py",
    *("integrate_events_segment_to_frame", "cal_fixed_frames_number_segment_index"),
    *("integrate_events_by_fixed_frames_number", "integrate_events_by_fixed_duration"),
)


def events_at(times: list[int], seed: int = 0) -> Events:
    rng = np.random.default_rng(seed)
    x, y, p = (rng.integers(0, n, len(times)) for n in (*SENSOR, 2))
    return Events(x, y, p, np.array(times, np.int64), SENSOR)


def as_theirs(events: Events) -> dict[str, NDArray[Any]]:
    x, y = events.x.astype(np.int64), events.y.astype(np.int64)
    return {"t": events.time, "x": x, "y": y, "p": events.polarity}


recordings = st.builds(
    lambda gaps, start, seed: events_at([int(t) for t in start + np.cumsum(gaps)], seed),
    st.lists(st.integers(0, 9) | st.just(0) | st.integers(0, 400), min_size=1, max_size=60),
    st.integers(-1000, 2**40),
    st.integers(0, 2**16),
)
quick = settings(max_examples=100, deadline=None)


@quick
@given(recordings, st.integers(1, 12))
def test_by_number_is_spikingjellys(events: Events, steps: int) -> None:
    theirs = THEIRS["integrate_events_by_fixed_frames_number"](
        as_theirs(events), "number", steps, SENSOR.height, SENSOR.width
    )
    assert np.array_equal(make_frames(events, Framing(ByNumber(steps))).values, theirs)


@quick
@given(recordings, st.integers(1, 12))
def test_by_time_is_spikingjellys_where_it_has_an_answer(events: Events, steps: int) -> None:
    def theirs() -> NDArray[Any]:
        found: NDArray[Any] = THEIRS["integrate_events_by_fixed_frames_number"](
            as_theirs(events), "time", steps, SENSOR.height, SENSOR.width
        )
        return found

    if int(events.time[-1] - events.time[0]) < steps:
        with pytest.raises(IndexError):
            theirs()
        with pytest.raises(SnnccError, match="SNN081"):
            make_frames(events, Framing(ByTime(steps)))
        return
    ours = make_frames(events, Framing(ByTime(steps)))
    assert ours.loss.outside == ours.loss.repeated == 0
    each = int(events.time[-1] - events.time[0]) // steps
    places = (events.time - events.time[0]) // each
    if set(range(steps)) <= set(places.tolist()):
        assert np.array_equal(ours.values, theirs())
        return
    with pytest.raises(IndexError):  # a window is empty, before the last one takes the rest
        theirs()
    sums = np.bincount(np.minimum(places, steps - 1), minlength=steps)
    assert np.array_equal(ours.values.sum((1, 2, 3)), sums)
    assert ours.empty == int((sums == 0).sum())


@quick
@given(recordings, st.integers(1, 900))
def test_by_duration_is_spikingjellys(events: Events, window: int) -> None:
    arguments = as_theirs(events), window, SENSOR.height, SENSOR.width
    if events.time[-1] == events.time[0]:
        with pytest.raises(IndexError):
            THEIRS["integrate_events_by_fixed_duration"](*arguments)
        with pytest.raises(SnnccError, match="SNN081"):
            make_frames(events, Framing(ByDuration(window)))
        return
    theirs = THEIRS["integrate_events_by_fixed_duration"](*arguments)
    assert np.array_equal(make_frames(events, Framing(ByDuration(window))).values, theirs)


def one_by_one(events: Events, windows: list[Callable[[int, int], bool]]) -> NDArray[np.int64]:
    """Frames by asking of every event and every frame whether it is in it."""
    found = np.zeros((len(windows), 2, SENSOR.height, SENSOR.width), np.int64)
    for step, takes in enumerate(windows):
        for i in range(len(events)):
            if takes(i, int(events.time[i])):
                found[step, events.polarity[i], events.y[i], events.x[i]] += 1
    return found


def between(low: int, high: int) -> Callable[[int, int], bool]:
    return lambda _, t: low <= t < high


def numbered(low: int, high: int) -> Callable[[int, int], bool]:
    return lambda i, _: low <= i < high


@quick
@given(recordings, st.data())
def test_other_rules_are_their_definitions(events: Events, data: st.DataObject) -> None:
    first, span, count = int(events.time[0]), int(events.time[-1] - events.time[0]), len(events)
    steps = data.draw(st.integers(1, 12))
    window = data.draw(st.integers(1, 900))
    overlap = data.draw(st.integers(0, window - 1))
    incomplete = data.draw(st.booleans())
    stride = window - overlap
    rest = (span - window) / stride
    bins = max(1, int(np.ceil(rest) if incomplete else np.floor(rest)) + 1)
    each, held = span // steps, count // steps
    cases: list[tuple[Rule, list[Callable[[int, int], bool]]]] = [
        (
            ByWindow(steps, window),
            [between(first + j * window, first + (j + 1) * window) for j in range(steps)],
        ),
        (
            ByWindow(steps, window, "zero"),
            [between(j * window, (j + 1) * window) for j in range(steps)],
        ),
        (
            TonicTimeWindow(window, overlap, incomplete),
            [between(first + j * stride, first + j * stride + window) for j in range(bins)],
        ),
        (TonicEventBins(steps), [numbered(j * held, (j + 1) * held) for j in range(steps)]),
    ]
    if each:
        cases.append(
            (
                TonicTimeBins(steps),
                [between(first + j * each, first + (j + 1) * each) for j in range(steps)],
            )
        )
    taken = min(window, count)
    if taken > overlap:
        after = (count - taken) / (taken - overlap)
        slices = int(np.ceil(after) if incomplete else np.floor(after)) + 1
        starts = [j * (taken - overlap) for j in range(slices)]
        cases.append(
            (TonicEventCount(window, overlap, incomplete), [numbered(s, s + taken) for s in starts])
        )
    for rule, windows in cases:
        if len(windows) > 400:
            continue
        expected = one_by_one(events, windows)
        if not expected.any():
            with pytest.raises(SnnccError, match=r"of its .* events is in a frame"):
                make_frames(events, Framing(rule))
            continue
        framed = make_frames(events, Framing(rule))
        assert np.array_equal(framed.values, expected), rule
        within = [sum(takes(i, int(events.time[i])) for takes in windows) for i in range(count)]
        assert framed.loss.outside == within.count(0)
        assert framed.loss.repeated == sum(n - 1 for n in within if n)
        assert framed.empty == int((expected.sum((1, 2, 3)) == 0).sum())


def test_events_at_the_ends_of_windows() -> None:
    events = events_at([100, 109, 110, 119, 120, 130])
    lengths = {
        ByTime(3): [2, 2, 2],
        TonicTimeBins(3): [2, 2, 1],  # 130 is the end of the last window
        ByDuration(10): [2, 2, 2],  # ceil(30 / 10) frames: the last takes 130 too
        ByWindow(4, 10): [2, 2, 1, 1],
        ByWindow(2, 10): [2, 2],
        TonicTimeWindow(10): [2, 2, 1],
        TonicTimeWindow(20, 10): [4, 3],
        TonicTimeWindow(1000): [6],
        ByNumber(4): [1, 1, 1, 3],
        ByNumber(7): [0, 0, 0, 0, 0, 0, 6],
        TonicEventBins(4): [1, 1, 1, 1],
        TonicEventCount(4): [4],
        TonicEventCount(4, 0, True): [4, 2],
        TonicEventCount(4, 3): [4, 4, 4],
    }
    for rule, expected in lengths.items():
        frames = make_frames(events, Framing(rule)).values
        assert frames.sum((1, 2, 3)).tolist() == expected, rule


def test_the_times_of_events_md_lose_what_it_says() -> None:
    """A million events in 2 s by 125 ms: tonic's window leaves the tail out, SpikingJelly none."""
    rng = np.random.default_rng(0)
    times = np.sort(rng.integers(0, 2_000_000, 20_000))
    events = events_at([int(t) for t in times])
    tail = make_frames(events, Framing(TonicTimeWindow(125_000)))
    assert len(tail.values) == 15
    assert tail.loss.outside == int((times - times[0] >= 15 * 125_000).sum()) > 1000
    assert make_frames(events, Framing(TonicTimeWindow(125_000, 0, True))).loss.outside == 0
    bins = make_frames(events, Framing(TonicTimeBins(16)))
    full = make_frames(events, Framing(ByTime(16)))
    assert np.array_equal(bins.values[:-1], full.values[:-1])
    assert full.loss.outside == 0 < bins.loss.outside < 10


LATEST = (1 << 62) - 1


def test_times_at_the_ends_of_64_bits() -> None:
    events = events_at([-LATEST, 0, LATEST])
    assert make_frames(events, Framing(ByTime(2))).values.sum((1, 2, 3)).tolist() == [1, 2]
    wide = ByWindow(3, LATEST)
    assert make_frames(events, Framing(wide)).values.sum((1, 2, 3)).tolist() == [1, 1, 1]
    late = events_at([LATEST - 1, LATEST])
    for rule in (ByWindow(5, LATEST), ByWindow(5, LATEST, "zero"), TonicTimeWindow(LATEST)):
        framed = make_frames(late, Framing(rule))
        assert framed.values.sum() + framed.loss.outside == 2, rule
    assert make_frames(late, Framing(ByWindow(5, LATEST))).values.sum((1, 2, 3)).tolist() == [
        2,
        *[0] * 4,
    ]
    with pytest.raises(SnnccError, match="SNN081"):
        make_frames(events, Framing(ByDuration(1)))


THREE = Events(
    x=np.array([1, 1, 1, 2, 2, 0]),
    y=np.array([0, 0, 0, 3, 3, 0]),
    polarity=np.array([1, 1, 1, 0, 1, 0]),
    time=np.arange(6),
    sensor=SENSOR,
)


def test_values_by_kind() -> None:
    counts = make_frames(THREE, Framing(ByNumber(1)))
    assert counts.values.shape == (1, 2, 4, 5)
    assert counts.values[0, 1, 0, 1] == 3
    assert (counts.low, counts.high) == (0, 3)
    bits = make_frames(THREE, Framing(ByNumber(1), "bits"))
    assert np.array_equal(bits.values, np.minimum(counts.values, 1))
    assert (bits.loss.merged, bits.loss.clipped) == (2, 0)
    signed = make_frames(THREE, Framing(ByNumber(1), "signed"))
    assert signed.values.shape == (1, 1, 4, 5)
    difference = counts.values[:, 1].astype(int) - counts.values[:, 0]
    assert np.array_equal(signed.values[:, 0], difference)
    assert signed.loss.cancelled == 2
    assert signed.values.dtype == np.int8
    assert (signed.low, signed.high) == (-1, 3)


def test_what_is_beyond_the_domain_is_an_error_that_says_the_largest() -> None:
    with pytest.raises(SnnccError, match="SNN081") as caught:
        make_frames(THREE, Framing(ByNumber(1), domain=(0, 1)))
    text = str(caught.value)
    assert "its largest value is 3, in frame 0, channel 1, y 0, x 1" in text
    assert "1 values are beyond the domain 0..1" in text
    assert "declare a domain of 0..3" in text
    with pytest.raises(
        SnnccError, match="its largest value is -1, in frame 0, channel 0, y 0, x 0"
    ):
        make_frames(THREE, Framing(ByNumber(1), "signed", (0, 3)))
    assert make_frames(THREE, Framing(ByNumber(1), domain=(0, 3))).values.max() == 3


def test_clipping_says_what_it_loses() -> None:
    framed = make_frames(THREE, Framing(ByNumber(1), domain=(0, 1), clip=True))
    assert (framed.values.max(), framed.high, framed.loss.clipped) == (1, 3, 2)
    signed = make_frames(THREE, Framing(ByNumber(1), "signed", (0, 1), clip=True))
    assert (signed.values.min(), signed.low, signed.loss.clipped) == (0, -1, 3)


@pytest.mark.parametrize(
    ("domain", "kind"),
    [
        *[((0, 1), "u1"), ((0, 255), "u1"), ((0, 256), "u2"), ((0, 65536), "u4")],
        *[((-1, 1), "i1"), ((-128, 127), "i1"), ((-128, 128), "i2"), ((-32769, 0), "i4")],
    ],
)
def test_the_type_is_the_smallest_that_holds_the_domain(domain: tuple[int, int], kind: str) -> None:
    framed = make_frames(THREE, Framing(ByNumber(6), domain=domain, clip=True))
    assert framed.values.dtype == np.dtype(kind)


def test_more_events_at_a_pixel_than_a_byte_holds() -> None:
    many = Events(*(np.zeros(300, int) for _ in range(4)), SENSOR)
    framed = make_frames(many, Framing(ByNumber(1)))
    assert (framed.values.dtype, framed.values.max()) == (np.uint16, 300)


def test_spike_trains_have_one_channel() -> None:
    spikes = Events(np.array([3, 4]), *(np.zeros(2, int),) * 2, np.array([0, 9]), Sensor(5, 1), 1)
    assert make_frames(spikes, Framing(ByTime(3))).values.shape == (3, 1, 1, 5)
    with pytest.raises(SnnccError, match=r"signed values of events without polarity"):
        make_frames(spikes, Framing(ByTime(3), "signed"))


def test_frames_that_are_too_many_are_refused_before_they_are_made() -> None:
    far = Events(*(np.zeros(2, int),) * 3, np.array([0, 2**40]), Sensor(30000, 30000))
    with pytest.raises(
        SnnccError, match="frames of 1 x 2 x 30000 x 30000 are 1,800,000,000 values"
    ):
        make_frames(far, Framing(ByNumber(1)))
    small = events_at([0, 2**40])
    with pytest.raises(SnnccError, match="which makes 1,099,511,627,776 frames"):
        make_frames(small, Framing(ByDuration(1)))
    dense = events_at(list(range(40_000)))
    with pytest.raises(SnnccError, match="frames overlap so much"):
        make_frames(dense, Framing(TonicTimeWindow(20_000, 19_999)))


RULES = [
    *(ByNumber(3), ByTime(4), ByDuration(5), ByWindow(6, 7), ByWindow(6, 7, "zero")),
    *(TonicTimeWindow(8, 2, True), TonicTimeBins(9), TonicEventCount(10, 3), TonicEventBins(11)),
]


@pytest.mark.parametrize("rule", RULES)
def test_framings_are_written_and_read(rule: Rule) -> None:
    for framing in (Framing(rule), Framing(rule, "signed", (-2, 3), True), Framing(rule, "bits")):
        text = json.dumps(framing.to_json())
        assert framing_from_json(json.loads(text)) == framing


@pytest.mark.parametrize("domain", [3, "01", (0,), (0, 1, 2), (0, 1.5), (False, True), None])
def test_a_domain_is_two_whole_numbers(domain: Any) -> None:
    if domain is None:
        assert Framing(ByNumber(1), domain=domain).domain is None
        return
    with pytest.raises(SnnccError, match="it is two whole numbers"):
        Framing(ByNumber(1), domain=domain)


def test_numbers_of_numpy_are_written_as_numbers() -> None:
    framing = Framing(ByWindow(np.int64(6), np.uint8(7)), domain=(np.int64(0), np.int64(1)))  # type: ignore[arg-type]
    assert framing_from_json(json.loads(json.dumps(framing.to_json()))) == framing


WRONG: list[object] = [
    *(None, [], 3, "number", {}, {"rule": "nobody"}, {"rule": ["number"]}, {"rule": "number"}),
    {"rule": "number", "steps": 0},
    {"rule": "number", "steps": True},
    {"rule": "number", "steps": 2.0},
    {"rule": "number", "steps": "2"},
    {"rule": "number", "steps": 1 << 62},
    {"rule": "number", "steps": 2, "window": 3},
    {"rule": "number", "steps": 2, 3: 3},
    {"rule": "window", "steps": 2, "window": 3, "origin": "last"},
    {"rule": "window", "steps": 2, "window": 3, "origin": ["first"]},
    {"rule": "tonic-time-window", "window": 3, "overlap": 3},
    {"rule": "tonic-time-window", "window": 3, "overlap": -1},
    {"rule": "tonic-event-count", "count": 3, "incomplete": 1},
    {"rule": "number", "steps": 2, "values": "floats"},
    {"rule": "number", "steps": 2, "values": ["bits"]},
    {"rule": "number", "steps": 2, "domain": [0]},
    {"rule": "number", "steps": 2, "domain": [0, 1.5]},
    {"rule": "number", "steps": 2, "domain": [False, True]},
    {"rule": "number", "steps": 2, "domain": "01"},
    {"rule": "number", "steps": 2, "domain": [1, 2]},
    {"rule": "number", "steps": 2, "domain": [0, 0]},
    {"rule": "number", "steps": 2, "domain": [0, 1 << 40]},
    {"rule": "number", "steps": 2, "clip": True},
    {"rule": "number", "steps": 2, "domain": [0, 1], "clip": 1},
    {"rule": "number", "steps": 2, "domain": [0, 1], "clip": True, "values": "bits"},
]


@pytest.mark.parametrize("record", WRONG)
def test_what_is_no_framing_is_refused(record: object) -> None:
    with pytest.raises(SnnccError, match="SNN001"):
        framing_from_json(record)


def test_windows_without_any_event_are_refused() -> None:
    """Times since 1970 with windows from 0: the network would see nothing, in silence."""
    events = events_at([10**15, 10**15 + 5])
    with pytest.raises(SnnccError, match="none of its 2 events is in a frame"):
        make_frames(events, Framing(ByWindow(4, 1000, "zero")))
