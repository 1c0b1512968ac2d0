# scancel: by id, array, task, filter; signals.

## by_id
A = alice: sbatch -H --wrap true
B = alice: sbatch --wrap 'sleep 60'
wait $B RUNNING
alice: scancel $A $B
wait $A CANCELLED
wait $B CANCELLED
alice: squeue -h -t all -j $A,$B -S i -o '%i|%t|%T|%r|%R'
alice: scontrol show job $A | grep -E 'JobState|ExitCode'
alice: scontrol show job $B | grep -E 'JobState|ExitCode'
alice: grep -o 'CANCELLED' slurm-$B.out
alice: scancel $A
alice: scancel -v $A 2>&1 | grep -v 'auth\|Consumable\|Cray\|select\|linear' | tail -n 3

## verbose
A = alice: sbatch -H --wrap true
alice: scancel -v $A

## by_root_for_another
A = alice: sbatch --wrap 'sleep 60'
wait $A RUNNING
root: scancel $A
wait $A CANCELLED
alice: squeue -h -t all -j $A -o '%T|%r'
alice: scontrol show job $A | grep JobState

## filters
A = alice: sbatch -H -J one -p long --wrap true
B = alice: sbatch -J two -w n1 --wrap 'sleep 60'
C = alice: sbatch -J three -p down --wrap true
D = bob: sbatch -J two -w n2 --wrap 'sleep 60'
wait $B RUNNING
wait $D RUNNING
root: scancel -n two -u bob
wait $D CANCELLED
alice: squeue -h -j $A,$B,$C,$D -S i -o '%i %j %T'
alice: scancel -p long
alice: squeue -h -j $A,$B,$C,$D -S i -o '%i %j %T'
alice: scancel -t PENDING -u alice
alice: squeue -h -j $A,$B,$C,$D -S i -o '%i %j %T'
alice: scancel -w n1
wait $B CANCELLED
alice: scancel -n nosuchname
alice: scancel -u nosuchuser
alice: scancel -p nosuch
alice: scancel -t nosuch
alice: scancel
alice: scancel --me

## by_name_of_all
A = alice: sbatch -H -J victim --wrap true
B = alice: sbatch -H -J victim --wrap true
C = alice: sbatch -H -J survivor --wrap true
alice: scancel --name=victim
alice: squeue -h -j $A,$B,$C -o '%i %j %T'

## a_signal_to_the_batch_script
file alice trap.sh
    #!/bin/bash
    trap 'echo got USR1' USR1
    trap 'echo got TERM; exit 9' TERM
    touch ready
    for i in $(seq 600); do sleep 0.1; done
A = alice: sbatch -o trap.out trap.sh
until ready in alice: ls
alice: scancel --signal=USR1 --batch $A
until USR1 in alice: cat trap.out
alice: scancel -s TERM -b $A
wait $A FAILED
alice: sed 's/slurmstepd-n1/slurmstepd/' trap.out; scontrol show job $A | grep -E 'JobState|ExitCode'

## a_signal_to_everything
file alice child.sh
    #!/bin/bash
    trap 'echo parent got USR1' USR1
    bash -c 'trap "echo child got USR1; exit" USR1; touch ready; while :; do sleep 0.1; done' &
    wait; wait
    echo done
A = alice: sbatch -o child.out child.sh
until ready in alice: ls
alice: scancel --signal=USR1 --full $A
wait $A COMPLETED
alice: grep got child.out | sort

## signals_by_name
A = alice: sbatch -H --wrap true
alice: scancel -s NOSUCH $A
alice: scancel -s KILL $A
wait $A CANCELLED

## term_is_caught_until_kill_wait_is_over
file alice stubborn.sh
    #!/bin/bash
    trap '' TERM
    touch ready
    while :; do sleep 0.1; done
A = alice: sbatch -o stubborn.out stubborn.sh
until ready in alice: ls
alice: scancel $A
until CANCELLED in alice: squeue -h -t all -j $A -o %T
alice: scontrol show job $A | grep -E 'JobState|ExitCode'

## kill_signal_ends_at_once
A = alice: sbatch --wrap 'sleep 60'
wait $A RUNNING
alice: scancel -s KILL $A
wait $A CANCELLED
alice: scontrol show job $A | grep -E 'JobState|ExitCode'
