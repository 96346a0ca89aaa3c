/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * queue.h - blocks of traces, from who sends them to who reads their reports.
 *
 * One worker takes them: users in turn, a user's processes in turn, a process's blocks in their order. All blocks count,
 * for their process and their user, until their reports are read, so that what the queue holds is bounded.
 *
 * A block is its client's while it waits and when it is done; in between it is the worker's, and stays so if the client gives
 * it up (.client is NULL then). What changes hands is under the queue's lock.
 */
#ifndef DYNOPT_KMOD_QUEUE_H
#define DYNOPT_KMOD_QUEUE_H

#include <linux/poll.h>
#include <linux/wait.h>
#include "own.h"
#include "trace.h"

/* Who has one open descriptor of the device. */
struct client {
	wait_queue_head_t wait; /* for a block that is done */
	struct list_head done; /* blocks with reports to be read */
	u32 n_done, n_waiting;
	u64 last_id;
};

struct block {
	struct list_head list; /* of the sender's that wait, or the client's that are done */
	struct client *client; /* NULL: nobody wants it any more */
	struct sender *sender; /* for whom it counts; NULL: it was not queued yet */
	bool is_waited_for; /* by a call, which takes it without a list */
	bool commits; /* it is being published, and can no longer be given up */
	bool done;
	/* What is asked. */
	struct file *opened;
	struct domain *domain; /* held */
	struct mem_cgroup *memory; /* who is charged */
	u32 flags, n_traces;
	struct trace_block *blocks;
	struct trace *traces;
	/* What came of it. */
	struct dynopt_ioc_report *reports;
	enum dynopt_kmod_status status;
	u32 published, advice;
	u64 id;
	u64 since; /* when it was queued, ns; then how long it waited */
	u64 time; /* CPU time before it began, ns; then what it took */
};

/* block.c */
enum dynopt_kmod_status block_submit(struct client *client, struct domain *domain,
                                     struct dynopt_ioc_submit *request);
enum dynopt_kmod_status block_read(struct client *client, struct dynopt_ioc_reports *request);
void block_free(struct block *block);

/* submit.c: by the worker */
void submit_block(struct block *block);

/* queue.c */
struct client *client_new(void);
/* Gives up its blocks. */
void client_free(struct client *client);
__poll_t client_poll(struct client *client, struct file *device, poll_table *table);
/* *id is the block's, which may be read, and freed, as soon as it is put in. */
enum dynopt_kmod_status queue_put(struct client *client, struct block *block, u64 *id);
/* Of a block that is waited for. True: it is done. False: a signal came first, and it is the worker's, or freed. */
bool queue_wait(struct block *block);
/* The client's oldest one that is done, taken from its list; NULL: none. */
struct block *queue_take_done(struct client *client);
/* Back to the front of the list. */
void queue_give_back(struct client *client, struct block *block);
/* It no longer counts. */
void queue_forget(struct block *block);
/* How much the client, and the queue, have; true: at least half of what may be there. */
bool queue_is_filling(struct client *client, u32 *n_done, u32 *n_waiting);
/* May more be done for it: does somebody want it, has it time left? */
bool queue_goes_on(const struct block *block);
bool queue_has_time(const struct block *block);
/* Before it is published; false: it was given up. */
bool queue_commits(struct block *block);
int queue_init(void);
/* When there are no clients any more. */
void queue_exit(void);

#endif
