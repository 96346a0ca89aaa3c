/* SPDX-License-Identifier: MIT */
/*
 * kernel_device.h - /dev/dynopt as the commands use it: the kernel module that translates for all processes at once.
 */
#ifndef DYNOPT_KERNEL_DEVICE_H
#define DYNOPT_KERNEL_DEVICE_H

#include "base.h"
#include "dynopt_ioctl.h"

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

/* -1 and *error (to be freed) if there is no module, or it is not understood. */
int kernel_open(char **error);
/* False and *error. */
bool kernel_register(int device, pid_t pid, char **error);
bool kernel_unregister(int device, pid_t pid, char **error);
/*
 * Submits the traces of the text (engine/trace.h) that name a module of the process; *sum is added up. `all`: also those that
 * are not expected to save instructions.
 */
bool kernel_submit(int device, pid_t pid, const char *text, size_t size, bool all,
                   struct kernel_sum *sum, char **error);
bool kernel_sharing(int device, struct kernel_sharing *sharing);

#endif
