/* Load over the public libslurm API: the same client for whatever answers the Slurm protocol at the controller that
 * $SLURM_CONF names. bench/load.py compiles and runs it:
 *
 *   load ping COUNT THREADS           controller pings
 *   load submit COUNT THREADS         batch jobs, held: they are never scheduled
 *   load short COUNT THREADS          batch jobs that run /bin/true, then wait until the last has ended
 *   load jobs COUNT                   all job records, COUNT times
 *   load cancel FIRST COUNT THREADS   cancel jobs by id
 *
 * Prints one line of JSON; errors go to stderr, exit status 1 when there was one. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "submit.h"

#define MAX_THREADS 256
#define SHOWN_ERRORS 3
#define POLL_NS 20000000L
#define END_TIMEOUT_S 600.0

typedef int (*request_fn)(int index);

static atomic_int next_index, errors;
static atomic_uint records, last_job;
static int count, first_job;
static request_fn request;
static double *took_ms;

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int submit(int held)
{
	uint32_t id = submit_job("load", held);
	for (uint32_t seen = last_job; id > seen; seen = last_job)
		if (atomic_compare_exchange_strong(&last_job, &seen, id))
			break;
	return id ? 0 : -1;
}

static int do_ping(int index) { (void) index; return slurm_ping(0); }
static int do_submit(int index) { (void) index; return submit(1); }
static int do_short(int index) { (void) index; return submit(0); }
static int do_cancel(int index) { return slurm_kill_job(first_job + index, SIGKILL, 0); }

static int do_jobs(int index)
{
	(void) index;
	job_info_msg_t *all = NULL;
	int failed = slurm_load_jobs(0, &all, SHOW_ALL | SHOW_DETAIL);
	if (!failed)
		records = all->record_count;
	if (all)
		slurm_free_job_info_msg(all);
	return failed;
}

static void *worker(void *unused)
{
	for (int index; (index = next_index++) < count;) {
		double start_s = now_s();
		int failed = request(index);
		took_ms[index] = (now_s() - start_s) * 1e3;
		if (failed && errors++ < SHOWN_ERRORS)
			fprintf(stderr, "%s\n", slurm_strerror(slurm_get_errno()));
	}
	return unused;
}

static double run(int threads)
{
	pthread_t ids[MAX_THREADS];
	double start_s = now_s();
	for (int i = 0; i < threads; i++)
		pthread_create(&ids[i], NULL, worker, NULL);
	for (int i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	return now_s() - start_s;
}

static int has_ended(const job_info_t *job)
{
	return (job->job_state & JOB_STATE_BASE) >= JOB_COMPLETE && !(job->job_state & JOB_COMPLETING);
}

/* Counts the jobs that are still to end: of all, or of the one that was submitted last. -1 where nobody could tell. */
static int count_unended(int of_all)
{
	job_info_msg_t *found = NULL;
	if (of_all ? slurm_load_jobs(0, &found, SHOW_ALL) : slurm_load_job(&found, last_job, SHOW_ALL)) {
		errors++;
		fprintf(stderr, "%s\n", slurm_strerror(slurm_get_errno()));
		return -1;
	}
	int unended = 0;
	for (uint32_t i = 0; i < found->record_count; i++)
		unended += !has_ended(&found->job_array[i]);
	records = found->record_count;
	slurm_free_job_info_msg(found);
	return unended;
}

/* Waits until no job is left to run. Asks for the last one alone until it has ended: that costs the controller little. */
static void await_end(void)
{
	double give_up_s = now_s() + END_TIMEOUT_S;
	struct timespec pause = {0, POLL_NS};
	int of_all = 0, unended;
	while ((unended = count_unended(of_all)) > 0 || !of_all) {
		if (unended < 0)
			return;
		if (now_s() > give_up_s) {
			errors++;
			fprintf(stderr, "jobs were still to end after %.0f s\n", END_TIMEOUT_S);
			return;
		}
		of_all |= !unended;
		if (unended)
			nanosleep(&pause, NULL);
	}
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *) a, y = *(const double *) b;
	return (x > y) - (x < y);
}

static void print_result(const char *verb, int threads, double seconds, double last_end_s)
{
	printf("{\"verb\": \"%s\", \"count\": %d, \"threads\": %d, \"errors\": %d, \"records\": %u, \"seconds\": %.6f, "
	       "\"last_end_s\": %.6f, ", verb, count, threads, (int) errors, (unsigned) records, seconds, last_end_s);
	printf("\"first_ms\": %.3f, ", took_ms[0]);
	qsort(took_ms, count, sizeof(double), by_size);
	printf("\"p50_ms\": %.3f, \"p99_ms\": %.3f}\n", took_ms[count / 2], took_ms[(int) (count * 0.99)]);
}

int main(int argc, char **argv)
{
	const struct { const char *verb; request_fn request; } verbs[] = {
		{"ping", do_ping}, {"submit", do_submit}, {"short", do_short}, {"jobs", do_jobs}, {"cancel", do_cancel},
	};
	for (size_t i = 0; argc > 2 && i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(argv[1], verbs[i].verb))
			request = verbs[i].request;
	int next = 2;
	if (request == do_cancel && argc > 3)
		first_job = atoi(argv[next++]);
	count = request ? atoi(argv[next++]) : 0;
	int threads = argc > next ? atoi(argv[next]) : 1;
	if (count < 1 || threads < 1 || threads > MAX_THREADS) {
		fprintf(stderr, "usage: load ping|submit|short|jobs|cancel [FIRST] COUNT [THREADS]\n");
		return 2;
	}
	took_ms = calloc(count, sizeof(double));
	slurm_init(NULL);
	double start_s = now_s();
	double seconds = run(threads);
	if (request == do_short && !errors)
		await_end();
	print_result(argv[1], threads, seconds, now_s() - start_s);
	return errors != 0;
}
