# sinfo: forms, filters, states of nodes and partitions, JSON.

## an_idle_cluster
alice: sinfo
alice: sinfo -s
alice: sinfo -N | sort
alice: sinfo -l | tail -n +2
# 24.11 keeps the last reason of a node that was resumed
alice: sinfo -N -l | tail -n +2 | sort | cut -c 1-84
alice: sinfo -R
alice: sinfo -h

## nodes_in_use
A = alice: sbatch -w n1 --wrap 'sleep 60'
B = alice: sbatch -w n3 --exclusive --wrap 'sleep 60'
wait $A RUNNING
wait $B RUNNING
alice: sinfo
alice: sinfo -s
alice: sinfo -N | sort
alice: sinfo -t mix
alice: sinfo -t idle,alloc -N -h -p debug
alice: sinfo -h -p debug -o '%n %T %C %e' -N | sed 's/ [0-9]*$//'

## drained_and_draining
A = alice: sbatch -w n1 --wrap 'sleep 60'
wait $A RUNNING
root: scontrol update nodename=n1,n2 state=drain reason='bad fan'
alice: sinfo
alice: sinfo -R
alice: sinfo -R -l | tail -n +2
alice: sinfo -h -N -p debug -o '%N %t %T %E %u' -n n1,n2
alice: sinfo -h -t drain -p debug -o '%N %T'
alice: sinfo -h -t drained -p debug -o '%N %T'
alice: sinfo -h -t draining -p debug -o '%N %T'
root: scontrol update nodename=n[1-2] state=resume
until mixed idle idle idle in alice: echo $(sinfo -h -N -p debug -o %T)
alice: sinfo -h -N -p debug -o '%N %t %T'

## down_node
root: scontrol update nodename=n4 state=down reason='power'
alice: sinfo
alice: sinfo -R
alice: sinfo -d
root: scontrol update nodename=n4 state=resume
until idle idle idle idle. in alice: echo "$(echo $(sinfo -h -N -p debug -o %T))."
alice: sinfo -h -n n4 -p debug -o %T

## filters
alice: sinfo -p long
alice: sinfo -p long,debug -h
alice: sinfo -n n2
alice: sinfo -n n[1-2] -h -N -p debug
alice: sinfo -t down
alice: sinfo -p nosuch
alice: sinfo -n nosuch
alice: sinfo -t nosuch

## formats
alice: sinfo -o '%P %a %l %D %t %N %c %m %f %F %G %z %w %p %h %g %s %r %X %Y %Z %A %B %C %d %L %S %i %I %M %V' | sed 's/22[.]05[.][0-9]*/V/;s/24[.]11[.][0-9]*/V/'
alice: sinfo -N -p debug -o '%N %n %o %R %P %c %m %f %b %t %T'
alice: sinfo -o '%20P|%.10a|%6D'
alice: sinfo -O 'partition,available,time,nodes,statelong,nodelist'
alice: sinfo -N -p debug -O 'NodeList:10,StateLong:10,CPUs:6,CPUsState:15,Memory:10,AllocMem:10,Features:10,Features_Act:12,Weight:8,Gres:8,Port:8'
alice: sinfo -O 'PartitionName:12,Root:6,Share:10,Size:14,MaxCPUsPerNode:16,PreemptMode:12,PriorityTier:14,DefaultTime:12'
alice: sinfo -O nosuchfield
alice: SINFO_FORMAT='%P=%D' sinfo -h
alice: sinfo -e -o '%P %D %c'
alice: sinfo -S N -N -h -o '%N' -p debug
alice: sinfo -S -N -N -h -o '%N' -p debug

## json [fresh]
hide "(?:micro|major|minor)": ("?[\d]+"?)
hide "(?:release|operating_system)": (".*")
hide "pid": ("?\d+"?)
hide "boot_time": \D*?(\d+)
hide "(?:cpu_load|free_memory)": (\d+)
hide "load": \{\s*"minimum": (\d+),\s*"maximum": (\d+)
hide "free": \{\s*"minimum": \{[^}]*"number": (\d+)\s*\},\s*"maximum": \{[^}]*"number": (\d+)
hide "reason": \{[^}]*"user": "(\w*)"
alice: sinfo --json -n n1 -p debug
