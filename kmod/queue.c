// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * queue.c - the queue of blocks of traces, who may put how much into it, whose turn it is; see queue.h.
 *
 * The worker is a thread of the kernel's, of low priority, that holds no lock while it translates: requests do not wait for it
 * but while it publishes. A block's time is the worker's CPU time.
 */
#include <linux/file.h>
#include <linux/freezer.h>
#include <linux/kthread.h>
#include <linux/memcontrol.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include "policy.h"
#include "queue.h"

/* Those who send: users, and their processes. Each is there while it has blocks. */
struct sending_user {
	struct list_head list; /* of users: the first that has blocks waiting is next */
	struct list_head senders;
	kuid_t uid;
	u32 n;
};

struct sender {
	struct list_head list; /* of the user's */
	struct list_head waiting;
	struct sending_user *user;
	struct pid *pid;
	u32 n; /* blocks: waiting, worked on, done and not read */
};

static DEFINE_SPINLOCK(lock);
static LIST_HEAD(users);
static u32 n_blocks;
static struct block *working; /* on it */
static DECLARE_WAIT_QUEUE_HEAD(work);
static struct task_struct *worker;

/* ---- who sends ---- */

static struct sending_user *user_find(kuid_t uid)
{
	struct sending_user *user;

	list_for_each_entry(user, &users, list)
		if (uid_eq(user->uid, uid))
			return user;
	return NULL;
}

static struct sender *sender_find(struct sending_user *user, struct pid *pid)
{
	struct sender *sender;

	list_for_each_entry(sender, &user->senders, list)
		if (sender->pid == pid)
			return sender;
	return NULL;
}

/* The calling process. What there is not yet is made of *user and *sender, which are NULL then. */
static struct sender *sender_here(struct sending_user **new_user, struct sender **new_sender)
{
	struct sending_user *user = user_find(current_euid());
	struct sender *sender;

	if (!user) {
		user = *new_user;
		*new_user = NULL;
		user->uid = current_euid();
		INIT_LIST_HEAD(&user->senders);
		list_add_tail(&user->list, &users);
	}
	sender = sender_find(user, task_tgid(current));
	if (!sender) {
		sender = *new_sender;
		*new_sender = NULL;
		sender->user = user;
		sender->pid = get_pid(task_tgid(current));
		INIT_LIST_HEAD(&sender->waiting);
		list_add_tail(&sender->list, &user->senders);
	}
	return sender;
}

static void sender_drop_empty(struct sender *sender)
{
	struct sending_user *user = sender->user;

	if (!sender->n) {
		list_del(&sender->list);
		put_pid(sender->pid);
		kfree(sender);
	}
	if (!user->n) {
		list_del(&user->list);
		kfree(user);
	}
}

/* ---- clients ---- */

struct client *client_new(void)
{
	struct client *client = kzalloc(sizeof(*client), GFP_KERNEL_ACCOUNT);

	if (!client)
		return NULL;
	init_waitqueue_head(&client->wait);
	INIT_LIST_HEAD(&client->done);
	return client;
}

/* All that are his and not worked on, into a list. */
static void take_blocks_of(struct client *client, struct list_head *blocks)
{
	struct sending_user *user;
	struct sender *sender;
	struct block *block, *next;

	list_for_each_entry(user, &users, list)
		list_for_each_entry(sender, &user->senders, list)
			list_for_each_entry_safe(block, next, &sender->waiting, list)
				if (block->client == client)
					list_move(&block->list, blocks);
	list_splice_init(&client->done, blocks);
}

void client_free(struct client *client)
{
	struct block *block, *next;
	LIST_HEAD(blocks);

	spin_lock(&lock);
	take_blocks_of(client, &blocks);
	if (working && working->client == client)
		working->client = NULL;
	spin_unlock(&lock);
	list_for_each_entry_safe(block, next, &blocks, list) {
		if (!block->done)
			count(DYNOPT_COUNTER_DROPPED, 1);
		block_free(block);
	}
	kfree(client);
}

__poll_t client_poll(struct client *client, struct file *device, poll_table *table)
{
	poll_wait(device, &client->wait, table);
	return READ_ONCE(client->n_done) ? EPOLLIN | EPOLLRDNORM : 0;
}

/* ---- in and out ---- */

static enum dynopt_kmod_status check_room(const struct sender *sender)
{
	if (n_blocks >= READ_ONCE(policy.queue_blocks))
		return DYNOPT_KMOD_FIFO_FULL;
	if (sender->user->n >= READ_ONCE(policy.user_blocks) ||
	    sender->n >= READ_ONCE(policy.process_blocks))
		return DYNOPT_KMOD_FIFO_QUOTA;
	return DYNOPT_KMOD_OK;
}

static enum dynopt_kmod_status put_locked(struct client *client, struct block *block,
                                          struct sender *sender)
{
	enum dynopt_kmod_status status = check_room(sender);

	if (status) {
		sender_drop_empty(sender);
		return status;
	}
	block->client = client;
	block->sender = sender;
	block->id = ++client->last_id;
	client->n_waiting++;
	n_blocks++;
	sender->n++;
	sender->user->n++;
	list_add_tail(&block->list, &sender->waiting);
	return DYNOPT_KMOD_OK;
}

enum dynopt_kmod_status queue_put(struct client *client, struct block *block, u64 *id)
{
	struct sending_user *user = kzalloc(sizeof(*user), GFP_KERNEL_ACCOUNT);
	struct sender *sender = kzalloc(sizeof(*sender), GFP_KERNEL_ACCOUNT);
	enum dynopt_kmod_status status = DYNOPT_KMOD_MEMORY;

	block->since = ktime_get_ns();
	if (user && sender) {
		spin_lock(&lock);
		status = put_locked(client, block, sender_here(&user, &sender));
		*id = client->last_id;
		spin_unlock(&lock);
	}
	kfree(user);
	kfree(sender);
	if (!status)
		wake_up(&work);
	return status;
}

enum given_up {
	GIVEN_UP, /* it is the caller's */
	GIVEN_AWAY, /* it is the worker's */
	TOO_LATE, /* it is done, or soon */
};

static enum given_up give_up(struct block *block)
{
	enum given_up result = TOO_LATE;

	spin_lock(&lock);
	if (block == working && !block->commits) {
		block->client->n_waiting--;
		block->client = NULL;
		result = GIVEN_AWAY;
	} else if (block != working && !block->done) {
		list_del(&block->list);
		block->client->n_waiting--;
		result = GIVEN_UP;
	}
	spin_unlock(&lock);
	return result;
}

bool queue_wait(struct block *block)
{
	struct client *client = block->client;

	if (!wait_event_interruptible(client->wait, smp_load_acquire(&block->done)))
		return true;
	switch (give_up(block)) {
	case GIVEN_AWAY:
		return false;
	case GIVEN_UP:
		count(DYNOPT_COUNTER_DROPPED, 1);
		block_free(block);
		return false;
	case TOO_LATE:
		break;
	}
	wait_event(client->wait, smp_load_acquire(&block->done));
	return true;
}

struct block *queue_take_done(struct client *client)
{
	struct block *block;

	spin_lock(&lock);
	block = list_first_entry_or_null(&client->done, struct block, list);
	if (block) {
		list_del(&block->list);
		client->n_done--;
	}
	spin_unlock(&lock);
	return block;
}

void queue_give_back(struct client *client, struct block *block)
{
	spin_lock(&lock);
	list_add(&block->list, &client->done);
	client->n_done++;
	spin_unlock(&lock);
	wake_up(&client->wait);
}

void queue_forget(struct block *block)
{
	if (!block->sender)
		return;
	spin_lock(&lock);
	n_blocks--;
	block->sender->user->n--;
	block->sender->n--;
	sender_drop_empty(block->sender);
	spin_unlock(&lock);
}

bool queue_is_filling(struct client *client, u32 *n_done, u32 *n_waiting)
{
	struct sending_user *user;
	struct sender *sender;
	bool filling;

	spin_lock(&lock);
	*n_done = client->n_done;
	*n_waiting = client->n_waiting;
	user = user_find(current_euid());
	sender = user ? sender_find(user, task_tgid(current)) : NULL;
	filling = n_blocks * 2 >= READ_ONCE(policy.queue_blocks) ||
	          (user && user->n * 2 >= READ_ONCE(policy.user_blocks)) ||
	          (sender && sender->n * 2 >= READ_ONCE(policy.process_blocks));
	spin_unlock(&lock);
	return filling;
}

/* ---- the worker ---- */

/* The engine calls it while it reads text and translates. */
void port_yield(void)
{
	cond_resched();
}

/* Whose turn it is; he is last from now on. */
static struct block *take_of(struct sending_user *user)
{
	struct sender *sender;
	struct block *block;

	list_for_each_entry(sender, &user->senders, list) {
		block = list_first_entry_or_null(&sender->waiting, struct block, list);
		if (!block)
			continue;
		list_del(&block->list);
		list_move_tail(&sender->list, &user->senders);
		return block;
	}
	return NULL;
}

static struct block *take_next(void)
{
	struct sending_user *user;
	struct block *block = NULL;

	spin_lock(&lock);
	list_for_each_entry(user, &users, list) {
		block = take_of(user);
		if (!block)
			continue;
		list_move_tail(&user->list, &users);
		break;
	}
	working = block;
	spin_unlock(&lock);
	return block;
}

/* To who waits for it, or nobody: then it is freed. */
static void hand_over(struct block *block)
{
	struct client *client;
	bool wanted;

	spin_lock(&lock);
	working = NULL;
	client = block->client;
	wanted = client;
	if (wanted) {
		client->n_waiting--;
		if (!block->is_waited_for) {
			list_add_tail(&block->list, &client->done);
			client->n_done++;
		}
		/* After this who waits may free it, and the client. */
		smp_store_release(&block->done, true);
		wake_up(&client->wait);
	}
	spin_unlock(&lock);
	if (wanted)
		return;
	count(DYNOPT_COUNTER_DROPPED, 1);
	block_free(block);
}

static u64 time_now(void)
{
	return current->se.sum_exec_runtime;
}

bool queue_has_time(const struct block *block)
{
	return (time_now() - block->time) / NSEC_PER_USEC < READ_ONCE(policy.block_us);
}

bool queue_goes_on(const struct block *block)
{
	return READ_ONCE(block->client) && !kthread_should_stop();
}

bool queue_commits(struct block *block)
{
	spin_lock(&lock);
	block->commits = block->client;
	spin_unlock(&lock);
	return block->commits;
}

static void work_on(struct block *block)
{
	struct mem_cgroup *before = set_active_memcg(block->memory);

	block->since = ktime_get_ns() - block->since;
	block->time = time_now();
	submit_block(block);
	block->time = time_now() - block->time;
	set_active_memcg(before);
	/* Here files are closed a little later, but who waits may want to unmount their file system. */
	fput(block->opened);
	block->opened = NULL;
	flush_delayed_fput();
	count(DYNOPT_COUNTER_TRANSLATED, 1);
	hand_over(block);
}

static int serve(void *unused)
{
	struct block *block = NULL;

	set_user_nice(current, 5);
	set_freezable();
	while (!kthread_should_stop()) {
		wait_event_freezable(work, (block = take_next()) || kthread_should_stop());
		if (block)
			work_on(block);
		cond_resched();
	}
	return 0;
}

int queue_init(void)
{
	worker = kthread_run(serve, NULL, "dynopt");
	return PTR_ERR_OR_ZERO(worker);
}

void queue_exit(void)
{
	kthread_stop(worker);
}
