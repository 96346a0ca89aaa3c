// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * block.c - blocks of traces from and to who sends them: what a request says, copied once; reports, copied out.
 *
 * Memory is charged to who sends.
 */
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "queue.h"
#include "request.h"

void block_free(struct block *block)
{
	queue_forget(block);
	if (block->opened)
		fput(block->opened);
	mem_cgroup_put(block->memory);
	domain_put(block->domain);
	kvfree(block->blocks);
	kvfree(block->traces);
	kvfree(block->reports);
	kfree(block);
	count(DYNOPT_COUNTER_BLOCKS, -1);
}

/* The caller's two arrays. */
static enum dynopt_kmod_status copy_traces(struct block *block,
                                           const struct dynopt_ioc_submit *request)
{
	u64 traces_size = (u64)request->n_traces * sizeof(struct dynopt_ioc_trace);
	u64 blocks_size = (u64)request->n_blocks * sizeof(struct dynopt_ioc_block);
	struct dynopt_ioc_trace *traces = kvmalloc(traces_size, GFP_KERNEL_ACCOUNT);
	struct dynopt_ioc_block *blocks = kvmalloc(blocks_size, GFP_KERNEL_ACCOUNT);
	enum dynopt_kmod_status status = DYNOPT_KMOD_MEMORY;

	if (traces && blocks) {
		status = DYNOPT_KMOD_BAD_ADDRESS;
		if (!copy_from_user(traces, u64_to_user_ptr(request->traces), traces_size) &&
		    !copy_from_user(blocks, u64_to_user_ptr(request->blocks), blocks_size))
			status = request_traces(request, traces, blocks, block->blocks,
			                        block->traces);
	}
	kvfree(traces);
	kvfree(blocks);
	return status;
}

/*
 * While the file is owned nobody can write to it. So it must be one that the caller could do that to anyway, by executing it; the
 * administrator may do it to others, too.
 */
static enum dynopt_kmod_status open_file(struct block *block, s32 fd)
{
	block->opened = patch_open_file(fd);
	if (!block->opened)
		return DYNOPT_KMOD_FILE;
	return capable(CAP_SYS_ADMIN) || !file_permission(block->opened, MAY_EXEC)
	               ? DYNOPT_KMOD_OK
	               : DYNOPT_KMOD_NOT_EXECUTABLE;
}

static enum dynopt_kmod_status fill(struct block *block, const struct dynopt_ioc_submit *request)
{
	enum dynopt_kmod_status status;

	block->memory = get_mem_cgroup_from_mm(current->mm);
	block->flags = request->flags;
	block->is_waited_for = !(request->flags & DYNOPT_SUBMIT_QUEUE);
	block->n_traces = request->n_traces;
	block->blocks = kvmalloc(request_blocks_size(request), GFP_KERNEL_ACCOUNT);
	block->traces = kvmalloc(request_traces_size(request), GFP_KERNEL_ACCOUNT);
	block->reports = kvcalloc(request->n_traces, sizeof(*block->reports), GFP_KERNEL_ACCOUNT);
	if (!block->blocks || !block->traces || !block->reports)
		return DYNOPT_KMOD_MEMORY;
	status = copy_traces(block, request);
	return status ? status : open_file(block, request->fd);
}

static struct block *block_new(struct domain *domain)
{
	struct block *block = kzalloc(sizeof(*block), GFP_KERNEL_ACCOUNT);

	if (!block)
		return NULL;
	block->domain = domain_hold(domain);
	count(DYNOPT_COUNTER_BLOCKS, 1);
	return block;
}

static bool copy_reports(const struct block *block, u64 to)
{
	return !copy_to_user(u64_to_user_ptr(to), block->reports,
	                     block->n_traces * sizeof(*block->reports));
}

static enum dynopt_kmod_status wait_for(struct client *client, struct block *block,
                                        struct dynopt_ioc_submit *request)
{
	enum dynopt_kmod_status status;
	u32 n_done, n_waiting;

	if (!queue_wait(block))
		return DYNOPT_KMOD_INTERRUPTED;
	status = block->status;
	request->published = block->published;
	request->advice = block->advice;
	if (queue_is_filling(client, &n_done, &n_waiting))
		request->advice |= DYNOPT_ADVICE_SLOWER;
	if (!copy_reports(block, request->reports))
		status = DYNOPT_KMOD_BAD_ADDRESS;
	block_free(block);
	return status;
}

enum dynopt_kmod_status block_submit(struct client *client, struct domain *domain,
                                     struct dynopt_ioc_submit *request)
{
	struct block *block = block_new(domain);
	enum dynopt_kmod_status status;
	u64 id = 0;

	if (!block)
		return DYNOPT_KMOD_MEMORY;
	status = fill(block, request);
	if (!status)
		status = queue_put(client, block, &id);
	if (status) {
		block_free(block);
		return status;
	}
	if (!(request->flags & DYNOPT_SUBMIT_QUEUE))
		return wait_for(client, block, request);
	request->id = id;
	return DYNOPT_KMOD_OK;
}

static enum dynopt_kmod_status read_block(struct block *block, struct dynopt_ioc_reports *request)
{
	u32 room = request->n;

	request->n = block->n_traces;
	if (room < block->n_traces)
		return DYNOPT_KMOD_REPORTS_ROOM;
	if (!copy_reports(block, request->reports))
		return DYNOPT_KMOD_BAD_ADDRESS;
	request->block_status = block->status;
	request->id = block->id;
	request->published = block->published;
	request->advice = block->advice;
	request->waited_us = block->since / NSEC_PER_USEC;
	request->time_us = block->time / NSEC_PER_USEC;
	return DYNOPT_KMOD_OK;
}

enum dynopt_kmod_status block_read(struct client *client, struct dynopt_ioc_reports *request)
{
	struct block *block = queue_take_done(client);
	enum dynopt_kmod_status status;

	if (!block)
		return DYNOPT_KMOD_NO_REPORTS;
	status = read_block(block, request);
	if (status) {
		queue_give_back(client, block);
		return status;
	}
	if (queue_is_filling(client, &request->more, &request->waiting))
		request->advice |= DYNOPT_ADVICE_SLOWER;
	block_free(block);
	return DYNOPT_KMOD_OK;
}
