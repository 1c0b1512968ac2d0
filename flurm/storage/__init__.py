"""Everything that must outlive the process: the segment log, the hard state, snapshots, blobs, and who owns them.

``layout``     opens a state directory as a whole and says what was found in it
``segments``   the log of entries               ``records``    one record's bytes
``recovery``   what is a torn tail, what is corruption
``hard_state`` term and vote                    ``snapshots``  the applied state, now and then
``blobs``      job scripts and environments     ``writer``     the thread that turns appends into group commits
``transfer``   snapshots between members        ``copying``    blobs between members
``state``      what it all amounts to           ``backup``     that, in one file
``reading``    a directory read as it is        ``check``, ``dump``  what is in it, and what is wrong with it
``lock``       one process per directory        ``files``      durable file operations      ``errors`` what goes wrong

Everything here raises ``StorageError`` or one of its kinds. What was reported durable is durable; what cannot be read
back is reported and never skipped.
"""
