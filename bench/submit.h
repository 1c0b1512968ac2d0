/* One small batch job over the public libslurm API, for the load generator and for the tests that kill controllers. */
#include <stdint.h>
#include <unistd.h>
#include <slurm/slurm.h>
#include <slurm/slurm_errno.h>

/* Submits `/bin/true`, held where asked for. Returns the job's id, or 0 with errno set. */
static uint32_t submit_job(char *name, int held)
{
	char *environment[] = {"PATH=/usr/bin:/bin", NULL};
	job_desc_msg_t job;
	submit_response_msg_t *answer = NULL;
	uint32_t id = 0;
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
	if (held)
		job.priority = 0;
	if (slurm_submit_batch_job(&job, &answer) == SLURM_SUCCESS && answer)
		id = answer->job_id;
	if (answer)
		slurm_free_submit_response_response_msg(answer);
	return id;
}
