"""A node daemon to be killed.

Launches what standard input names, a JSON [job_id, script] a line (without a script it forgets the job), and prints
each event with the job's number and wait status.
"""

import json
import sys
from pathlib import Path

from flurm.node.launcher import Launcher
from flurm.node.spec import Event
from tests.node.node import batch


def main() -> None:
    place = Path(sys.argv[1])
    launcher = Launcher(place / "spool", "n1", say, use_cgroups=False)
    launcher.start()
    for line in sys.stdin:
        job_id, script = json.loads(line)
        if script is None:
            launcher.forget(job_id)
            print("forgotten", job_id, flush=True)
        else:
            launcher.launch(batch(job_id, script, place / "work"))


def say(event: Event) -> None:
    status = getattr(event, "wait_status", None)
    print(type(event).__name__, event.key.job_id, "" if status is None else status, flush=True)


if __name__ == "__main__":
    main()
