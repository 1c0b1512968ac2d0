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
#include "submit.h"

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
		unsigned id = submit_job(name, 1);
		printf("%.1f %.1f %u %d\n", began_ms, now_ms(), id, id ? 0 : errno);
		fflush(stdout);
	}
	return 0;
}
