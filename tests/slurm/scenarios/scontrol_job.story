# scontrol on jobs: show, hold, release, requeue, update, top, wait_job, write batch_script.

## show_job_in_its_forms
A = alice: sbatch -J shown -N 2 -n 3 -t 5 --wrap 'sleep 60'
wait $A RUNNING
alice: scontrol show job $A
alice: scontrol -d show job $A
alice: scontrol -o show job $A
alice: scontrol show job=$A | head -n 2
alice: scontrol -o show job | grep JobName=shown | cut -d ' ' -f 1-2
alice: scontrol show jobid $A | head -n 1
alice: scontrol -dd show job $A | tail -n 8

## hold_and_release
A = alice: sbatch -p down --wrap true
alice: scontrol hold $A
alice: squeue -h -j $A -o '%T|%r|%Q'
alice: scontrol release $A
wait $A PENDING PartitionDown
root: scontrol hold $A
alice: squeue -h -j $A -o '%T|%r|%Q'
alice: scontrol release $A
alice: squeue -h -j $A -o '%T|%r|%Q'
root: scontrol uhold $A
alice: squeue -h -j $A -o '%T|%r|%Q'
alice: scontrol release $A
alice: squeue -h -j $A -o '%T|%Q'

## hold_of_a_running_and_of_a_finished_job
A = alice: sbatch --wrap 'sleep 60'
wait $A RUNNING
alice: scontrol hold $A
alice: squeue -h -j $A -o '%T|%r'
alice: scontrol release $A
alice: scancel $A
wait $A CANCELLED
alice: scontrol hold $A
alice: scontrol release $A

## hold_by_list_and_by_name
A = alice: sbatch -p down -J lista --wrap true
B = alice: sbatch -p down -J listb --wrap true
alice: scontrol hold $A,$B
alice: squeue -h -j $A,$B -S i -o '%i|%r'
alice: scontrol release $A,$B
alice: scontrol hold jobname=lista
alice: squeue -h -j $A -S i -o '%i|%r'
alice: scontrol hold $A $B

## requeue_of_a_running_job
A = alice: sbatch -o run.out --open-mode=append --wrap 'echo restart $SLURM_RESTART_COUNT; sleep 60'
wait $A RUNNING
until restart in alice: cat run.out
alice: scontrol requeue $A
until PENDING in alice: squeue -h -j $A -o '%T'
until BeginTime in alice: squeue -h -j $A -o '%r'
alice: squeue -h -j $A -o '%T|%r'
alice: scontrol show job $A | grep -E 'Restarts|JobState|NodeList|NumNodes'

## requeuehold_of_a_running_job
A = alice: sbatch --wrap 'sleep 60'
wait $A RUNNING
alice: scontrol requeuehold $A
wait $A PENDING
alice: squeue -h -j $A -o '%T|%r|%Q'
alice: scontrol show job $A
alice: scontrol release $A
wait $A PENDING BeginTime
alice: scontrol show job $A | grep -E 'Restarts|JobState'

## requeue_of_pending_and_finished_jobs
A = alice: sbatch -H --wrap true
alice: scontrol requeue $A
alice: squeue -h -j $A -o '%T|%r'
B = alice: sbatch --wrap true
wait $B COMPLETED
alice: scontrol requeue $B
wait $B PENDING BeginTime
alice: squeue -h -t all -j $B -o '%T|%r|%Q'
C = alice: sbatch --wrap false
wait $C FAILED
alice: scontrol requeuehold $C
wait $C PENDING
alice: squeue -h -t all -j $C -o '%T|%r|%Q'
alice: scontrol show job $C | grep -E 'Restarts|JobState|ExitCode'
D = alice: sbatch --no-requeue --wrap 'sleep 60'
wait $D RUNNING
alice: scontrol requeue $D

## update_of_a_pending_job
A = alice: sbatch -H --begin=2031-05-06T07:08:09 --wrap true
alice: scontrol update jobid=$A TimeLimit=5 JobName=renamed Comment='a new comment'
@22.05 alice: scontrol update jobid=$A Partition=long
alice: scontrol update jobid=$A Features=big
alice: scontrol update jobid=$A NumNodes=2
alice: scontrol show job $A
alice: scontrol update jobid=$A TimeLimit=+3
alice: scontrol update jobid=$A NumNodes=1-2
alice: squeue -h -j $A -o '%l|%D'
alice: scontrol update job $A timelimit=1:30
alice: squeue -h -j $A -o '%l'
root: scontrol update jobid=$A Priority=777
alice: squeue -h -j $A -o '%Q|%T'
alice: scontrol update jobid=$A Priority=0
alice: squeue -h -j $A -o '%Q|%r|%T'

## update_of_the_nice_value
A = alice: sbatch --begin=2031-05-06T07:08:09 --wrap true
alice: scontrol update jobid=$A Nice=7
alice: squeue -h -j $A -o '%y|%T'
alice: scontrol update jobid=$A Nice=3
alice: squeue -h -j $A -o '%y|%T'
root: scontrol update jobid=$A Nice=-3
alice: squeue -h -j $A -o '%y|%T'

## update_that_is_refused
A = alice: sbatch -H -t 5 --wrap true
alice: scontrol update jobid=$A Partition=nope
alice: scontrol update jobid=$A Features=nosuch
alice: scontrol update jobid=$A NumNodes=9
alice: scontrol update jobid=$A TimeLimit=xyz
alice: scontrol update jobid=$A nosuchfield=1
alice: scontrol update jobid=$A
alice: scontrol update jobid=$A TimeLimit=2:00:00
alice: squeue -h -j $A -o '%l|%r'
@22.05 alice: scontrol update jobid=$A Partition=down
@22.05 alice: squeue -h -j $A -o '%P|%r'
alice: scontrol update jobid=$A NodeList=n9

## update_of_a_running_job
A = alice: sbatch -t 5 --wrap 'sleep 60'
wait $A RUNNING
alice: scontrol update jobid=$A TimeLimit=10
alice: scontrol update jobid=$A TimeLimit=3
root: scontrol update jobid=$A TimeLimit=10
alice: scontrol update jobid=$A JobName=other Comment=c Nice=3
alice: scontrol update jobid=$A Partition=long
alice: scontrol update jobid=$A Features=big
root: scontrol update jobid=$A Priority=5
alice: squeue -h -j $A -o '%j|%k|%l|%P|%f|%y'

## update_of_a_finished_job
A = alice: sbatch --wrap true
wait $A COMPLETED
alice: scontrol update jobid=$A TimeLimit=3
alice: scontrol update jobid=$A Comment=late
alice: scontrol show job $A | grep -E 'Comment|TimeLimit'

## write_batch_script
file alice job.sh
    #!/bin/sh
    #SBATCH -J written
    echo hi
A = alice: sbatch -H job.sh
alice: scontrol write batch_script $A -
alice: scontrol write batch_script $A
alice: cat slurm-$A.sh
alice: scontrol write batch_script $A copy.sh; cmp job.sh copy.sh
root: scontrol write batch_script $A -
B = alice: sbatch -H --wrap 'echo one; echo two'
alice: scontrol write batch_script $B -

## top
A = alice: sbatch -p down --wrap true
B = alice: sbatch -p down --wrap true
alice: scontrol top $B
root: scontrol top $B
root: squeue -h -S -p -j $A,$B -o '%i'
alice: scontrol show job $A | grep Nice; scontrol show job $B | grep Nice

## wait_job
A = alice: sbatch -H --wrap true
alice: scontrol wait_job $A
B = alice: sbatch --wrap 'sleep 60'
wait $B RUNNING
alice: scontrol wait_job $B
C = alice: sbatch --wrap true
wait $C COMPLETED
alice: scontrol wait_job $C

## show_of_an_array
hide EligibleTime=(\S+)
A = alice: sbatch -a 0-2%1 -J shownarray --wrap 'sleep 60'
wait ${A}_0 RUNNING
until JobArrayTaskLimit in alice: squeue -h -j $A -o %r
alice: scontrol show job $A
alice: scontrol -o show job ${A}_0 | cut -d ' ' -f 1-4

## show_step
hide (?:SrunHost:Pid|Host:Sid|Pid)=\S*?(\d+)$
A = alice: sbatch -J withstep --wrap 'sleep 60'
wait $A RUNNING
alice: scontrol show step $A
