"""Changes of a mapping, each of which makes it wrong."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

Json = dict[str, Any]
Fault = Callable[[Json, np.random.Generator], None]


def _core(record: Json, rng: np.random.Generator) -> Json:
    cores: list[Json] = record["cores"]
    return cores[int(rng.integers(len(cores)))]


def _piece(record: Json, rng: np.random.Generator) -> Json:
    pieces: list[Json] = _core(record, rng)["pieces"]
    return pieces[int(rng.integers(len(pieces)))]


def _end(record: Json, rng: np.random.Generator) -> list[int]:
    box: dict[str, list[int]] = _piece(record, rng)["box"]
    return box[str(rng.choice([*box]))]


def slot_taken(record: Json, rng: np.random.Generator) -> None:
    one, two = rng.choice(len(record["cores"]), 2, replace=False)
    record["cores"][int(one)]["slot"] = record["cores"][int(two)]["slot"]


def slot_outside(record: Json, rng: np.random.Generator) -> None:
    _core(record, rng)["slot"] = int(rng.choice([-1, 40, 1 << 40]))


def box_moved(record: Json, rng: np.random.Generator) -> None:
    end, by = _end(record, rng), int(rng.choice([-1, 1]))
    end[:] = [end[0] + by, end[1] + by]


def box_smaller(record: Json, rng: np.random.Generator) -> None:
    end = _end(record, rng)
    end[int(rng.integers(2))] += 1 if rng.random() < 0.5 else -1


def axis_renamed(record: Json, rng: np.random.Generator) -> None:
    box = _piece(record, rng)["box"]
    box["other"] = box.pop(str(rng.choice([*box])))


def piece_lost(record: Json, rng: np.random.Generator) -> None:
    core = _core(record, rng)
    core["pieces"].pop(int(rng.integers(len(core["pieces"]))))


def piece_twice(record: Json, rng: np.random.Generator) -> None:
    _core(record, rng)["pieces"].append(copy.deepcopy(_piece(record, rng)))


def piece_elsewhere(record: Json, rng: np.random.Generator) -> None:
    one, two = (record["cores"][int(i)] for i in rng.choice(len(record["cores"]), 2, replace=False))
    two["pieces"].append(one["pieces"].pop())


def cores_joined(record: Json, rng: np.random.Generator) -> None:
    """Two cores as one, with a load that is said rightly where it is a sum: over the limits."""
    one, two = (record["cores"][int(i)] for i in rng.choice(len(record["cores"]), 2, replace=False))
    one["pieces"] += two["pieces"]
    for name, value in two["load"].items():
        one["load"][name] += value
    record["cores"].remove(two)


def core_lost(record: Json, rng: np.random.Generator) -> None:
    record["cores"].remove(_core(record, rng))


def layer_renamed(record: Json, rng: np.random.Generator) -> None:
    piece = _piece(record, rng)
    others = [*record["layers"], "nobody"]
    others.remove(piece["layer"])
    piece["layer"] = str(rng.choice(others))


def load_changed(record: Json, rng: np.random.Generator) -> None:
    load = _core(record, rng)["load"]
    load[str(rng.choice([*load]))] += int(rng.choice([-8, -1, 1, 8]))


def exponent_changed(record: Json, rng: np.random.Generator) -> None:
    layers = [each for each in record["layers"].values() if each["exponents"]]
    exponents = layers[int(rng.integers(len(layers)))]["exponents"]
    exponents[str(rng.choice([*exponents]))] += int(rng.choice([1, 2, 30]))


def exponent_lost(record: Json, rng: np.random.Generator) -> None:
    layers = [each for each in record["layers"].values() if each["exponents"]]
    exponents = layers[int(rng.integers(len(layers)))]["exponents"]
    exponents.pop(str(rng.choice([*exponents])))


def delay_changed(record: Json, rng: np.random.Generator) -> None:
    layers = [*record["layers"].values()]
    layers[int(rng.integers(len(layers)))]["delay_bits"] += int(rng.choice([-1, 1]))


def image_changed(record: Json, rng: np.random.Generator) -> None:
    layers = [*record["layers"].values()]
    layer = layers[int(rng.integers(len(layers)))]
    layer["image"] = {"": "planes", "planes": "bias"}[layer["image"]]


def digest_changed(record: Json, rng: np.random.Generator) -> None:
    if rng.random() < 0.5:
        record["program"] = record["program"][::-1]
    else:
        record["chip"]["digest"] = record["chip"]["digest"][::-1]


def messages_changed(record: Json, rng: np.random.Generator) -> None:
    record["messages"] += int(rng.choice([-1, 1]))


def key_lost(record: Json, rng: np.random.Generator) -> None:
    owner = [record, _core(record, rng), _piece(record, rng), _core(record, rng)["load"]]
    some: Json = owner[int(rng.integers(len(owner)))]
    some.pop(str(rng.choice([*some])))


def key_more(record: Json, rng: np.random.Generator) -> None:
    owner = [record, _core(record, rng), _piece(record, rng), _core(record, rng)["load"]]
    owner[int(rng.integers(len(owner)))]["more"] = 1


def kind_changed(record: Json, rng: np.random.Generator) -> None:
    """Something of another type, somewhere."""
    wrong = [None, "x", 1.5, True, [], {}, -(10**30)][int(rng.integers(7))]
    core, piece = _core(record, rng), _piece(record, rng)
    place = int(rng.integers(6))
    if place < 3:
        core[("slot", "pieces", "load")[place]] = wrong
    elif place == 3:
        piece["layer" if rng.random() < 0.5 else "box"] = wrong
    elif place == 4:
        record[str(rng.choice(["kind", "schema", "cores", "layers", "chip", "messages"]))] = wrong
    else:
        core["load"]["neurons"] = wrong


FAULTS: tuple[Fault, ...] = (
    *(slot_taken, slot_outside, box_moved, box_smaller, axis_renamed, piece_lost, piece_twice),
    *(piece_elsewhere, cores_joined, core_lost, layer_renamed, load_changed, exponent_changed),
    *(exponent_lost, delay_changed, image_changed, digest_changed, messages_changed, key_lost),
    *(key_more, kind_changed),
)


def places_swapped(record: Json, rng: np.random.Generator) -> None:
    """Two cores on other tiles, with the traffic that the file said before."""
    cores = record["cores"]
    tiles = [core["slot"] // 2 for core in cores]
    one = int(rng.integers(len(cores)))
    two = int(rng.choice([at for at, tile in enumerate(tiles) if tile != tiles[one]]))
    cores[one]["slot"], cores[two]["slot"] = cores[two]["slot"], cores[one]["slot"]


def traffic_changed(record: Json, rng: np.random.Generator) -> None:
    keys = ["messages", "hops", "hops_in_order", "between_chips", "worst_link"]
    record["placement"][str(rng.choice(keys))] += int(rng.choice([-1, 1, 1000]))


def activity_changed(record: Json, rng: np.random.Generator) -> None:
    of = record["placement"]["activity"]
    of["digest" if rng.random() < 0.5 else "images"] = [of["digest"][::-1], 7][int(rng.integers(2))]


def placement_broken(record: Json, rng: np.random.Generator) -> None:
    placed = record["placement"]
    match int(rng.integers(6)):
        case 0:
            placed.pop(str(rng.choice([*placed])))
        case 1:
            placed["more"] = 1
        case 2:
            placed[str(rng.choice([*placed]))] = [None, "x", 1.5, True, [], -1][
                int(rng.integers(6))
            ]
        case 3:
            record["placement"] = [7, "x", [], {}][int(rng.integers(4))]
        case 4:
            record["chips"] = [0, -1, "2", None, 1.0, True, 1 << 20][int(rng.integers(7))]
        case _:
            record["schema"] = [0, 1, 3, "2", 2.0, True][int(rng.integers(6))]


OF_PLACES: tuple[Fault, ...] = (
    *(places_swapped, traffic_changed, activity_changed, placement_broken),
)
