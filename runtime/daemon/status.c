/* SPDX-License-Identifier: MIT */
/*
 * status.c - what `dynopt status` and `report` say of an attached process: the same file that the library writes in a program.
 *
 * They lie in a folder of root's that everybody may look into; each belongs to the user whose process it is about, and nobody
 * else may read it. Written whole and renamed over the old one.
 */
#include "process.h"

#include "flow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *folder;

void status_folder(const char *path)
{
	folder = path;
}

struct picture {
	struct status_head head;
	VEC(struct status_module) modules;
	VEC(struct status_translation) translations;
	struct status_function functions[STATUS_FUNCTIONS];
	u32 n_functions;
};

/* Keeps the hottest. */
static void rank(struct picture *picture, const struct status_function *f)
{
	struct status_function *all = picture->functions;
	u32 at = picture->n_functions;

	if (at == STATUS_FUNCTIONS && all[at - 1].samples >= f->samples)
		return;
	at -= at == STATUS_FUNCTIONS;
	picture->n_functions = at + 1;
	for (; at > 0 && all[at - 1].samples < f->samples; at--)
		all[at] = all[at - 1];
	all[at] = *f;
}

/* Why the function's samples outside of translations are there. */
static void judge(const struct binary *b, u64 start, u64 end, struct status_function *f)
{
	u32 counts[STATUS_REASONS] = { 0 }, most = 0;
	u16 marks = text_marks(&b->text, start);

	for (u64 addr = start; addr < end; addr++) {
		u8 fate = b->fates[addr - b->text.start];

		f->n_heads += fate != 0;
		f->n_translated += fate == FATE_TRANSLATED;
		if (fate && fate < STATUS_REASONS && ++counts[fate] > counts[most])
			most = fate;
	}
	f->status = most;
	if (f->n_translated)
		f->why = STATUS_HEAT_BESIDE;
	else if (f->n_heads)
		f->why = STATUS_HEAT_REFUSED;
	else if (!(marks & TEXT_INSN) || (marks & TEXT_NO_TRANSLATE))
		f->why = STATUS_HEAT_UNPROVEN;
	else
		f->why = STATUS_HEAT_FEW;
}

static void count(struct picture *picture, const struct status_function *f)
{
	struct status_heat *heat = &picture->head.heat;
	u32 outside = f->samples - f->samples_cache;

	heat->samples += f->samples;
	heat->samples_cache += f->samples_cache;
	heat->outside[f->why] += outside;
	if (f->why == STATUS_HEAT_REFUSED)
		heat->refused[f->status] += outside;
	rank(picture, f);
}

/* The function of the table's entry `from`, or all of a file whose text is not known; returns the first entry behind it. */
static u32 describe(struct binary *b, u32 from, struct status_function *f)
{
	bool is_known = b->was_read && !b->status.refusal;
	u64 start = b->heat.at[from].rip, end = ~(u64)0;
	bool in_function = is_known && text_function(&b->text, start, &start, &end);
	u32 i;

	if (is_known && !in_function)
		end = start + 1;
	f->start = start;
	for (i = from; i < b->heat.n && b->heat.at[i].rip < end; i++) {
		f->samples += b->heat.at[i].n;
		f->samples_cache += b->heat.at[i].inside;
	}
	if (in_function)
		judge(b, start, end, f);
	else
		f->why = is_known            ? STATUS_HEAT_UNPROVEN
		         : b->status.refusal ? STATUS_HEAT_MODULE
		                             : STATUS_HEAT_UNREAD;
	return i;
}

static void add_binary(struct picture *picture, struct binary *b, u64 base)
{
	u32 module = (u32)picture->modules.n;
	struct status_module *row;

	pthread_mutex_lock(&b->lock);
	row = vec_add(&picture->modules);
	*row = b->status;
	row->base = base;
	row->n_processes = binaries_users(b);
	for (size_t i = 0; i < b->translations.n; i++) {
		struct status_translation *t = vec_add(&picture->translations);

		*t = b->translations.at[i];
		t->module = module;
	}
	for (u32 i = 0; i < b->heat.n;) {
		struct status_function f = { .module = module };

		i = describe(b, i, &f);
		count(picture, &f);
	}
	pthread_mutex_unlock(&b->lock);
}

static bool is_first(const struct process *p, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (p->maps.at[k].binary == p->maps.at[i].binary)
			return false;
	return p->maps.at[i].binary;
}

/* Of a file in memory: what its link-time addresses lie apart from where they are. */
static u64 base_of(const struct mapped *map)
{
	const struct elf_view *view = &map->binary->view;

	for (u32 i = 0; i < view->n_loads; i++) {
		u64 start = (u64)(view->loads[i].bytes - map->binary->bytes);

		if ((view->loads[i].flags & ELF_VIEW_X) &&
		    map->offset - start + 0xfff < view->loads[i].size + 0xfff)
			return map->start - map->offset + start - view->loads[i].addr;
	}
	return map->start - map->offset;
}

static u32 state_of(const struct process *p, u64 translated)
{
	if (p->ended && p->cause == STATUS_CAUSE_REQUEST)
		return STATUS_STATE_WITHDRAWN;
	if (p->attach.mode == ATTACH_EAGER && !p->settled && !p->ended)
		return STATUS_STATE_STARTING;
	if (translated)
		return STATUS_STATE_RUNNING;
	return p->cause ? STATUS_STATE_FAILED : STATUS_STATE_IDLE;
}

static void fill_head(struct picture *picture, const struct process *p)
{
	struct status_head *h = &picture->head;
	u64 translated = 0;

	for (size_t i = 0; i < picture->modules.n; i++)
		translated += picture->modules.at[i].n_translated;
	h->magic = STATUS_FILE_MAGIC;
	h->version = STATUS_FILE_VERSION;
	h->size = sizeof(*h);
	h->module_size = sizeof(struct status_module);
	h->translation_size = sizeof(struct status_translation);
	h->function_size = sizeof(struct status_function);
	h->n_modules = (u32)picture->modules.n;
	h->n_translations = (u32)picture->translations.n;
	h->n_functions = picture->n_functions;
	h->pid = (u32)p->pid;
	h->start_time = p->start_time;
	h->backend = STATUS_BACKEND_kernel;
	h->mode = p->attach.mode == ATTACH_EAGER ? 1 : 3;
	h->cause = p->cause;
	h->state = state_of(p, translated);
	h->agent_cpu_ns = p->spent_ns;
	h->samples = p->samples;
	h->samples_cache = p->samples_cache;
	h->recent = p->recent;
	h->recent_cache = p->recent_cache;
	h->batches = p->batches;
	snprintf(h->program, sizeof(h->program), "%s", p->program);
}

static bool put(int fd, const void *bytes, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, (const char *)bytes + done, size - done);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static bool put_all(int fd, const struct picture *picture)
{
	return put(fd, &picture->head, sizeof(picture->head)) &&
	       put(fd, picture->modules.at, picture->modules.n * sizeof(*picture->modules.at)) &&
	       put(fd, picture->translations.at,
	           picture->translations.n * sizeof(*picture->translations.at)) &&
	       put(fd, picture->functions, picture->n_functions * sizeof(picture->functions[0]));
}

static void save(const struct picture *picture, const struct process *p)
{
	char *path = base_printf("%s/%d" STATUS_FILE_SUFFIX, folder, (int)p->pid);
	char *fresh = base_printf("%s~", path);
	int fd;

	unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
	if (fd < 0 || !put_all(fd, picture) || fchown(fd, p->uid, (gid_t)-1) != 0 ||
	    rename(fresh, path) != 0) {
		base_complain(path, "%s", strerror(errno));
		unlink(fresh);
	}
	if (fd >= 0)
		close(fd);
	free(fresh);
	free(path);
}

void status_write(struct process *p)
{
	struct picture *picture = base_calloc(1, sizeof(*picture));

	p->status_due = false;
	p->status_ns = now_ns();
	for (size_t i = 0; i < p->maps.n; i++)
		if (is_first(p, i))
			add_binary(picture, p->maps.at[i].binary, base_of(&p->maps.at[i]));
	fill_head(picture, p);
	save(picture, p);
	free(picture->modules.at);
	free(picture->translations.at);
	free(picture);
}
