"""What can be wrong with new code. Each text names the module, the thing in it, and what to do."""


class CodeError(Exception):
    """The new code could not be loaded; the running code is as it was."""


class NotReplaceable(CodeError):
    """The new code is good, but cannot take the old code's place while that runs: it needs a rolling upgrade."""
