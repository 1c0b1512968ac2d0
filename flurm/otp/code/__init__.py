"""Replacing code while it runs (OTP's code server, for Python modules).

A module is not executed anew: it is compared with its successor statement by statement (`statements`), and only what
changed is executed, in the module that everybody has imported (`loading`). Objects that others hold on to are changed
in place, so that they need not be found: a function gets new code, a plain class new methods (`patching`). A process's
class is another matter: it is swapped, and the process's `code_change` makes the new state of the old one.

Records, messages and enums cannot be replaced this way: values of the old kind are in flight and in the log, and an old
enum member is not equal to its successor. A release that changes one is refused, and travels by rolling upgrade.
"""

from flurm.otp.code.errors import CodeError, NotReplaceable
from flurm.otp.code.loading import Load, Loader
from flurm.otp.code.statements import Difference, compare

__all__ = ["CodeError", "Difference", "Load", "Loader", "NotReplaceable", "compare"]
