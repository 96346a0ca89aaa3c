/* SPDX-License-Identifier: MIT */
/*
 * doctor_trial.c - the proof: `dynopt run --eager -- sh -c :`, with a status folder of its own, and a look at the status
 * file.
 */
#include "doctor.h"
#include "status_dir.h"
#include "status_read.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int start(const char *self, const char *dir, pid_t *pid)
{
	int status = -1;

	*pid = fork();
	if (*pid == 0) {
		int null = open("/dev/null", O_RDWR);

		if (null >= 0) {
			dup2(null, STDOUT_FILENO);
			dup2(null, STDERR_FILENO);
		}
		execl(self, "dynopt", "run", "--eager", "--status-dir", dir, "--", "/bin/sh", "-c",
		      ":", (char *)NULL);
		_exit(127);
	}
	if (*pid > 0)
		waitpid(*pid, &status, 0);
	return status;
}

static void judge(struct findings_list *list, const char *file, int status)
{
	static const char advice[] =
		"mend the lines marked 'missing' first; dynopt run --eager --report "
		"-- PROGRAM tells more";
	struct status_view view;
	char *error = NULL;
	bool missing, runs;

	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		finding_add(list, "trial", LEVEL_MISSING,
		            base_printf("/bin/sh does not run under run --eager (wait status 0x%x)",
		                        (unsigned)status),
		            advice);
		return;
	}
	if (!status_read(&view, file, &missing, &error)) {
		finding_add(list, "trial", LEVEL_MISSING,
		            base_printf("/bin/sh under run --eager left no status: %s", error),
		            advice);
		free(error);
		return;
	}
	runs = view.head->state == STATUS_STATE_RUNNING;
	finding_add(list, "trial", runs ? LEVEL_OK : LEVEL_MISSING,
	            base_printf("/bin/sh under run --eager: %s%s%s",
	                        status_state_words(view.head->state), runs ? "" : ": ",
	                        runs ? "" : status_cause_words(view.head->cause)),
	            runs ? NULL : advice);
	status_free(&view);
}

void doctor_trial(struct findings_list *list)
{
	char dir[] = "/tmp/dynopt-doctor-XXXXXX", *self = realpath("/proc/self/exe", NULL), *file;
	pid_t pid;
	int status;

	if (!self || !mkdtemp(dir)) {
		finding_add(list, "trial", LEVEL_MISSING,
		            self ? base_printf("no folder can be made in /tmp")
		                 : base_printf("not tried, as /proc/self/exe cannot be read"),
		            self ? "make room in /tmp" : "mount /proc");
		free(self);
		return;
	}
	status = start(self, dir, &pid);
	file = base_printf("%s/%d" STATUS_FILE_SUFFIX, dir, pid);
	judge(list, file, status);
	unlink(file);
	rmdir(dir);
	free(file);
	free(self);
}
