"""Taking over from a running slurmctld (`flurm import`): asking it, and reading what it keeps beside its state.

``asking``   every request that is made, and in which order
``spool``    environments of batch jobs, from the slurmctld's StateSaveLocation: no request gives them
What the answers mean is `flurm.bridge.importing`'s to say, and `flurm.storage.founding` writes the state.
"""
