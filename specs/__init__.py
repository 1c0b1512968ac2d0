"""The design's specifications in TLA+, and what has TLC check them.

``Raft``, ``JobLifeCycle``, ``Scheduling`` and ``Failover`` are the specs; ``docs/specs.md`` says what each is about.

``models``   which constants, invariants and properties each spec is checked with; violations planted on purpose
``tlc``      runs TLC and reads what it prints
``traces``, ``job_traces``  check what the simulator records against ``TraceRaft`` and ``TraceJob``
``recorded`` makes the recordings that `make tla` checks

``python -m specs`` checks everything and prints a table.
"""
