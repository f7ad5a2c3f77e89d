"""The reason why a command cannot do its work, in one sentence for the operator."""


class CommandError(Exception):
    """Its text is the whole message: a sentence that says what is wrong and, where it can, what to do."""
