"""`network.py` of a bundle: readable Python that builds the processes, by parts of the model."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from snncc.backends.lava_nc.process_network import Connection, Process, ProcessNetwork
from snncc.backends.lava_nc.python_text import INDENT, call, identifier, text

HEADER = '''"""The process network of the program {sha}, exported by snncc {version}.

    python run.py IMAGES.npy -o OUT.npz

runs it; in a Lava program of your own:

    from network import Network

    with Network(images) as net:  # uint8 [n, {shape}]
        net.run()
        print(net.answers)
"""

from __future__ import annotations

{imports}
'''
MODULES = {
    "arithmetic": ("Contraction", "Convolution", "Leak", "Term"),
    "host": ("Block", "LavaNetwork"),
    "neurons": ("Gain", "Population", "Readout", "Relay", "Sum"),
    "projections": ("HostCurrent", "PixelPlanes", "Projection"),
    "stock": ("StockNetwork", "ring_sink", "ring_source"),
    "lava.proc.dense.process": ("Dense",),
    "lava.proc.lif.process": ("LIF", "LIFReset"),
    "lava.proc.sparse.process": ("DelaySparse", "Sparse"),
    "lava.utils.weightutils": ("SignMode",),
}
"""Where the bundle's classes are."""
METHOD = INDENT * 2
ROOT_ATTRIBUTES = {"build", "connect", "constant", "images", "log", "membranes", "answers", "run"}
ROOT_ATTRIBUTES |= {"spikes", "steps_needed", "stop", "tensor", "window", "net"}
ROOT_ATTRIBUTES |= {"ANSWER", "DEPTH", "IMAGE", "LAST", "STEPS"}
ROOT_ATTRIBUTES |= {"currents", "identity", "planes", "starts", "synapses"}


def network_text(network: ProcessNetwork, sha: str, version: str) -> str:
    """The module's text; equal programs give equal text."""
    blocks = blocks_of(network.processes)
    places = _places(blocks)
    image = next(n for n in network.graph.nodes if not n.inputs).type.shape
    shape = ", ".join(map(str, image))
    parts = [_block(key, blocks[key], network, places) for key in blocks if key]
    parts.append(_root(blocks, network, places))
    body = "\n\n".join(parts)
    header = HEADER.format(sha=sha[:16], version=version, shape=shape, imports=_imports(body))
    return f"{header}\n\n{body}"


def _imports(body: str) -> str:
    """Import lines for the classes that a text uses."""
    lines: list[str] = []
    for module, classes in MODULES.items():
        used = [name for name in classes if re.search(rf"\b{name}\b", body)]
        if used:
            lines.append(f"from {module} import {', '.join(used)}")
    return "\n".join(lines)


def blocks_of(processes: Sequence[Process]) -> dict[str, list[Process]]:
    """Processes by part of the model; "" holds those that stand alone.

    A part is the first name of a module path, with the number that follows it if one does.
    """
    groups: defaultdict[str, list[Process]] = defaultdict(list)
    for process in processes:
        groups[_part(process.name)].append(process)
    blocks: dict[str, list[Process]] = {"": []}
    for key, members in groups.items():
        below = any(process.name.startswith(f"{key}.") for process in members)
        if below and len(members) > 1:
            blocks[key] = members
        else:
            blocks[""] += members
    return blocks


def _part(name: str) -> str:
    parts = name.split(" ")[0].split(".")
    return ".".join(parts[: 2 if len(parts) > 1 and parts[1].isdigit() else 1])


def _places(blocks: Mapping[str, list[Process]]) -> dict[str, str]:
    """What processes, blocks and their classes are called, as seen from the network."""
    root, classes, places = set(ROOT_ATTRIBUTES), set[str](), dict[str, str]()
    for key, processes in blocks.items():
        if not key:
            places |= {process.name: identifier(process.name, root) for process in processes}
            continue
        block = places[f"block {key}"] = identifier(key, root)
        places[f"class {key}"] = identifier(_class_name(block), classes)
        taken = {"build", "connect"}
        for process in processes:
            own = process.name.removeprefix(key).lstrip(". ") or key
            places[process.name] = f"{block}.{identifier(own, taken)}"
    return places


def _class_name(place: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in place.split("_")) + "Block"


def _block(
    key: str,
    processes: Sequence[Process],
    network: ProcessNetwork,
    places: Mapping[str, str],
) -> str:
    name = places[f"class {key}"]
    made = [_made(p, f"self.{places[p.name].split('.')[1]}") for p in processes]
    own = f"net.{places[f'block {key}']}."
    wired = _wired(processes, network, places, "net.").replace(own, "self.")
    title = text(key)[1:-1]
    return (
        f'class {name}(Block):\n{INDENT}"""{title}"""\n\n'
        f"{INDENT}def build(self, net: LavaNetwork) -> None:\n{''.join(made)}\n"
        f"{INDENT}def connect(self, net: Network) -> None:\n{wired}"
    )


def _root(
    blocks: Mapping[str, list[Process]], network: ProcessNetwork, places: Mapping[str, str]
) -> str:
    graph, schedule = network.graph, network.schedule
    image = next(n for n in graph.nodes if not n.inputs).type.shape
    answer = graph[graph.output].type.shape
    lines = [
        f'class Network({network.base}):\n    """All of it."""\n\n',
        f"{INDENT}STEPS = {schedule.steps}\n{INDENT}DEPTH = {schedule.depth}\n",
        f"{INDENT}IMAGE = {image!r}\n{INDENT}ANSWER = {answer!r}\n\n",
        f"{INDENT}def build(self) -> None:\n{METHOD}net = self\n",
        *(_made(process, f"self.{places[process.name]}") for process in blocks[""]),
    ]
    for key in filter(None, blocks):
        made = f"{METHOD}self.{places[f'block {key}']} = {places[f'class {key}']}(net)\n"
        lines.append(made)
    lines.append(f"{METHOD}self.LAST = self.{places[graph.output]}\n\n")
    lines.append(f"{INDENT}def connect(self) -> None:\n")
    lines.append(_wired(blocks[""], network, places, "self."))
    lines += [f"{METHOD}self.{places[f'block {k}']}.connect(self)\n" for k in blocks if k]
    return "".join(lines)


def _made(process: Process, place: str) -> str:
    arguments = {"name": text(process.name), **process.arguments}
    return f"{METHOD}{place} = {call(process.kind, arguments, 2)}\n"


def _wired(
    processes: Sequence[Process],
    network: ProcessNetwork,
    places: Mapping[str, str],
    prefix: str,
) -> str:
    """The connections into some processes."""
    outs = {process.name: process.out for process in network.processes}
    into: defaultdict[str, list[Connection]] = defaultdict(list)
    for connection in network.connections:
        into[connection.reader].append(connection)
    lines: list[str] = []
    for process in processes:
        for c in into[process.name]:
            source = f"{prefix}{places[c.source]}.{outs[c.source]}"
            lines.append(f"{METHOD}{source}.connect({prefix}{places[c.reader]}.{c.port})\n")
    return "".join(lines) or f"{METHOD}pass\n"
