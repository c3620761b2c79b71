"""Warnings for users: the command line shows them as notes."""


class Notice(UserWarning):
    """Something works, and not as the user may expect."""
