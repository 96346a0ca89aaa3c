/* SPDX-License-Identifier: MIT */
/*
 * binary.c - see binary.h.
 */
#include "binary.h"

#include "kept.h"
#include "leave.h"
#include "limits.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILE_MOST (32u << 20) /* as the module has it */
#define HEADERS 65536u

static bool arena_open(struct arena *arena, u64 size)
{
	void *base = mmap(NULL, size, PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	arena_init(arena, base == MAP_FAILED ? NULL : base, base == MAP_FAILED ? 0 : size);
	return base != MAP_FAILED;
}

static void arena_close(struct arena *arena)
{
	if (arena->base)
		munmap(arena->base, arena->size);
	arena_init(arena, NULL, 0);
}

static void refuse_file(struct binary *b, u32 reason, u64 addr, u64 detail)
{
	b->status.refusal = reason;
	b->status.refusal_addr = addr;
	b->status.refusal_detail = detail;
}

/* Into memory of our own: a mapping would end us when somebody cuts the file off. */
static bool load(struct binary *b, u64 size)
{
	u8 *to = (u8 *)(uintptr_t)b->bytes;

	for (u64 done = 0; done < size;) {
		ssize_t n = pread(b->fd, to + done, size - done, (off_t)done);

		if (n <= 0)
			return false;
		done += (u64)n;
	}
	return true;
}

/* What its headers say; all of it is read when it is worth it. */
static void read_headers(struct binary *b)
{
	struct notes_failure why = { 0 };
	void *at;

	if (b->size > FILE_MOST) {
		refuse_file(b, STATUS_KMOD_FIRST + DYNOPT_KMOD_WORKSPACE, 0, b->size);
		return;
	}
	at = b->size ? mmap(NULL, b->size, PROT_READ | PROT_WRITE,
	                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
	             : MAP_FAILED;
	if (at != MAP_FAILED)
		b->bytes = at;
	if (!b->bytes || !load(b, b->size < HEADERS ? b->size : HEADERS))
		refuse_file(b, STATUS_TEXT_FILE, 0, 0);
	else if (elf_view_file(&b->view, b->bytes, b->size, &why) != NOTES_OK)
		refuse_file(b, STATUS_TEXT_FILE, why.addr, why.status);
	else
		b->status.text_bytes = elf_view_size(&b->view, ELF_VIEW_X);
	if (!b->status.refusal && !b->status.text_bytes)
		refuse_file(b, STATUS_TEXT_NONE, 0, 0);
}

struct binary *binary_new(int fd, const struct stat *st, const struct domain *domain,
                          const char *path)
{
	struct binary *b = base_calloc(1, sizeof(*b));

	b->domain = *domain;
	b->dev = st->st_dev;
	b->ino = st->st_ino;
	b->size = (u64)st->st_size;
	b->mtime_ns = (u64)st->st_mtim.tv_sec * 1000000000u + (u64)st->st_mtim.tv_nsec;
	pthread_mutex_init(&b->lock, NULL);
	b->fd = fd;
	snprintf(b->status.path, sizeof(b->status.path), "%s", path);
	b->status.live = 1;
	read_headers(b);
	return b;
}

void binary_free(struct binary *b)
{
	arena_close(&b->keep);
	arena_close(&b->scratch);
	if (b->bytes)
		munmap((void *)(uintptr_t)b->bytes, b->size);
	close(b->fd);
	free(b->decoder);
	free(b->judged);
	free(b->fates);
	kernel_batch_free(&b->kept);
	free(b->translations.at);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

/* The link-time address of a byte of the file; 0: it is in no executable segment. */
static u64 address_of(const struct binary *b, u64 offset)
{
	for (u32 i = 0; i < b->view.n_loads; i++) {
		const struct elf_span *load = &b->view.loads[i];
		u64 start = (u64)(load->bytes - b->bytes);

		if ((load->flags & ELF_VIEW_X) && offset - start < load->size)
			return load->addr + (offset - start);
	}
	return 0;
}

void binary_sample(struct binary *b, u64 offset, bool inside)
{
	u64 addr;

	pthread_mutex_lock(&b->lock);
	addr = address_of(b, offset);
	if (addr) {
		heat_add(&b->heat, addr, 1, 0, inside);
		b->fresh++;
		b->unseen = inside ? 0 : b->unseen + 1;
	}
	pthread_mutex_unlock(&b->lock);
}

/* The headers may have been written anew since they were read; the view stays as others know it. */
static bool is_same_view(const struct binary *b)
{
	struct notes_failure why;
	struct elf_view view;

	return elf_view_file(&view, b->bytes, b->size, &why) == NOTES_OK &&
	       view.n_loads == b->view.n_loads && view.n_notes == b->view.n_notes &&
	       memcmp(view.loads, b->view.loads, view.n_loads * sizeof(view.loads[0])) == 0 &&
	       memcmp(view.notes, b->view.notes, view.n_notes * sizeof(view.notes[0])) == 0;
}

static enum status build(struct binary *b, const struct work *work, struct failure *fail)
{
	const struct elf_span *last = &b->view.loads[b->view.n_loads - 1];
	u64 span = last->addr - b->view.loads[0].addr + b->status.text_bytes, keep, scratch;
	enum status status;

	if (!load(b, b->size) || !is_same_view(b))
		return failed(fail, STATUS_TEXT_FILE, 0, 0);
	if (span > LIMIT_TEXT_BYTES)
		return failed(fail, STATUS_TEXT_LARGE, 0, span);
	text_build_size(&b->view, &keep, &scratch);
	if (!arena_open(&b->keep, keep) ||
	    !arena_open(&b->scratch, scratch + span * 8 + (16u << 20)))
		return failed(fail, STATUS_WORKSPACE, 0, span);
	status = text_build(&b->text, &b->view, &b->keep, &b->scratch, fail);
	if (status)
		return status;
	leave_mark(work->leave ? work->leave : "", strrchr(b->status.path, '/') + 1, &b->text);
	return STATUS_OK;
}

static void note_text(struct binary *b)
{
	u64 bytes = b->text.end - b->text.start + 1;

	b->decoder = base_calloc(1, decode_scratch_size());
	b->judged = base_calloc(bytes, 1);
	b->fates = base_calloc(bytes, 1);
	b->status.proven_bytes = b->text.proven_bytes;
	b->status.n_functions = b->text.n_functions;
	b->status.n_slots = b->text.n_slots;
	b->status.noted = b->text.noted;
	b->status.cache_reserved = b->text.cache_end - b->text.cache;
	for (u32 i = 0; i < STATUS_N; i++)
		b->status.refused[i] += b->text.refused[i];
}

/* What a daemon before this one had translated. */
static void take_kept(void *ctx, const struct trace *trace, const struct status_translation *t)
{
	struct binary *b = ctx;
	u64 i = t->head - b->text.start;

	if (i >= b->text.end - b->text.start || b->fates[i])
		return;
	b->fates[i] = FATE_TRANSLATED;
	b->status.n_heads++;
	kernel_batch_add(&b->kept, trace);
	binary_translated(b, t);
}

void binary_translated(struct binary *b, const struct status_translation *t)
{
	b->status.n_translated++;
	b->status.insns += t->n_insns;
	b->status.cache_used += t->size;
	b->status.hops[t->hop]++;
	*vec_add(&b->translations) = *t;
}

void binary_forget_others(struct binary *b)
{
	const u8 others = STATUS_KMOD_FIRST + DYNOPT_KMOD_OVERLAP;

	if (!b->fates || !b->status.refused[others])
		return;
	for (u64 i = 0; i < b->text.end - b->text.start; i++) {
		if (b->fates[i] != others)
			continue;
		b->fates[i] = b->judged[i] = 0;
		b->status.n_heads--;
	}
	b->status.refused[others] = 0;
	for (u32 i = 0; i < b->heat.n; i++)
		b->heat.at[i].fresh = b->heat.at[i].n;
}

bool binary_read(struct binary *b, const struct work *work)
{
	struct failure fail = { 0 };
	enum status status;

	if (b->was_read || b->status.refusal)
		return !b->status.refusal;
	b->was_read = true;
	status = build(b, work, &fail);
	if (status) {
		refuse_file(b, status, fail.addr, fail.detail);
	} else {
		note_text(b);
		if (b->text.cache_end <= b->text.cache)
			refuse_file(b, STATUS_KMOD_FIRST + DYNOPT_KMOD_NO_CACHE, 0, 0);
	}
	if (!b->status.refusal) {
		kept_read(b, take_kept, b);
		return true;
	}
	arena_close(&b->keep);
	arena_close(&b->scratch);
	if (b->size > HEADERS)
		madvise((void *)(uintptr_t)(b->bytes + HEADERS), b->size - HEADERS, MADV_DONTNEED);
	return false;
}

void binary_refuse(struct binary *b, u64 head, u32 reason)
{
	if (reason >= STATUS_REASONS)
		return;
	b->status.refused[reason]++;
	if (!b->status.refused_at[reason])
		b->status.refused_at[reason] = head;
	b->fates[head - b->text.start] = (u8)reason;
}
