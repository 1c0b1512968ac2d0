"""Agreement: a pure Raft server. Events go in, effects come out; no clock, no file, no thread, no socket.

``records``   entries of the log, the hard state, roles
``events``    what can happen to a server            ``effects``   what a server wants done
``quorum``    majorities over a set of voters        ``log``       the part of the log that is in memory
``messages``  what members say to each other         ``server``    the rules

Whoever drives a server (an actor, a test, a simulator) hands it one event at a time and carries out the effects in the
order in which they come.
"""
