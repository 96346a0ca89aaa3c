/* SPDX-License-Identifier: MIT */
/*
 * serve.c - see serve.h. `lock` holds the table, and who is busy; a process that is busy belongs to its worker.
 */
#include "serve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PROCESSES_MOST 4096

enum wish { WISH_NONE, WISH_BEGIN, WISH_LEAVE, WISH_REPORT };

struct asked {
	enum wish wish;
	int connection;
};

struct place {
	struct process *process;
	u64 due_ns;
	bool busy;
	VEC(struct asked) asked; /* oldest first */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static VEC(struct place *) places;
static pthread_t *threads;
static u32 n_threads;
static bool stopping;
static int device;
static u64 features;

static struct place *find(pid_t pid)
{
	for (size_t i = 0; i < places.n; i++)
		if (places.at[i]->process->pid == pid)
			return places.at[i];
	return NULL;
}

bool serve_has(pid_t pid)
{
	bool has;

	pthread_mutex_lock(&lock);
	has = find(pid);
	pthread_mutex_unlock(&lock);
	return has;
}

/* ---- workers ---- */

static struct place *next_place(void)
{
	struct place *best = NULL;

	for (size_t i = 0; i < places.n; i++) {
		struct place *place = places.at[i];

		if (!place->busy && (!best || place->due_ns < best->due_ns))
			best = place;
	}
	return best;
}

/* With the lock: the next one that is due, to be worked for; NULL: it ends. */
static struct place *wait_for_work(void)
{
	while (!stopping) {
		struct place *place = next_place();
		struct timespec until;

		if (!place) {
			pthread_cond_wait(&changed, &lock);
			continue;
		}
		if (place->due_ns <= now_ns()) {
			place->busy = true;
			return place;
		}
		until.tv_sec = (time_t)(place->due_ns / 1000000000u);
		until.tv_nsec = (long)(place->due_ns % 1000000000u);
		pthread_cond_timedwait(&changed, &lock, &until);
	}
	return NULL;
}

static void say(const struct process *p, const char *what, const char *error)
{
	fprintf(stderr, "dynoptd: %d (%s): %s%s%s\n", (int)p->pid, p->program, what,
	        error ? ": " : "", error ? error : "");
}

/* It executes another program, which is attached in its place; children do not go on like that. */
static bool is_another(const struct process *p)
{
	return p->executed && !p->asked.forked;
}

/* True: the process stays. Who asked for one that executes another program meanwhile is answered when that is attached. */
static bool fulfil(struct process *p, const struct asked *asked)
{
	char *error = NULL;
	bool stays = true;

	switch (asked->wish) {
	case WISH_BEGIN:
		stays = process_begin(p, &error);
		say(p, stays ? "attached" : "cannot be attached", error);
		break;
	case WISH_LEAVE:
		stays = !process_leave(p, &error);
		say(p, stays ? "cannot be detached" : "detached", error);
		break;
	case WISH_REPORT:
		status_write(p);
		break;
	case WISH_NONE:
		break;
	}
	if (asked->wish != WISH_BEGIN || !is_another(p))
		answer(asked->connection, error);
	free(error);
	return stays;
}

static void remove_place(struct place *place)
{
	for (size_t i = 0; i < places.n; i++)
		if (places.at[i] == place)
			places.at[i] = places.at[--places.n];
	for (size_t i = 0; i < place->asked.n; i++)
		answer(place->asked.at[i].connection, "it has ended");
	process_free(place->process);
	free(place->asked.at);
	free(place);
}

/* The oldest wish, if there is one. */
static struct asked next_wish(struct place *place)
{
	struct asked first = { WISH_NONE, -1 };

	if (!place->asked.n)
		return first;
	first = place->asked.at[0];
	memmove(place->asked.at, place->asked.at + 1, --place->asked.n * sizeof(first));
	return first;
}

/* Children of a process, and what it has become itself by executing another program. */
struct heirs {
	struct attach attach;
	uid_t asker;
	pid_t pid; /* 0: it has become nothing else */
	int connection; /* who waits to hear of that; -1: nobody */
	VEC(pid_t) children;
};

static void find_heirs(struct process *p, const struct asked *asked, struct heirs *heirs)
{
	*heirs = (struct heirs){ .attach = p->asked, .asker = p->asker, .connection = -1 };
	if (is_another(p)) {
		heirs->pid = p->pid;
		heirs->connection = asked->wish == WISH_BEGIN ? asked->connection : -1;
	}
	heirs->children.at = p->born.at;
	heirs->children.n = p->born.n;
	p->born.at = NULL;
	p->born.n = p->born.cap = 0;
}

/* Without the lock. Those that cannot be attached are left alone. */
static void attach_heirs(struct heirs *heirs)
{
	if (heirs->pid)
		serve_attach(heirs->pid, &heirs->attach, heirs->asker, heirs->connection);
	heirs->attach.forked = true;
	for (size_t i = 0; i < heirs->children.n; i++)
		if (!serve_has(heirs->children.at[i]))
			serve_attach(heirs->children.at[i], &heirs->attach, heirs->asker, -1);
	free(heirs->children.at);
}

static void *work(void *unused)
{
	struct place *place;

	(void)unused;
	pthread_mutex_lock(&lock);
	while ((place = wait_for_work())) {
		struct asked asked = next_wish(place);
		struct heirs heirs;
		u64 due = 1;
		bool stays;

		pthread_mutex_unlock(&lock);
		if (asked.wish) {
			stays = fulfil(place->process, &asked);
		} else {
			due = process_step(place->process);
			stays = due;
			if (!stays)
				say(place->process, "ended", NULL);
		}
		find_heirs(place->process, &asked, &heirs);
		pthread_mutex_lock(&lock);
		place->busy = false;
		place->due_ns = place->asked.n ? 0 : due;
		if (!stays)
			remove_place(place);
		pthread_cond_signal(&changed);
		pthread_mutex_unlock(&lock);
		attach_heirs(&heirs);
		pthread_mutex_lock(&lock);
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

void serve_start(int on_device, u64 with_features, u32 n)
{
	pthread_condattr_t monotonic;

	device = on_device;
	features = with_features;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&changed, &monotonic);
	threads = base_calloc(n, sizeof(*threads));
	for (n_threads = 0; n_threads < n; n_threads++) {
		int error = pthread_create(&threads[n_threads], NULL, work, NULL);

		if (!error)
			continue;
		base_complain("thread", "%s", strerror(error));
		if (!n_threads)
			exit(1);
		return;
	}
}

void serve_stop(void)
{
	pthread_mutex_lock(&lock);
	stopping = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	for (u32 i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < places.n; i++) {
		process_let_go(places.at[i]->process);
		status_write(places.at[i]->process);
	}
	while (places.n)
		remove_place(places.at[0]);
	free(places.at);
	free(threads);
}

/* ---- wishes ---- */

static void add_wish(struct place *place, enum wish wish, int connection)
{
	*vec_add(&place->asked) = (struct asked){ wish, connection };
	place->due_ns = 0;
	pthread_cond_signal(&changed);
}

/* One that is there, and that the asker may ask for. */
static void ask_known(pid_t pid, uid_t asker, enum wish wish, int connection)
{
	struct place *place;
	const char *error = NULL;

	pthread_mutex_lock(&lock);
	place = find(pid);
	if (!place)
		error = "the process is not attached";
	else if (asker && asker != place->process->uid)
		error = "it is another user's process";
	else
		add_wish(place, wish, connection);
	pthread_mutex_unlock(&lock);
	if (error)
		answer(connection, error);
}

void serve_attach(pid_t pid, const struct attach *attach, uid_t asker, int connection)
{
	char *error = NULL;
	struct process *process;
	struct place *place = NULL;

	process = process_new(pid, attach, asker, device, features, &error);
	pthread_mutex_lock(&lock);
	if (process && find(pid)) {
		error = base_printf("the process is attached already");
	} else if (process && places.n >= PROCESSES_MOST) {
		error = base_printf("%u processes are attached: no more", PROCESSES_MOST);
	} else if (process) {
		place = base_calloc(1, sizeof(*place));
		place->process = process;
		*vec_add(&places) = place;
		add_wish(place, WISH_BEGIN, connection);
	}
	pthread_mutex_unlock(&lock);
	if (!place) {
		if (process)
			process_free(process);
		answer(connection, error);
	}
	free(error);
}

void serve_detach(pid_t pid, uid_t asker, int connection)
{
	ask_known(pid, asker, WISH_LEAVE, connection);
}

void serve_report(pid_t pid, uid_t asker, int connection)
{
	ask_known(pid, asker, WISH_REPORT, connection);
}
