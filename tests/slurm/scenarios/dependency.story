# Dependencies: what they wait for, what they print, what becomes of those that can never be.

## afterok_runs_when_all_went_well
A = alice: sbatch -H --wrap true
B = alice: sbatch -d afterok:$A --wrap 'echo after'
wait $B PENDING Dependency
alice: squeue -h -j $B -o '%T|%r|%E|%R'
alice: scontrol show job $B | grep Dependency
alice: scontrol release $A
wait $B COMPLETED
alice: cat slurm-$B.out; scontrol show job $B | grep Dependency

## afterok_never_runs_after_a_failure
A = alice: sbatch -H --wrap false
B = alice: sbatch --dependency=afterok:$A --wrap true
alice: scontrol release $A
wait $B PENDING DependencyNeverSatisfied
alice: squeue -h -j $B -o '%T|%r|%E|%R'
alice: scontrol show job $B | grep -E 'Reason|Priority'

## afterok_with_kill_on_invalid_dep
A = alice: sbatch -H --wrap false
B = alice: sbatch --dependency=afterok:$A --kill-on-invalid-dep=yes --wrap true
alice: scontrol release $A
wait $B CANCELLED
alice: squeue -h -t all -j $B -o '%T|%r|%E|%R'
alice: scontrol show job $B | grep -E 'Reason'

## afterany_and_afternotok
A = alice: sbatch -H --wrap false
B = alice: sbatch -d afterany:$A --wrap true
C = alice: sbatch -d afternotok:$A --wrap true
D = alice: sbatch -d "afterok:$A?afternotok:$A" --wrap true
alice: squeue -h -j $B,$C,$D -S i -o '%i|%r|%E'
alice: scontrol release $A
wait $B COMPLETED
wait $C COMPLETED
wait $D COMPLETED

## after_means_begun
A = alice: sbatch -H --wrap 'sleep 60'
B = alice: sbatch -d after:$A --wrap true
wait $B PENDING Dependency
alice: squeue -h -j $B -o '%r|%E'
alice: scontrol release $A
wait $B COMPLETED
alice: squeue -h -j $A -o %T

## singleton_waits_for_those_of_the_same_name
A = alice: sbatch -J only --wrap 'sleep 60'
wait $A RUNNING
B = alice: sbatch -J only -d singleton --wrap 'sleep 60'
C = alice: sbatch -J other -d singleton --wrap true
D = bob: sbatch -J only -d singleton --wrap true
wait $B PENDING Dependency
wait $C COMPLETED
wait $D COMPLETED
alice: squeue -h -j $B -o '%T|%r|%E'
alice: scancel $A
wait $B RUNNING

## several_jobs_in_one_dependency
A = alice: sbatch -H --wrap true
B = alice: sbatch -H --wrap true
C = alice: sbatch -d afterok:$A:$B --wrap true
D = alice: sbatch -d afterok:$A,afterany:$B --wrap true
alice: squeue -h -j $C,$D -S i -o '%i|%r|%E'
alice: scontrol release $A
wait $A COMPLETED
until afterok in alice: squeue -h -j $C -o %E
alice: scontrol release $B
wait $C COMPLETED
wait $D COMPLETED

## on_an_array_and_on_a_task
A = alice: sbatch -H -a 0-1 --wrap true
B = alice: sbatch -d afterok:$A --wrap true
C = alice: sbatch -d afterok:${A}_1 --wrap true
D = alice: sbatch -a 0-1 -d aftercorr:$A --wrap true
alice: squeue -h -j $B,$C -S i -o '%i|%r|%E'
alice: scontrol release $A
wait $B COMPLETED
wait $C COMPLETED
wait $D COMPLETED

## on_a_job_that_is_done_or_was_never_there
A = alice: sbatch --wrap true
wait $A COMPLETED
B = alice: sbatch -d afterok:$A --wrap true
wait $B COMPLETED
alice: sbatch -H -d afterok:99999 -J nodep --wrap true
alice: squeue -h -t all -n nodep -o '%T|%r|%E'
alice: sbatch -d nonsense:5 --wrap true
alice: sbatch -d afterok:abc --wrap true
alice: sbatch -d afterok --wrap true

## the_dependency_is_changed
A = alice: sbatch -H --wrap true
B = alice: sbatch -d afterok:$A --wrap true
wait $B PENDING Dependency
alice: scontrol update jobid=$B dependency=
wait $B COMPLETED
