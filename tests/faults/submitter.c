/* Submits held batch jobs over the public libslurm API, one after the other, until its time is up or it is told to end.
 *
 *   submitter NAME SECONDS
 *
 * Prints a line per request: when it began and ended (milliseconds of CLOCK_MONOTONIC), the job's id or 0, Slurm's error
 * number or 0. The jobs are named NAME-1, NAME-2, ... */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <slurm/slurm.h>
#include <slurm/slurm_errno.h>

static volatile sig_atomic_t told_to_end;

static void end(int signal)
{
	(void) signal;
	told_to_end = 1;
}

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static unsigned submit(char *name)
{
	char *environment[] = {"PATH=/usr/bin:/bin", NULL};
	job_desc_msg_t job;
	submit_response_msg_t *answer = NULL;
	unsigned id = 0;
	slurm_init_job_desc_msg(&job);
	job.name = name;
	job.script = "#!/bin/sh\ntrue\n";
	job.work_dir = "/tmp";
	job.std_in = job.std_out = job.std_err = "/dev/null";
	job.environment = environment;
	job.env_size = 1;
	job.user_id = getuid();
	job.group_id = getgid();
	job.min_cpus = job.min_nodes = job.num_tasks = 1;
	job.time_limit = 5;
	job.priority = 0;
	if (slurm_submit_batch_job(&job, &answer) == SLURM_SUCCESS && answer)
		id = answer->job_id;
	if (answer)
		slurm_free_submit_response_response_msg(answer);
	return id;
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: submitter NAME SECONDS\n");
		return 2;
	}
	struct sigaction action = {.sa_handler = end};
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	double last_ms = now_ms() + atof(argv[2]) * 1e3;
	for (int number = 1; !told_to_end && now_ms() < last_ms; number++) {
		char name[256];
		snprintf(name, sizeof(name), "%s-%d", argv[1], number);
		double began_ms = now_ms();
		unsigned id = submit(name);
		printf("%.1f %.1f %u %d\n", began_ms, now_ms(), id, id ? 0 : errno);
		fflush(stdout);
	}
	return 0;
}
