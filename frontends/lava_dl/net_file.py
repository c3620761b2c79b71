"""Reads the HDF5 of a .net file as data.

/layer/0, /layer/1, ...    type, shape, weight, ...; neuron/type, neuron/vDecay, ...
/simulation/tSample        steps of a sample, in some files
"""

from pathlib import Path
from typing import Any

from snncc.frontends.hdf5.reader import Field, Format, Hdf5Reader
from snncc.frontends.lava_dl.records import FROM_WRITER, Layer, NetFile

NET = Format("a network of lava-dl", ".net", "nir", f"give a file of export_hdf5; {FROM_WRITER}")
MOST_LAYERS = 1 << 10
SAMPLE = "tSample"


def read_file(path: Path) -> NetFile:
    """The layers of a file, not yet judged beyond their form.

    Raises:
        SnnccError: SNN050 without h5py; SNN150 when the file is none, is damaged, or leads
            elsewhere or beyond the limits.
    """
    reader = _Reader(path, NET)
    with reader.opened as file:
        return reader.file(file)


class _Reader(Hdf5Reader):
    """Walks the layers of a file."""

    def file(self, file: Any) -> NetFile:
        held = self.names(file, "the file")
        if "layer" not in held:
            raise self.refused("there is no /layer in it")
        layers = self.group(file, "layer", "the file")
        names = self.names(layers, "/layer")
        if {*names} != {str(number) for number in range(len(names))} or not names:
            raise self.refused(f"its layers are called {', '.join(names[:8])}, and not 0, 1, ...")
        if len(names) > MOST_LAYERS:
            raise self.refused(f"more than {MOST_LAYERS} layers")
        found = tuple(self.layer(layers, number) for number in range(len(names)))
        aside = [name for name in held if name not in ("layer", "simulation")]
        notes = (f"{', '.join(aside[:8])} beside its layers: left out",) if aside else ()
        return NetFile(found, self.steps(file, held), notes)

    def layer(self, layers: Any, number: int) -> Layer:
        where = f"layer {number}"
        group = self.group(layers, str(number), where)
        held = self.names(group, where)
        if "type" not in held:
            raise self.refused("it has no type", where)
        neuron = self.neuron(group, where) if "neuron" in held else None
        fields = self.fields(group, [n for n in held if n not in ("type", "neuron")], where)
        return Layer(number, self.word(group, where), fields, neuron)

    def neuron(self, group: Any, where: str) -> dict[str, Field]:
        where = f"the neurons of {where}"
        inside = self.group(group, "neuron", where)
        held = self.names(inside, where)
        if "type" not in held:
            raise self.refused("they have no type", where)
        fields = self.fields(inside, [name for name in held if name != "type"], where)
        return {**fields, "type": self.word(inside, where)}

    def fields(self, group: Any, names: list[str], where: str) -> dict[str, Field]:
        """Numbers by name; those of a group ("weight/real") with its name before theirs."""
        found: dict[str, Field] = {}
        for name in names:
            with self.told(where):
                nested = isinstance(group[name], self.h5py.Group)
            if nested:
                inside = self.group(group, name, where)
                for each in self.names(inside, where):
                    found[f"{name}/{each}"] = self.field(inside, each, where)
            else:
                found[name] = self.field(group, name, where)
        return found

    def word(self, group: Any, where: str) -> str:
        """The type of a layer or of neurons: a text, or an array of one."""
        found = self.dataset(group, "type", where)
        with self.told(f"'type' of {where}"):
            if found.shape not in ((), (1,)):
                raise TypeError("it is no text")
            return self.texts(found, 1)[0]

    def steps(self, file: Any, held: list[str]) -> int | None:
        """T of a sample, where the training script stored it."""
        where = "/simulation"
        if "simulation" not in held:
            return None
        group = self.group(file, "simulation", where)
        if SAMPLE not in self.names(group, where):
            return None
        value = self.field(group, SAMPLE, where)
        with self.told(where):
            if isinstance(value, str) or value.size != 1 or not 1 <= value.item() < 1 << 31:
                raise ValueError(f"{SAMPLE} is no number of steps")
            return int(value.item())
