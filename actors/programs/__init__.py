"""Programs that the controller runs around jobs: a process that keeps them, and who tells it what to run."""
