"""The errors of a command that are no bug, each with one sentence for the operator."""

from models.exceptions import Unavailable


class CommandError(Exception):
    """Its text is the whole message: a sentence that says what is wrong and, where it can, what to do."""


EXPECTED = (CommandError, Unavailable)


def sentence(problem: CommandError | Unavailable) -> str:
    """The message for the operator; the database may become unavailable while a command is at work."""
    return f"{problem.system_message}: try again." if isinstance(problem, Unavailable) else str(problem)
