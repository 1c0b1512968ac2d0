"""The console: Python expressions, evaluated in the running controller for its administrator.

`source` makes safe code of what was typed (the documented Erlang spelling too), `names` is what it may call,
`evaluate` runs it under a time limit, `show` makes text or JSON of what came out. The HTTP application serves it on
the control socket alone (`/control/eval`); its users are `flurm eval`, `flurm remote_console` and the commands that are
built on them.
"""
