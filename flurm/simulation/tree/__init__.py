"""The whole tree, simulated: several controllers with their real processes and their real storage, nodes and clients.

``world``        all of it in one run, from a seed and a plan of faults
``plan``         plans: what goes wrong and when, made from the seed; and shrinking them
``controller``   one controller: a tree of its own, on a machine that may lose power
``disk``         the storage code over files whose unsynced writes may be lost
``network``      who hears whom, how late and how often; what a controller has in the place of its peers' wire
``nodes``        node daemons                ``clients``  users, and the history of what they asked and were told
``invariants``   what must hold all the time ``linear``   whether a history can be explained

What is real and what is not: docs/simulation.md.
"""
