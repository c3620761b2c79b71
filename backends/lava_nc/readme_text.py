"""`README.md` of a bundle."""

from snncc.backends.lava_nc import registers
from snncc.backends.lava_nc.process_network import ProcessNetwork
from snncc.backends.lava_nc.schedule import schedule_table

README = """# A spiking network as Lava processes

Exported by snncc {version} from the program with sha256 `{sha}`, profile `{profile}`.
{processes} processes; T = {steps} steps a sample, {depth} more from an image to the first step of
its answer.

    python run.py IMAGES.npy -o OUT.npz            # uint8 [n, {shape}]
    python run.py IMAGES.npy -o OUT.npz --record   # also every spike and membrane

needs Python 3.10, lava-nc 0.10.0 and NumPy, nothing else. `OUT.npz` holds `readout`
(int64, [n, {answer}]; the largest is the answer; times {unit!r} they are the logits), and with
`--record`, for each population, `spikes:NAME` and `membranes:NAME` (before the reset), with its
axes as in `manifest.json`.

In a Lava program of your own:

    from network import Network

    with Network(images, record=True) as net:
        net.run()
        print(net.answers)
        print(net.spikes["{population}"].mean())

Every process is an attribute of the network, by the path of the module that it stands for, and can
be connected to others before `run`.

## Schedule

A projection costs one step. What arrives early where paths meet is held back by relays (column
`relays`: by how many steps). With the period {period}, sample k enters at steps
{period} k .. {period} k + {last}; a population works on it that much later{outside}

{table}

## Files

- `network.py`: the processes and their connections, by parts of the model
- `tensors.npz`: integers of the program
{files}
- `manifest.json`: hashes of all of these, the schedule, the populations
"""
OUTSIDE = ", starts it with V = 0,\nand is silent outside its window."
STOCK_OUTSIDE = """. All
of them are processes of lava-nc. A LIFReset begins every sample with V = 0; what it does between
samples is heard by nobody: whatever follows it begins anew one step later."""
FILES = """- `neurons.py`, `projections.py`, `window.py`: the processes and their models
- `arithmetic.py`: what they compute, in NumPy
- `host.py`, `run.py`, `watch.py`: around the network"""
STOCK_FILES = (
    """- `stock.py`, `host.py`, `window.py`, `arithmetic.py`, `run.py`, `watch.py`: around it"""
)


def readme_text(network: ProcessNetwork, sha: str, version: str) -> str:
    graph, schedule = network.graph, network.schedule
    output = graph[graph.output]
    rows = [("steps", "value", "relays"), ("---", "---", "---")]
    rows += [(s, f"`{name}`", relays) for s, name, relays in schedule_table(graph, schedule)]
    image = next(node for node in graph.nodes if not node.inputs)
    populations = [p.name for p in network.processes if p.kind in ("Population", "LIFReset")]
    stock = graph.profile == registers.PROFILE
    return README.format(
        version=version,
        sha=sha,
        profile=graph.profile,
        processes=len(network.processes),
        steps=schedule.steps,
        depth=schedule.depth,
        shape=", ".join(map(str, image.type.shape)),
        answer=", ".join(map(str, output.type.shape)),
        unit=getattr(output.op, "unit", 1.0),
        population=populations[0] if populations else "NAME",
        period=schedule.period,
        last=schedule.steps - 1,
        outside=STOCK_OUTSIDE if stock else OUTSIDE,
        files=STOCK_FILES if stock else FILES,
        table="\n".join(f"| {' | '.join(row)} |" for row in rows),
    )
