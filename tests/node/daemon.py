"""A node daemon to be killed: launches what standard input names, a JSON [job_id, script] a line; prints its events."""

import json
import sys
from pathlib import Path

from flurm.node.launcher import Launcher
from tests.node.node import batch


def main() -> None:
    place = Path(sys.argv[1])
    launcher = Launcher(place / "spool", "n1", lambda event: print(type(event).__name__, event.key.job_id, flush=True))
    launcher.start()
    for line in sys.stdin:
        job_id, script = json.loads(line)
        launcher.launch(batch(job_id, script, place / "work"))


if __name__ == "__main__":
    main()
