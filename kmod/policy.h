/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* policy.h - what the administrator may set: budgets of the queue and of domains, how long a leave is waited for. Read at any time. */
#ifndef DYNOPT_KMOD_POLICY_H
#define DYNOPT_KMOD_POLICY_H

#include "own.h"

extern struct policy {
	u32 block_us, queue_blocks, user_blocks, process_blocks, user_pages, leave_ms;
	bool system; /* the system's domain is on */
} policy;

/* Reads it, or changes it first; who may is the caller's to know. */
enum dynopt_kmod_status policy_run(struct dynopt_ioc_policy *request);

#endif
