# sbatch: every option of the list, seen in the job's record and in what the job does.

## wrap_runs_and_writes_its_output
A = alice: sbatch --wrap 'echo Hello FLURM; pwd; id -un'
wait $A COMPLETED
alice: cat slurm-$A.out
alice: scontrol show job $A

## script_with_sbatch_lines
file alice job.sh
    #!/bin/sh
    #SBATCH -J lines
    #SBATCH --ntasks=2
    #SBATCH -t 5
    #SBATCH -o lines.out
    #SBATCH --comment="from the script"
    echo job $SLURM_JOB_NAME args $# $1 $2
    echo to stderr >&2
    exit 3
A = alice: sbatch job.sh one 'two words'
wait $A FAILED
alice: cat lines.out
alice: scontrol show job $A
alice: squeue -h -t all -j $A -o '%i %j %T %r %C %l'

## the_command_line_beats_the_script
file alice job.sh
    #!/bin/bash
    #SBATCH -J script
    #SBATCH -n 4
    # not at the top any more
    #SBATCH -t 7
    true
    #SBATCH -p long
A = alice: sbatch --hold -J cmdline job.sh
alice: squeue -h -j $A -o '%j %C %l %P %T %r'

## script_from_stdin
A = alice: printf '#!/bin/sh\n#SBATCH -J piped\necho piped $1\n' | sbatch
wait $A COMPLETED
alice: cat slurm-$A.out; squeue -h -t all -j $A -o '%j %o'

## environment_of_the_job
hide SLURM_TASK_PID=(\d+)
A = alice: sbatch -J envjob -n 3 -c 1 --mem=50 -t 5 --wrap 'env | grep -E "^SLURM|^HOSTNAME|^TMPDIR|^ENVIRONMENT" | grep -vE "JOB_(START|END)_TIME|OOM_KILL|NODE_ALIASES|WORKING_CLUSTER|TRES_PER_TASK" | sort'
wait $A COMPLETED
alice: cat slurm-$A.out

## environment_of_a_job_on_two_nodes
hide SLURM_TASK_PID=(\d+)
A = alice: sbatch -J envjob -N 2 --ntasks-per-node=2 --mem-per-cpu=70 -p debug -D /tmp --wrap 'env | grep -E "^SLURM" | grep -vE "JOB_(START|END)_TIME|OOM_KILL|NODE_ALIASES|WORKING_CLUSTER|TRES_PER_TASK" | sort' -o /mnt/alice/two.out
wait $A COMPLETED
alice: cat two.out

## export_none_some_and_more
A = alice: FOO=foo BAR=bar sbatch --export=FOO,BAZ=baz --wrap 'echo FOO=$FOO BAR=$BAR BAZ=$BAZ'
B = alice: FOO=foo sbatch --export=NONE --wrap 'echo FOO=$FOO export=$SLURM_EXPORT_ENV'
C = alice: FOO=foo sbatch --export=ALL,BAZ=baz --wrap 'echo FOO=$FOO BAZ=$BAZ'
wait $A COMPLETED
wait $B COMPLETED
wait $C COMPLETED
alice: cat slurm-$A.out slurm-$B.out slurm-$C.out

## file_name_patterns
A = alice: sbatch -J pat -o 'o_%j_%x_%u_%N_%n_%t_%s_%%.txt' -e 'e_%5j.%J.txt' --wrap 'echo out; echo err >&2'
wait $A COMPLETED
alice: ls; grep . *.txt
alice: scontrol show job $A | grep -E 'Std'

## output_is_appended_or_truncated
alice: echo old > a.txt; echo old > t.txt
A = alice: sbatch -o a.txt --open-mode=append --wrap 'echo new'
B = alice: sbatch -o t.txt --open-mode=truncate --wrap 'echo new'
wait $A COMPLETED
wait $B COMPLETED
alice: cat a.txt t.txt

## input_comes_from_a_file
alice: echo typed > in.txt
A = alice: sbatch -i in.txt --wrap 'cat'
wait $A COMPLETED
alice: cat slurm-$A.out; scontrol show job $A | grep Std

## output_to_a_directory_that_is_not_there [22.05]
A = alice: sbatch -o /mnt/alice/no/such/file.txt --wrap true
until over in alice: squeue -h -t CD,F,CA -j $A -o 'over %T'
alice: squeue -h -t all -j $A -o '%T %r'; scontrol show job $A | grep -E 'JobState|ExitCode'

## working_directory
alice: mkdir sub
A = alice: sbatch -D sub --wrap pwd
B = alice: sbatch --chdir=/tmp -o /mnt/alice/b.out --wrap pwd
wait $A COMPLETED
wait $B COMPLETED
alice: cat sub/slurm-$A.out b.out
alice: scontrol show job $A | grep -E 'WorkDir|StdOut'

## hold
A = alice: sbatch --hold --wrap true
alice: squeue -h -j $A -o '%T %r %Q'; scontrol show job $A

## begin_later
A = alice: sbatch --begin=2035-01-02T03:04:05 --wrap true
B = alice: sbatch --begin=now+1hour --wrap true
wait $A PENDING BeginTime
wait $B PENDING BeginTime
alice: squeue -h -j $A,$B -o '%i %T %r %S'
alice: scontrol show job $A

## nice_priority_and_comment
A = alice: sbatch -H --nice=100 --comment='some words' --wrap true
B = alice: sbatch --priority=5000 -p down --wrap true
C = root: sbatch -p down --priority=5000 --wrap true
D = root: sbatch -p down --nice=-50 --wrap true
alice: sbatch -p down --nice=-50 --wrap true
alice: scontrol show job $A | grep -E 'Priority|Comment'
alice: scontrol show job $B | grep -E 'Priority'
alice: scontrol show job $C | grep -E 'Priority'
alice: scontrol show job $D | grep -E 'Priority'
alice: squeue -h -j $A -o '%k|%y'

## mail_type_none
A = alice: sbatch -H --mail-type=NONE --wrap true
alice: scontrol show job $A | grep -iE 'mail'
B = alice: sbatch -H --mail-type=END --mail-user=someone --wrap true
alice: scontrol show job $B | grep -iE 'mail'

## requeue_and_no_requeue
A = alice: sbatch -H --requeue --wrap true
B = alice: sbatch -H --no-requeue --wrap true
alice: scontrol show job $A | grep Requeue; scontrol show job $B | grep Requeue

## exclusive
A = alice: sbatch --exclusive --wrap 'sleep 60'
wait $A RUNNING
alice: squeue -h -j $A -o '%C %D %N %h'
alice: scontrol show job $A | grep -E 'NumNodes|TRES|OverSub'
alice: sinfo -h -N -p debug -o '%N %T %C'

## features_nodes_and_excluded_nodes
A = alice: sbatch -C big --wrap 'sleep 60'
B = alice: sbatch -w n2 --wrap 'sleep 60'
C = alice: sbatch -x n1,n2,n3 --wrap 'sleep 60'
D = alice: sbatch -C 'fast|big' -N 1 -H --wrap true
wait $A RUNNING
wait $B RUNNING
wait $C RUNNING
alice: squeue -h -j $A,$B,$C,$D -S i -o '%i %T %N %f'
alice: scontrol show job $A | grep -E 'Features|NodeList'
alice: scontrol show job $B | grep -E 'Features|NodeList'
alice: scontrol show job $C | grep -E 'Features|NodeList'

## a_feature_that_no_node_has
alice: sbatch -C nosuch --wrap true
alice: sbatch -w n9 --wrap true

## nodes_tasks_and_cpus
A = alice: sbatch -H -N 2 -n 4 -c 1 --wrap true
B = alice: sbatch -H -N 1-3 --wrap true
C = alice: sbatch -H -n 3 -c 2 --wrap true
D = alice: sbatch -H --ntasks-per-node=2 -N 2 --wrap true
alice: squeue -h -j $A,$B,$C,$D -S i -o '%i %C %D %z %m %c'
alice: scontrol show job $A
alice: scontrol show job $B
alice: scontrol show job $C
alice: scontrol show job $D

## memory
A = alice: sbatch -H --mem=300 --wrap true
B = alice: sbatch -H --mem-per-cpu=1G -n 2 --wrap true
C = alice: sbatch -H --mem=0 --wrap true
D = alice: sbatch -H --mem=1T --wrap true
alice: squeue -h -j $A,$B,$C,$D -S i -o '%i %m'
alice: scontrol show job $A | grep -E 'TRES|Mem'
alice: scontrol show job $B | grep -E 'TRES|Mem'
alice: scontrol show job $C | grep -E 'TRES|Mem'

## time_formats
A = alice: sbatch -H -t 90 -p long --wrap true
B = alice: sbatch -H -t 1:30:15 -p long --wrap true
C = alice: sbatch -H -t 2-03:00 -p long --wrap true
D = alice: sbatch -H -t 0 -p long --wrap true
E = alice: sbatch -H -p long --wrap true
F = alice: sbatch -H -t 10:30 --wrap true
G = alice: sbatch -H --wrap true
alice: squeue -h -j $A,$B,$C,$D,$E,$F,$G -S i -o '%i %l %L'
alice: scontrol show job $A | grep TimeLimit
alice: scontrol show job $E | grep TimeLimit

## parsable
A = alice: sbatch --parsable -H --wrap true
alice: sbatch -Q -H --wrap true

## test_only_starts_nothing
alice: sbatch --test-only --wrap true
alice: sbatch --test-only -N 3 -t 5 -p debug --wrap true
alice: sbatch --test-only -N 2 -w n4 -p long --wrap true
alice: sbatch --test-only -N 9 --wrap true
alice: sbatch --test-only -p nope --wrap true
alice: squeue -h -u alice

## wait_gives_the_exit_code
alice: sbatch --wait --wrap 'exit 7'
alice: sbatch --wait --wrap 'kill -9 $$'
alice: sbatch -W --wrap true
alice: sbatch -W -a 0-2 --wrap 'exit $SLURM_ARRAY_TASK_ID'

## exit_codes_and_signals
A = alice: sbatch --wrap 'exit 42'
B = alice: sbatch --wrap 'kill -TERM $$'
C = alice: sbatch --wrap '/no/such/program'
wait $A FAILED
wait $B FAILED
wait $C FAILED
alice: scontrol show job $A | grep -E 'JobState|ExitCode'
alice: scontrol show job $B | grep -E 'JobState|ExitCode'
alice: scontrol show job $C | grep -E 'JobState|ExitCode'
alice: sed 's/.*: //' slurm-$C.out

## a_script_of_4_mb
alice: { echo '#!/bin/bash'; echo 'tail -n 1 $0'; yes '# 0123456789012345678901234567890123456789012345678901234567890' | head -n 65000; echo '# the last line'; } > big.sh; wc -c < big.sh
A = alice: sbatch -o big.out big.sh
wait $A COMPLETED
alice: cat big.out
alice: scontrol write batch_script $A - | cmp - big.sh && echo same
B = alice: sbatch --hold big.sh; yes '#' | head -n 100000 >> big.sh
alice: yes '# 0123456789012345678901234567890123456789012345678901234567890' | head -n 10000 >> big.sh; sbatch big.sh

## an_environment_of_100_kb
A = alice: export BIG=$(head -c 100000 /dev/zero | tr '\0' x); sbatch --wrap 'echo ${#BIG}'
wait $A COMPLETED
alice: cat slurm-$A.out

## an_environment_of_1000_variables
A = alice: for i in $(seq 1000); do export "V$i=$(printf 'line %s\nnext' $i)"; done; sbatch --wrap 'env | grep -c ^V; echo "$V500"'
wait $A COMPLETED
alice: cat slurm-$A.out

## memory_is_accounted_on_the_node
A = alice: sbatch -w n1 --mem=800 --wrap 'sleep 60'
wait $A RUNNING
B = alice: sbatch -w n1 --mem=300 --wrap 'sleep 60'
wait $B PENDING Resources
alice: squeue -h -j $A,$B -S i -o '%i %T %r %R'
alice: scontrol show node n1 | grep -E 'CPUAlloc|AllocMem|TRES|State'
alice: scancel $A
wait $B RUNNING

## backfill_lets_a_small_job_pass
A = alice: sbatch -N 3 --exclusive -t 30 --wrap 'sleep 60'
wait $A RUNNING
B = alice: sbatch -N 4 --exclusive -t 30 --wrap 'sleep 60'
wait $B PENDING Resources
C = alice: sbatch -N 1 --exclusive -t 10 --wrap 'sleep 60'
wait $C RUNNING
D = alice: sbatch -N 1 --exclusive -t 60 --wrap 'sleep 60'
wait $D PENDING Priority
alice: squeue -h -j $A,$B,$C,$D -S i -o '%i %T %r %N'

## version
alice: sbatch --version
