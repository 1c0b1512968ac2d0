"""Agreement: a pure Raft server. Events go in, effects come out; no clock, no file, no thread, no socket.

``records``   entries, hard state, configurations     ``limits``    timeouts and bounds
``events``    what can happen to a server            ``effects``   what a server wants done
``messages``  what members say to each other         ``quorum``    majorities over one or two sets of voters
``log``       the part of the log that is in memory  ``progress``  what a leader knows of another member
``member``    the state of one member                ``server``    takes events in, hands them to the rules

and the rules: ``election``, ``following``, ``replication``, ``membership``, ``snapshotting``, ``reads``, ``transfer``,
``machine``.

Whoever drives a server (an actor, a test, a simulator) hands it one event at a time and carries out the effects in the
order in which they come.
"""
