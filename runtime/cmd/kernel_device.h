/* SPDX-License-Identifier: MIT */
/*
 * kernel_device.h - /dev/dynopt as the commands use it: the kernel module that translates for all processes at once.
 */
#ifndef DYNOPT_KERNEL_DEVICE_H
#define DYNOPT_KERNEL_DEVICE_H

#include "base.h"
#include "dynopt_ioctl.h"
#include "trace.h"

#include <stdbool.h>
#include <sys/types.h>

/* What became of a process's traces, or of those of one module of it. */
struct kernel_sum {
	u32 n_traces, published;
	u64 bytes; /* of the code cache, published */
	VEC(struct kernel_refusal {
		char name[sizeof(((struct dynopt_ioc_report *)0)->status)];
		u32 n;
	})
	refusals;
};

/* What the module has in all. */
struct kernel_sharing {
	u64 processes, files, translations, pages;
};

/* -1 and *error (to be freed) if there is no module, or it is not understood. *features: DYNOPT_FEATURE_... */
int kernel_open(u64 *features, char **error);
const char *kernel_status_text(u32 status);
/* False and *error. */
bool kernel_register(int device, pid_t pid, char **error);
bool kernel_unregister(int device, pid_t pid, char **error);
bool kernel_sharing(int device, struct kernel_sharing *sharing);

/* DYNOPT_SAMPLE_START or _STOP; enum dynopt_kmod_status. */
u32 kernel_sample(int device, pid_t pid, u32 flags, u32 period_us);
/* At most *n; enum dynopt_kmod_status. *lost: since the start. */
u32 kernel_read_samples(int device, pid_t pid, u64 *ips, u32 *n, u64 *lost);

/* Traces of one file. */
struct kernel_batch {
	VEC(struct dynopt_ioc_trace) traces;
	VEC(struct dynopt_ioc_block) blocks;
};
void kernel_batch_add(struct kernel_batch *batch, const struct trace *trace);
void kernel_batch_free(struct kernel_batch *batch);
/* How much is asked at once; what the module says of it changes that. */
struct kernel_pace {
	u32 most; /* traces in a request; 0: as many as it holds */
	u32 advice; /* DYNOPT_ADVICE_... of the last request */
};
void kernel_pace_take(struct kernel_pace *pace, u32 advice);
/*
 * Has them translated, in as many requests as it takes, and hands over what became of each. `all`: also those that are not expected to
 * save instructions. The domain is DYNOPT_DOMAIN_..., or a PID. enum dynopt_kmod_status of the first request that was refused as a
 * whole; those behind it were not made.
 */
u32 kernel_submit(int device, int file, s32 domain, bool all, const struct kernel_batch *batch,
                  struct kernel_pace *pace,
                  void (*take)(void *ctx, size_t trace, const struct dynopt_ioc_report *report),
                  void *ctx);
/* kernel_traces.c: the traces of the text that name a module of the process; *sum is added up. False and *error. */
bool kernel_submit_text(int device, pid_t pid, s32 domain, const char *text, size_t size, bool all,
                        struct kernel_sum *sum, char **error);

#endif
