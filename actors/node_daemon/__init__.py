"""The node daemon's processes: they speak the slurmd side of the Slurm wire and run the steps of one node.

`steps` owns the launcher, `registrar` keeps the controllers informed that the node is there, `reporter` delivers what
happened until a controller has acknowledged it, `handler` serves requests. See supervisors/flurmd_sup.py.
"""
