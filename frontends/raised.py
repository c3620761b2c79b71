"""What the user's code raised, in words."""


def reason_of(error: BaseException) -> str:
    """The first line of an exception; for SystemExit, that the code ends the process."""
    text = str(error).strip().partition("\n")[0]
    return f"the code called sys.exit({text})" if isinstance(error, SystemExit) else text


def is_ours(error: BaseException) -> bool:
    """Whether an exception comes from snncc's own code, and not from the model's or a library's."""
    trace, name = error.__traceback__, ""
    while trace is not None:
        name, trace = str(trace.tb_frame.f_globals.get("__name__", "")), trace.tb_next
    return name.startswith("snncc.") and not name.startswith("snncc.frontends.mixer_snn")
