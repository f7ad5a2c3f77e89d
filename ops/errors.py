"""Expected errors of commands, each with one sentence for the operator."""

from models.exceptions import AudioUnavailable, Unavailable


class CommandError(Exception):
    """An expected error; its text says what is wrong and, if possible, what to do.

    `lines` follow the sentence, such as statements to run.
    """

    def __init__(self, message: str, *lines: str) -> None:
        super().__init__(message)
        self.lines = lines


EXPECTED = (CommandError, Unavailable)


def lines(error: CommandError | Unavailable) -> tuple[str, ...]:
    """The message for the operator: a sentence, and perhaps more; Unavailable: database or store failed meanwhile."""
    if isinstance(error, AudioUnavailable):
        return (f"The audio store cannot be used: {error.reason}.",)
    return (f"{error.system_message}: try again.",) if isinstance(error, Unavailable) else (str(error), *error.lines)
