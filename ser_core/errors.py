"""The one base of this project's errors: their text is a sentence for people."""


class SerError(Exception):
    """Something that the user can mend; the message says what, where, what was expected and what to do."""
