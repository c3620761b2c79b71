"""What compiling found, in a line each."""


def fold_proof_of(found: dict[str, dict[str, int]]) -> str:
    """One line: how many neurons decide as the BatchNorm and threshold did, from rest."""
    neurons, identical, shifted, wrong = (
        sum(part[key] for part in found.values())
        for key in ("neurons", "identical", "shifted", "wrong")
    )
    text = f"{identical:,} of {neurons:,} neurons switch at the same integer"
    if shifted:
        farthest = max(part["distance"] for part in found.values())
        text += f", {shifted:,} up to {farthest} away (rounded biases)"
    return f"{text}; {wrong} WRONG" if wrong else text


def meaning_of(level: str) -> str:
    """What a level of the ladder says of the program."""
    return {
        "strict": "select, add, compare, shift; no multiplication",
        "shift-add": "no multiplication; constants as shifted additions",
        "bit-serial": "no multiplier; data times data bit by bit",
        "none": "a multiplication remains",
    }[level]
