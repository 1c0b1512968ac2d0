# Job arrays: numbers, files, environment, throttle, splitting.

## tasks_run_with_their_numbers
A = alice: sbatch -a 0-9%2 -o 'out_%A_%a.txt' --wrap 'echo $SLURM_ARRAY_TASK_ID of $SLURM_ARRAY_TASK_COUNT: $SLURM_ARRAY_TASK_MIN-$SLURM_ARRAY_TASK_MAX step $SLURM_ARRAY_TASK_STEP array $SLURM_ARRAY_JOB_ID'
wait $A COMPLETED
alice: ls; cat out_*
alice: squeue -h -t all -r -j $A -S i -o '%i %K %F %T'

## environment_of_a_task
hide SLURM_(?:JOB_ID|JOBID|TASK_PID)=(\d+)
A = alice: sbatch -a 3,5,9-13:2 -J arr --wrap 'env | grep -E "^SLURM_(ARRAY|JOB)" | grep -vE "(START|END)_TIME" | sort'
wait $A COMPLETED
alice: cat slurm-${A}_11.out

## default_file_name_has_array_and_task
A = alice: sbatch -a 1-2 --wrap 'echo $SLURM_ARRAY_TASK_ID'
wait $A COMPLETED
alice: ls; cat slurm-*

## pending_array_is_one_line
A = alice: sbatch -H -a 0-9%2 -J held --wrap true
alice: squeue -j $A
alice: squeue -h -j $A -o '%i|%A|%F|%K|%t|%r'
alice: squeue -h -r -j $A -o '%i|%A|%F|%K|%t|%r'
alice: scontrol show job $A
alice: scontrol show job ${A}_3

## sparse_and_stepped_indices
A = alice: sbatch -H -a 1,3-5,10-20:5 --wrap true
B = alice: sbatch -H -a 7 --wrap true
C = alice: sbatch -H -a 0-999:100%4 --wrap true
alice: squeue -h -j $A,$B,$C -S i -o '%i|%K'
alice: squeue -h -r -j $A -S i -o '%i|%K'

## the_throttle_holds_tasks_back
A = alice: sbatch -a 0-3%1 -J throttled --wrap 'sleep 60'
wait ${A}_0 RUNNING
until JobArrayTaskLimit in alice: squeue -h -j $A -o %r
alice: squeue -h -j $A -S i -o '%i|%T|%r'
alice: scontrol update jobid=$A ArrayTaskThrottle=2
wait ${A}_1 RUNNING
alice: scontrol show job $A | grep -E 'ArrayTask'

## more_tasks_than_cpus
A = alice: sbatch -a 0-9 --exclusive --wrap 'sleep 60'
wait ${A}_3 RUNNING
until (Resources) in alice: squeue -h -j $A -t PD -o '%R'
alice: squeue -h -j $A -S i -o '%i|%T|%N|%R'

## a_task_is_cancelled
A = alice: sbatch -H -a 0-5 --wrap true
alice: scancel ${A}_2
alice: squeue -h -j $A -o '%i|%T'
alice: scancel ${A}_[3-4]
alice: squeue -h -j $A -o '%i|%T'
alice: squeue -h -t all -r -j $A -S i -o '%i|%T'
alice: scontrol show job ${A}_2 | grep -E 'JobId|JobState'
alice: scancel $A
alice: squeue -h -j $A -o '%i|%T'

## a_running_task_is_cancelled
A = alice: sbatch -a 0-1 --wrap 'sleep 60'
wait $A RUNNING
alice: scancel ${A}_1
wait ${A}_1 CANCELLED
alice: squeue -h -t all -r -j $A -S i -o '%i|%T'
alice: scancel $A
wait $A CANCELLED

## one_task_is_updated_and_released
A = alice: sbatch -H -a 0-3 --wrap true
alice: scontrol update jobid=${A}_1 timelimit=3
alice: squeue -h -r -j $A -S i -o '%i|%l'
alice: scontrol release ${A}_2
wait ${A}_2 COMPLETED
alice: squeue -h -t all -r -j $A -S i -o '%i|%T|%r'

## mixed_results
A = alice: sbatch -a 0-3 --wrap 'exit $((SLURM_ARRAY_TASK_ID % 2))'
until 4 in alice: squeue -h -t CD,F -r -j $A | wc -l
alice: squeue -h -t all -r -j $A -S i -o '%i|%T|%r'
alice: scontrol show job ${A}_1 | grep -E 'JobId|JobState|ExitCode'

## too_large_and_not_an_array
alice: sbatch -a 0-2000 --wrap true
alice: sbatch -a 1001 --wrap true
alice: sbatch -a x-y --wrap true
alice: sbatch -a 5-2 --wrap true
