// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * request.c - sizes, counts, flags and padding of requests; see request.h.
 *
 * What the numbers mean, whether an address is code, whether a block follows from its parent, is the engine's to
 * check against the file. Here is what must hold before they are looked at: every count is bounded and adds up.
 */
#include "request.h"

static bool is_zero(const u8 *bytes, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		if (bytes[i])
			return false;
	return true;
}

enum dynopt_kmod_status request_size(u32 size, u32 first, u32 most)
{
	return size < first || size > most ? DYNOPT_KMOD_BAD_SIZE : DYNOPT_KMOD_OK;
}

static bool is_domain(s32 domain)
{
	return domain >= DYNOPT_DOMAIN_SYSTEM;
}

/* A process is put into its user's domain, or into the system's. */
enum dynopt_kmod_status request_process(const struct dynopt_ioc_process *process)
{
	return process->pid < 0 || !is_domain(process->domain) ||
	                       process->domain > DYNOPT_DOMAIN_OWN || process->pad
	               ? DYNOPT_KMOD_BAD_REQUEST
	               : DYNOPT_KMOD_OK;
}

/* Where the code came from is no secret, and padding has to be zero. */
enum dynopt_kmod_status request_patch(const struct dynopt_ioc_patch *patch)
{
	if (patch->kind != DYNOPT_PATCH_FIXED || (patch->flags & ~DYNOPT_PATCH_COOKIE) ||
	    patch->old_len < 5 || patch->old_len > DYNOPT_OLD_MAX || !patch->code_len ||
	    patch->code_len > DYNOPT_CODE_MAX || !is_zero(patch->pad, sizeof(patch->pad)) ||
	    !is_zero(patch->old + patch->old_len, sizeof(patch->old) - patch->old_len) ||
	    !is_zero(patch->code + patch->code_len, sizeof(patch->code) - patch->code_len))
		return DYNOPT_KMOD_BAD_REQUEST;
	return DYNOPT_KMOD_OK;
}

enum dynopt_kmod_status request_undo(const struct dynopt_ioc_undo *undo)
{
	return (undo->flags & ~(DYNOPT_UNDO_ALL | DYNOPT_UNDO_COOKIE)) || !is_domain(undo->domain)
	               ? DYNOPT_KMOD_BAD_REQUEST
	               : DYNOPT_KMOD_OK;
}

enum dynopt_kmod_status request_submit(const struct dynopt_ioc_submit *submit)
{
	if ((submit->flags & ~(DYNOPT_SUBMIT_ALL | DYNOPT_SUBMIT_QUEUE)) ||
	    ((submit->flags & DYNOPT_SUBMIT_QUEUE) && submit->reports) ||
	    !is_domain(submit->domain) || submit->pad || !submit->n_traces ||
	    submit->n_traces > DYNOPT_SUBMIT_TRACES_MAX || submit->n_blocks < submit->n_traces ||
	    submit->n_blocks > DYNOPT_SUBMIT_BLOCKS_MAX)
		return DYNOPT_KMOD_BAD_REQUEST;
	return DYNOPT_KMOD_OK;
}

/* Only a start has a period, and it reads nothing. */
enum dynopt_kmod_status request_sample(const struct dynopt_ioc_sample *sample)
{
	bool starts = sample->flags == DYNOPT_SAMPLE_START;

	if (sample->flags > DYNOPT_SAMPLE_READ ||
	    (starts ? sample->period_us < DYNOPT_SAMPLE_PERIOD_MIN_US || sample->n
	            : sample->period_us != 0))
		return DYNOPT_KMOD_BAD_REQUEST;
	return DYNOPT_KMOD_OK;
}

/* Who only reads says nothing; nobody puts the system's domain on and off at once. */
enum dynopt_kmod_status request_policy(const struct dynopt_ioc_policy *policy)
{
	const u32 both = DYNOPT_POLICY_SYSTEM_ON | DYNOPT_POLICY_SYSTEM_OFF;
	bool says = policy->block_us || policy->queue_blocks || policy->user_blocks ||
	            policy->process_blocks || policy->user_pages || policy->leave_ms;

	if ((policy->flags & ~(DYNOPT_POLICY_SET | both)) || (policy->flags & both) == both ||
	    policy->pad)
		return DYNOPT_KMOD_BAD_REQUEST;
	if (!(policy->flags & DYNOPT_POLICY_SET) && (policy->flags || says))
		return DYNOPT_KMOD_BAD_REQUEST;
	return DYNOPT_KMOD_OK;
}

static bool take_block(const struct dynopt_ioc_block *from, u32 index, struct trace_block *to)
{
	/* A parent precedes its child; only the first block has none. */
	if (from->pad || from->branch > 1001 ||
	    (index ? from->parent >= index : from->parent != TRACE_NO_PARENT))
		return false;
	*to = (struct trace_block){ from->start, from->parent, from->weight, from->branch };
	return true;
}

enum dynopt_kmod_status request_traces(const struct dynopt_ioc_submit *submit,
                                       const struct dynopt_ioc_trace *traces,
                                       const struct dynopt_ioc_block *blocks,
                                       struct trace_block *out_blocks, struct trace *out_traces)
{
	u32 used = 0, i, k;

	for (i = 0; i < submit->n_traces; i++) {
		u32 n = traces[i].n_blocks;

		if (!n || n > submit->n_blocks - used)
			return DYNOPT_KMOD_BAD_REQUEST;
		for (k = 0; k < n; k++)
			if (!take_block(&blocks[used + k], k, &out_blocks[used + k]))
				return DYNOPT_KMOD_BAD_REQUEST;
		out_traces[i] = (struct trace){ out_blocks + used, n, traces[i].entries };
		used += n;
	}
	return used == submit->n_blocks ? DYNOPT_KMOD_OK : DYNOPT_KMOD_BAD_REQUEST;
}
