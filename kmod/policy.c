// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * policy.c - see policy.h; under `requests`, so that two changes are one after the other.
 */
#include "policy.h"
#include "request.h"

struct policy policy = {
	.block_us = 10000000,
	.queue_blocks = 128,
	.user_blocks = 64,
	.process_blocks = 16,
	.user_pages = 8192,
	.leave_ms = 1000,
};

static void set(u32 *value, u32 wanted)
{
	if (wanted)
		WRITE_ONCE(*value, wanted);
}

static void change(const struct dynopt_ioc_policy *request)
{
	set(&policy.block_us, request->block_us);
	set(&policy.queue_blocks, request->queue_blocks);
	set(&policy.user_blocks, request->user_blocks);
	set(&policy.process_blocks, request->process_blocks);
	set(&policy.user_pages, request->user_pages);
	set(&policy.leave_ms, request->leave_ms);
	if (request->flags & (DYNOPT_POLICY_SYSTEM_ON | DYNOPT_POLICY_SYSTEM_OFF))
		WRITE_ONCE(policy.system, request->flags & DYNOPT_POLICY_SYSTEM_ON);
}

enum dynopt_kmod_status policy_run(struct dynopt_ioc_policy *request)
{
	enum dynopt_kmod_status status = request_policy(request);

	if (status)
		return status;
	if (request->flags & DYNOPT_POLICY_SET)
		change(request);
	request->flags = policy.system ? DYNOPT_POLICY_SYSTEM_ON : 0;
	request->block_us = policy.block_us;
	request->queue_blocks = policy.queue_blocks;
	request->user_blocks = policy.user_blocks;
	request->process_blocks = policy.process_blocks;
	request->user_pages = policy.user_pages;
	request->leave_ms = policy.leave_ms;
	return DYNOPT_KMOD_OK;
}
