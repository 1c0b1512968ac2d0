# What is refused, with which words and which exit status.

## unknown_job
alice: squeue -j 99999
alice: scontrol show job 99999
alice: scancel 99999
root: scancel 99999
alice: scontrol hold 99999
alice: scontrol release 99999
alice: scontrol requeue 99999
alice: scontrol update jobid=99999 timelimit=5
alice: scontrol write batch_script 99999
alice: scontrol wait_job 99999
alice: scontrol top 99999
alice: scancel abc
alice: scontrol show job abc

## bad_partition
alice: sbatch -p nope --wrap true
alice: sbatch -p debug,nope --wrap true

## more_nodes_than_there_are
alice: sbatch -N 9 -J toomany --wrap true
alice: sbatch -N 4 -p long -J toomany --wrap true
alice: sleep 0.5; squeue -h -n toomany -S i -o '%i|%T|%r|%R|%D'
alice: scontrol -o show job | grep JobName=toomany | grep -oE '(JobState|Reason|NumNodes|TRES)=[^ ]*'

## what_no_node_can_give
alice: sbatch -c 3 --wrap true
alice: sbatch --mem=5000 --wrap true
alice: sbatch -n 100 --wrap true
alice: sbatch -w n1 -x n1 --wrap true
alice: sbatch -N 1 -w n1,n2 --wrap true
alice: sbatch -N 2-1 --wrap true
alice: sbatch -n 0 --wrap true
alice: sbatch --gres=gpu:1 --wrap true
alice: sbatch -A noaccount -H --wrap true
alice: sbatch -q noqos --wrap true
alice: sbatch --reservation=nores --wrap true
alice: sbatch -L nolicense --wrap true

## time_limit_beyond_the_partition
A = alice: sbatch -t 2:00:00 --wrap true
wait $A PENDING PartitionTimeLimit
alice: squeue -h -j $A -o '%T|%r|%R|%l'
alice: sbatch -t never --wrap true
alice: sbatch -t 1:2:3:4 --wrap true

## another_users_job
A = alice: sbatch -H --wrap true
bob: scancel $A
bob: scontrol hold $A
bob: scontrol release $A
bob: scontrol requeue $A
bob: scontrol update jobid=$A timelimit=5
bob: scontrol write batch_script $A -
bob: scontrol top $A
bob: scancel -u alice
bob: scancel -n wrap
alice: squeue -h -j $A -o %T

## what_only_root_may
alice: scontrol update nodename=n1 state=drain reason=x
alice: scontrol update partitionname=debug state=down
alice: scontrol reconfigure
alice: scontrol shutdown
alice: scontrol setdebug info
A = alice: sbatch -H --wrap true
alice: scontrol update jobid=$A priority=100
alice: scontrol update jobid=$A nice=-10
alice: scontrol top $A
alice: sbatch --uid=bob --wrap true

## empty_script_and_not_a_script
alice: : > empty.sh; sbatch empty.sh
alice: echo hello > text.sh; sbatch text.sh
alice: sbatch nosuch.sh
alice: sbatch /tmp
alice: printf '\0\1\2' > bin.sh; sbatch bin.sh
alice: printf '#!/bin/sh\r\necho hi\r\n' > dos.sh; sbatch dos.sh
alice: printf '' | sbatch
alice: sbatch --nosuchoption --wrap true
alice: printf '#!/bin/sh\n#SBATCH --nosuch\n' > bad.sh; sbatch bad.sh
alice: sbatch --wrap true extra.sh

## partition_that_is_down_or_drained
A = alice: sbatch -p down --wrap true
wait $A PENDING PartitionDown
alice: squeue -h -j $A -o '%T|%r|%R'
alice: sbatch -p drained --wrap true
root: scontrol update partitionname=debug state=inactive
alice: sbatch --wrap true
root: scontrol update partitionname=debug state=up
wait $A PENDING PartitionDown

## a_working_directory_that_is_not_there
A = alice: sbatch -D /no/such/dir -o /mnt/alice/o.txt --wrap 'pwd'
until D in alice: squeue -h -t CD,F -j $A -o '%T %r D'
alice: sed 's/.*error/error/' o.txt; squeue -h -t all -j $A -o '%T|%r'
