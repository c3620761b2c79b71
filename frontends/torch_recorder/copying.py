"""The one place where a user's model is copied."""

from torch import nn

from snncc.diagnostics import SnnccError
from snncc.frontends.raised import reason_of
from snncc.frontends.weights.reparametrised import copy_plain
from snncc.ir.loc import Loc


def copied(model: nn.Module) -> nn.Module:
    """A copy in float64 and evaluation mode.

    Raises:
        SnnccError: SNN025, the model or a part of it cannot be copied; the part is named.
    """
    try:
        return copy_plain(model).eval()
    except (Exception, SystemExit) as error:  # its __deepcopy__, __getattr__, _apply may raise any
        raise _refusal(model, error) from error


def _refusal(model: nn.Module, error: BaseException) -> SnnccError:
    path, part = _culprit(model)
    text = reason_of(error)
    left_over = "created explicitly by the user" in text
    return SnnccError(
        "SNN025",
        "the model cannot be copied",
        Loc(path, call=f"{type(part).__name__}()"),
        why=f"{type(error).__name__}: {text}",
        help="reset its neurons (functional.reset_net(model)): a membrane left from training "
        "belongs to that run"
        if left_over
        else "snncc records a copy, so copy.deepcopy(model) must work: make the module that is "
        "named copyable, or build the model anew in a factory and load its weights",
    )


def _culprit(model: nn.Module) -> tuple[str, nn.Module]:
    """The innermost module whose copy fails."""
    found: tuple[str, nn.Module] = ("", model)
    for path, module in model.named_modules():
        if not path.startswith(found[0]):
            continue
        try:
            copy_plain(module)
        except (Exception, SystemExit):  # as above
            found = path, module
    return found
