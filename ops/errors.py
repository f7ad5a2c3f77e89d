"""Expected errors of commands, each with one sentence for the operator."""

from models.exceptions import Unavailable


class CommandError(Exception):
    """An expected error; its text says what is wrong and, if possible, what to do."""


EXPECTED = (CommandError, Unavailable)


def sentence(error: CommandError | Unavailable) -> str:
    """The message for the operator; Unavailable means that the database failed during a command."""
    return f"{error.system_message}: try again." if isinstance(error, Unavailable) else str(error)
