"""The general frontend: live modules, and modules that a factory of the user's makes."""

from snncc.diagnostics import SnnccError
from snncc.frontends.factory_name import require_factory
from snncc.frontends.frontend import ModelSpec, Source
from snncc.frontends.torch_modules import check_spec, require_torch, source_of


class TorchFrontend:
    """Reads any PyTorch module."""

    def recognises(self, spec: ModelSpec) -> bool:
        """True for live objects and names of factories."""
        return spec.is_live or spec.model is not None

    def check(self, spec: ModelSpec) -> None:
        """Raises SnnccError: SNN001 for options of other models, SNN003 for names of nothing."""
        check_spec(spec)
        if spec.is_live:
            return
        if spec.neuron:
            raise SnnccError(
                "SNN001",
                f"--neuron does not go with --model {spec.model}",
                why="a module of your own holds its neurons' parameters",
                help="set them in the factory",
            )
        require_factory(spec.model or "")

    def read(self, spec: ModelSpec) -> Source:
        """Takes a live module, or calls a factory (the user's code) and loads its weights.

        Raises:
            SnnccError: SNN050 without torch, SNN001 to SNN034 for what is wrong with the module,
                the factory, the file or the options.
        """
        self.check(spec)
        require_torch()
        return _live(spec.module, spec.answer) if spec.is_live else _factory(spec, spec.model or "")


def _live(module: object, answer: str | None) -> Source:
    from torch import nn

    if not isinstance(module, nn.Module):
        raise SnnccError(
            "SNN001",
            f"model is a {type(module).__name__}",
            help="give a torch.nn.Module, the path of a checkpoint, or 'package.module:factory'",
        )
    return source_of(module, type(module).__name__, answer=answer)


def _factory(spec: ModelSpec, model: str) -> Source:
    from snncc.frontends.checkpoint import load_checkpoint
    from snncc.frontends.factory import load_factory
    from snncc.frontends.weights.fit import load_weights

    module = load_factory(model, spec.arguments)
    path = spec.checkpoint
    if path is None:
        return source_of(module, model, answer=spec.answer)
    checkpoint = load_checkpoint(path, spec.weights)
    fitted = load_weights(module, checkpoint.state, path.name)
    facts = {"checkpoint": path.name}
    facts |= {"weights": checkpoint.weights} if spec.weights else {}
    notes = (*checkpoint.notes, *fitted)
    return source_of(module, model, facts=facts, notes=notes, answer=spec.answer)
