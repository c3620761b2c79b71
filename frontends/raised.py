"""What the user's code raised, in words."""


def reason_of(error: BaseException) -> str:
    """The first line of an exception; for SystemExit, that the code ends the process."""
    text = str(error).strip().partition("\n")[0]
    return f"the code called sys.exit({text})" if isinstance(error, SystemExit) else text
