"""Simulation: the cluster's cores in one thread, on virtual time, with everything that can go wrong going wrong.

A run is a function of its fault plan, and a plan of its seed: the same seed gives the same run, step by step. Nothing
here sleeps, opens a file or draws randomness that a seed did not decide.

``faults``      what goes wrong when, as data; plans drawn from a seed
``network``     messages that are lost, late, doubled, overtaken, or cut off
``disk``        storage that answers later, refuses, is slow, and loses in a crash what was not synced
``raft_world``  members of a Raft cluster on such disks and such a network, and clients
``invariants``  what must hold at every step
``shrink``      the fewest faults with which a run still fails
``tree``        the whole tree of several controllers, with nodes and clients
"""
