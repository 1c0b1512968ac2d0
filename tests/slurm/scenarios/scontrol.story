# scontrol on nodes, partitions, the controller; and commands that need plugins which are not there.

## show_node
hide (LastBusyTime=\S+)
hide (BootTime=\S+ SlurmdStartTime=\S+)
hide (ResumeAfterTime=\S+)
alice: scontrol show node n1
alice: scontrol show nodes n[2-3]
alice: scontrol -o show node n4
alice: scontrol show node | grep -c NodeName
alice: scontrol show node nosuch
alice: scontrol -d show node n1 | head -n 3

## show_partition
alice: scontrol show partition
alice: scontrol show partition long
alice: scontrol -o show partition debug
alice: scontrol show partition nosuch
alice: scontrol show part=debug | head -n 1

## show_hostnames_and_lists
alice: scontrol show hostnames n[1-3],m[08-10]
alice: scontrol show hostlist a1,a2,a3,b7
alice: scontrol show hostlistsorted b2,a3,a1,a2
alice: SLURM_NODELIST=x[1-2] scontrol show hostnames

## show_config
hide (Configuration data as of \S+)
hide BOOT_TIME\s+= (\S+)
hide NEXT_JOB_ID\s+= (\S+)
hide HASH_VAL\s+= (\S+)
alice: scontrol show config

## ping
alice: scontrol ping
root: scontrol ping

## node_states
root: scontrol update nodename=n1 state=drain reason='to fix'
alice: sinfo -h -n n1 -p debug -o '%T %E'
root: scontrol update nodename=n1 state=undrain
until idle idle idle idle in alice: echo $(sinfo -h -N -p debug -o %T)
@22.05 alice: sinfo -h -n n1 -p debug -o '%T %E'
root: scontrol update nodename=n1 state=drain
root: scontrol update nodename=n1 state=down
root: scontrol update nodename=n1 state=down reason=why
alice: sinfo -h -n n1 -p debug -o '%T %E'
alice: scontrol show node n1 | grep -E 'State|Reason' | sed 's/@.*//'
root: scontrol update nodename=n1 state=resume
until idle idle idle idle in alice: echo $(sinfo -h -N -p debug -o %T)
root: scontrol update nodename=n1 state=resume
root: scontrol update nodename=n[1-2] state=drain reason=both
alice: sinfo -h -N -p debug -o '%N %T %E'
root: scontrol update nodename=n[1-2] state=idle
until idle idle idle idle in alice: echo $(sinfo -h -N -p debug -o %T)
@22.05 alice: sinfo -h -N -p debug -o '%N %T %E'

## node_updates_that_are_refused
root: scontrol update nodename=nosuch state=drain reason=x
root: scontrol update nodename=n1 state=nonsense
root: scontrol update nodename=n1 nosuch=1
root: scontrol update nodename=n1

## a_drained_node_takes_no_job
root: scontrol update nodename=n[1-3] state=drain reason=x
A = alice: sbatch -N 2 --wrap true
wait $A PENDING
until Req in alice: squeue -h -j $A -o '%r'
@22.05 alice: squeue -h -j $A -o '%T|%r|%R'
root: scontrol update nodename=n[1-3] state=resume
wait $A COMPLETED

## a_node_that_goes_down_requeues_its_job
A = alice: sbatch -w n1 --wrap 'sleep 60'
wait $A RUNNING
B = alice: sbatch -w n2 --no-requeue --wrap 'sleep 60'
wait $B RUNNING
root: scontrol update nodename=n[1-2] state=down reason=broken
wait $B NODE_FAIL
wait $A PENDING
alice: squeue -h -t all -j $B -o '%T|%r|%N'
alice: scontrol show job $A | grep -E 'Restarts|JobState' | sed 's/Reason=\S*/Reason=/'

## node_weight_comment_and_features
root: scontrol update nodename=n1 comment='a node' weight=5
alice: scontrol show node n1 | grep -E 'Weight|Comment'
root: scontrol update nodename=n1 comment= weight=1
root: scontrol update nodename=n1 availablefeatures=fast,new activefeatures=fast
alice: scontrol show node n1 | grep -E 'Features'
root: scontrol update nodename=n1 availablefeatures=fast activefeatures=fast
alice: scontrol show node n1 | grep -E 'Features'

## partition_states
A = alice: sbatch -H -p long --wrap true
root: scontrol update partitionname=long state=down
alice: sinfo -h -p long -o '%P %a'
alice: scontrol release $A
wait $A PENDING PartitionDown
# a drained partition would start it
alice: scontrol hold $A
root: scontrol update partitionname=long state=drain
alice: sinfo -h -p long -o '%P %a'
alice: sbatch -p long --wrap true
root: scontrol update partitionname=long state=inactive
alice: sinfo -h -p long -o '%P %a'
alice: sbatch -p long --wrap true
alice: scontrol release $A
wait $A PENDING PartitionInactive
alice: scontrol show partition long | grep State
root: scontrol update partitionname=long state=up
alice: sinfo -h -p long -o '%P %a'
wait $A COMPLETED
root: scontrol update partitionname=long state=nonsense
root: scontrol update partitionname=nosuch state=up

## partition_limits
root: scontrol update partitionname=long MaxTime=30
alice: scontrol show partition long | grep -E 'MaxTime|DefaultTime'
A = alice: sbatch -H -p long --wrap true
alice: squeue -h -j $A -o %l
root: scontrol update partitionname=long MaxTime=UNLIMITED
alice: scontrol show partition long | grep -E 'MaxTime|DefaultTime'

## reconfigure
A = alice: sbatch -p long -w n3 --wrap 'sleep 60'
wait $A RUNNING
B = alice: sbatch -H --wrap true
root: scontrol reconfigure
until idle idle mixed idle in alice: echo $(sinfo -h -N -p debug -o %T)
alice: squeue -h -j $A,$B -S i -o '%i|%T|%r|%N'
alice: scontrol ping

## setdebug
root: scontrol setdebug verbose
alice: scontrol show config | grep SlurmctldDebug
root: scontrol setdebug 3
alice: scontrol show config | grep SlurmctldDebug
root: scontrol setdebug info
root: scontrol setdebug nonsense

## errors_of_the_command_line
alice: scontrol nosuchcommand
alice: scontrol show nosuch
alice: scontrol update nosuch=1
alice: scontrol hold
alice: scontrol --version

## sdiag
# lines that are there only after a scheduling cycle are left out, and the counters of messages that others sent
hide ((?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) .*)
hide (\d+)
A = alice: sbatch -H --wrap true
alice: sdiag | awk '/^[A-Za-z]/'
alice: sdiag | grep -oE 'REQUEST_(SUBMIT_BATCH_JOB|PARTITION_INFO) +\( *[0-9]+\) count:'

## sdiag_reset
alice: sdiag -r
root: sdiag -r

## sprio_and_sacct_without_their_plugins
alice: sprio
alice: sprio -l
alice: sacct
alice: sacct -j 1
alice: sacctmgr -n list cluster
alice: sshare

## reservations_licenses_and_more_that_are_empty
alice: scontrol show reservation
alice: scontrol show licenses
alice: scontrol show topology
alice: scontrol show burstbuffer
alice: scontrol show federation
alice: scontrol show daemons
alice: scontrol version

## shutdown [fresh]
root: scontrol ping
root: scontrol shutdown
until DOWN in root: scontrol ping
alice: scontrol ping
