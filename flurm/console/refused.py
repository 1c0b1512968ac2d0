"""What a console call raises when the controller would not do it."""


class Refused(Exception):
    """The controller would not do it; the text says why."""
