# squeue: forms, filters, sorting, JSON.

## an_empty_queue
alice: squeue
alice: squeue -h
alice: squeue -l | tail -n +2

## default_and_long
A = alice: sbatch -J run1 -t 5 --wrap 'sleep 60'
B = alice: sbatch -J run2 -N 2 -t 10 --wrap 'sleep 60'
C = alice: sbatch -H -J heldjob --wrap true
D = bob: sbatch -J indown -p down --wrap true
wait $A RUNNING
wait $B RUNNING
wait $D PENDING PartitionDown
alice: squeue -S i
alice: squeue -l -S i | tail -n +2

## formats
A = alice: sbatch -J fmt -H -n 2 -t 5 --comment=hi -C fast -x n4 --wrap true
alice: squeue -j $A -o '%all'
alice: squeue -j $A -o '%i %A %F %K %j %u %U %P %T %t %r %R %C %D %m %l %L %M %N %n %x %f %k %q %a %e %S %V %y %h %o %Z %c %d %H %I %J %X %Y %z %g %G %v %W %w %B %E %b'
alice: squeue -j $A -h -o '%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R'
alice: squeue -j $A -o '%20j|%.20j|%-20j|%5T'
alice: squeue -j $A -O 'jobid,name,username,state,statecompact,reason,timelimit,numcpus,numnodes,partition'
alice: squeue -j $A -O 'JobID:8,Name:.10,Feature:10,ExcNodes:10,Comment:10,MinMemory:10,tres-alloc:40'
alice: squeue -j $A -O 'JobArrayID,ArrayJobID,ArrayTaskID,StdOut:60,WorkDir:30,Command:30,Nice,QOS,Account'
alice: squeue -j $A -O nosuchfield
alice: squeue -j $A -o '%!'
alice: SQUEUE_FORMAT='%i=%j' squeue -h -j $A

## filters
A = alice: sbatch -J one -p long -w n3 --wrap 'sleep 60'
B = bob: sbatch -J two -p debug -w n1 --wrap 'sleep 60'
C = bob: sbatch -J three -H --wrap true
wait $A RUNNING
wait $B RUNNING
alice: squeue -h -S i -u alice -o '%j'
alice: squeue -h -S i -u alice,bob -o '%j'
alice: squeue -h -S i -u 1002 -o '%j'
alice: squeue -h -S i --me -o '%j'
alice: squeue -h -S i -t RUNNING -o '%j'
alice: squeue -h -S i -t pd,r -o '%j'
alice: squeue -h -S i -p long -o '%j'
alice: squeue -h -S i -p debug,long -o '%j'
alice: squeue -h -S i -n one,three -o '%j'
alice: squeue -h -S i -w n3 -o '%j'
alice: squeue -h -S i -w n[1-2] -o '%j'
alice: squeue -h -S i -j $A,$C -o '%j'
alice: squeue -h -S -i -o '%j'
alice: squeue -h -S j -o '%j'
alice: squeue -h -S u,j -o '%j %u'
alice: squeue -h -S t,i -o '%T %j'
alice: squeue -h -P -S P,i -o '%P %j'

## what_is_not_there
alice: squeue -u nosuchuser
alice: squeue -p nosuch
alice: squeue -h -n nosuch
alice: squeue -j 99999
alice: squeue -h -j 99999,99998
alice: squeue -w nosuch
alice: squeue -t nosuch
alice: squeue -q nosuch

## states_all_shows_what_is_over
A = alice: sbatch -J over1 --wrap true
B = alice: sbatch -J over2 --wrap false
C = alice: sbatch -J over3 -H --wrap true
wait $A COMPLETED
wait $B FAILED
alice: scancel $C
alice: squeue -h --states=all -n over1,over2,over3 -S i -o '%j %t %T %r %M %N'
alice: squeue -h -t CA,F -n over1,over2,over3 -S i -o '%j %t %T'
alice: squeue -n over1,over2,over3
alice: squeue -t all -n over1,over2,over3 -S i

## arrays_line_by_line
A = alice: sbatch -H -J arrayed -a 1-3 --wrap true
alice: squeue -r -j $A -S i
alice: squeue --array -h -j $A -S i -o '%i %K'

## start_times
A = alice: sbatch -J filler -N 4 --exclusive -t 10 --wrap 'sleep 60'
wait $A RUNNING
B = alice: sbatch -J waiter -N 4 --exclusive -t 10 --wrap true
wait $B PENDING Resources
until 20 in alice: squeue -h --start -j $B -o %S
alice: squeue --start -j $B
C = alice: sbatch -J heldback -H --wrap true
alice: squeue --start -j $C

## pending_reasons
A = alice: sbatch -p down --wrap true
B = alice: sbatch -t 2:00:00 --wrap true
C = alice: sbatch --begin=now+1hour --wrap true
D = alice: sbatch -H --wrap true
E = alice: sbatch -d afterany:$D --wrap true
F = alice: sbatch -N 4 --exclusive --wrap 'sleep 60'
wait $F RUNNING
G = alice: sbatch -N 4 --wrap true
H = alice: sbatch -N 4 --wrap true
wait $A PENDING PartitionDown
wait $B PENDING PartitionTimeLimit
wait $C PENDING BeginTime
wait $G PENDING Resources
wait $H PENDING Priority
alice: squeue -h -t all -S i -o '%i|%T|%r|%R' -j $A,$B,$C,$D,$E,$F,$G,$H

## steps_of_a_job
A = alice: sbatch -J stepped --wrap 'sleep 60'
wait $A RUNNING
alice: squeue -s -j $A
alice: squeue -h -s $A.batch -o '%i %j %P %u %N'

## json [fresh]
hide "(?:micro|major|minor)": ("?[\d]+"?)
hide "release": (".*")
hide "accrue_time": (\d+)
hide "accrue_time": \{\s*"set": (\w+),[^}]*"number": (\d+)
hide "(?:alloc_sid|pid)": ("?\d+"?)
hide "USING_DEFAULT_WCKEY"((?:,\s*"BACKFILL_ATTEMPTED")?)
A = alice: sbatch -J jsonrun -p long -w n3 -t 5 --wrap 'sleep 60'
wait $A RUNNING
alice: squeue --json
B = alice: sbatch -J jsonheld -H -p long -t 5 --comment=c -n 2 -C big --wrap 'sleep 60'
C = alice: sbatch -J jsonarray -H -a 1-4%2 --wrap true
alice: scancel $A
wait $A CANCELLED
alice: squeue --json
