/* SPDX-License-Identifier: MIT */
/*
 * process.h - a process that is attached: what it maps, where it executes, what it is told.
 *
 * Only the worker that has it touches it (serve.c); nothing is loaded into it. It may end, or execute another program, at any
 * time: then the module knows it no more, and neither do we.
 */
#ifndef DYNOPT_DAEMON_PROCESS_H
#define DYNOPT_DAEMON_PROCESS_H

#include "binaries.h"

#include <sys/types.h>

enum attach_mode { ATTACH_SAMPLE, ATTACH_EAGER };

/* What is asked for, and what the policy says. */
struct attach {
	enum attach_mode mode;
	bool all;
	bool forked; /* nobody asked for it but for a parent of it: if it executes another program, it is let go */
};

struct mapped {
	u64 start, end, offset; /* run-time addresses; of the start in the file */
	struct binary *binary; /* held; NULL: it cannot be read */
};

struct process {
	pid_t pid;
	int pidfd; /* readable: it has ended */
	u64 start_time;
	uid_t uid, asker;
	dev_t program_dev;
	ino_t program_ino;
	struct domain domain;
	struct attach asked, attach; /* as it was asked for; with what the policy says */
	struct work work;
	char *program, *leave, *modules;
	VEC(struct mapped) maps; /* by address */
	VEC(pid_t) children; /* that were there at the last look */
	VEC(pid_t)
	born; /* of these, the new ones that run the same program: the caller takes them */
	bool registered, ended;
	bool executed; /* it ended because another program runs in it now */
	bool settled; /* eager: nothing is left to be tried */
	u32 cause; /* enum status_cause: why nothing is done any more */
	u32 period_us; /* between samples; 0: not sampled now */
	u64 samples, samples_cache, lost, recent, recent_cache, batches;
	u64 budget, cpu_ns,
		spent_ns; /* per mille; CPU time of the process that samples stand for; ours */
	u64 started_ns, mapped_ns, batch_ns, period_ns, status_ns;
	bool status_due, slowed;
};

/*
 * NULL and *error: it is gone, is not to be translated by policy, or is not the asker's (`asker`: its user number; 0 may have all).
 */
struct process *process_new(pid_t pid, const struct attach *attach, uid_t asker, int device,
                            u64 features, char **error);
void process_free(struct process *process);

/* Registers it and does the first round of work. False and *error. */
bool process_begin(struct process *process, char **error);
/* A round: samples, batches, status. Returns when the next one is due (CLOCK_MONOTONIC), or 0: it has ended. */
u64 process_step(struct process *process);
/* Goes on in its original code. False and *error. */
bool process_leave(struct process *process, char **error);
/* It is not sampled any more; translations stay. */
void process_let_go(struct process *process);

/* status.c */
void status_write(struct process *process);
void status_folder(const char *folder);

u64 now_ns(void);

#endif
