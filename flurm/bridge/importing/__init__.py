"""What a running slurmctld says of itself, as a cluster of FLURM's: pure translation, for `flurm import`.

``answers``     all that was asked for, as it came
``jobs``        one job: what was asked for, how it stands    ``holdings`` what it holds    ``arrays`` its place in one
``waiting``     dependencies, and what jobs wait for
``saved``       what slurmctld keeps of jobs beyond what it tells
``states``      node states, and partitions as they were changed at run time
``cluster``     all of it together, on the nodes and partitions that slurm.conf names; what does not come along is noted
"""
