/* SPDX-License-Identifier: MIT */
/*
 * kept.c - see kept.h. Written whole, and renamed over the old one.
 */
#include "kept.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC 0x746b6e79u /* "ynkt" */
#define VERSION 1
#define FILES_MOST 256
#define TRACES_MOST 65536
#define SUFFIX ".kept"

/* Then the traces, their blocks, and the translations, one for each trace. */
struct head {
	u32 magic, version;
	u64 dev, ino, size, mtime_ns, uid, user_namespace;
	u32 n_traces, n_blocks;
};

static const char *folder;

static char *name_of(const struct binary *b)
{
	return base_printf("%s/%llx-%llx-%llu-%llu" SUFFIX, folder, (unsigned long long)b->dev,
	                   (unsigned long long)b->ino, (unsigned long long)b->domain.uid,
	                   (unsigned long long)b->domain.user_namespace);
}

static struct head head_of(const struct binary *b)
{
	return (struct head){ .magic = MAGIC,
		              .version = VERSION,
		              .dev = b->dev,
		              .ino = b->ino,
		              .size = b->size,
		              .mtime_ns = b->mtime_ns,
		              .uid = b->domain.uid,
		              .user_namespace = b->domain.user_namespace,
		              .n_traces = (u32)b->kept.traces.n,
		              .n_blocks = (u32)b->kept.blocks.n };
}

/* ---- the folder ---- */

struct old {
	char *path;
	s64 changed_ns;
};

static int by_age(const void *a, const void *b)
{
	const struct old *x = a, *y = b;

	return (x->changed_ns > y->changed_ns) - (x->changed_ns < y->changed_ns);
}

void kept_folder(const char *path)
{
	VEC(struct old) all = { 0 };
	DIR *in = opendir(path);
	struct dirent *entry;

	folder = path;
	while (in && (entry = readdir(in))) {
		struct old one = { .path = base_printf("%s/%s", path, entry->d_name) };
		struct stat st;

		if (!strstr(entry->d_name, SUFFIX) || lstat(one.path, &st) != 0) {
			free(one.path);
			continue;
		}
		one.changed_ns = (s64)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
		*vec_add(&all) = one;
	}
	if (in)
		closedir(in);
	if (all.n)
		qsort(all.at, all.n, sizeof(*all.at), by_age);
	for (size_t i = 0; i < all.n; i++) {
		if (all.n - i > FILES_MOST)
			unlink(all.at[i].path);
		free(all.at[i].path);
	}
	free(all.at);
}

/* ---- out ---- */

static bool put(FILE *out, const void *bytes, size_t size, size_t n)
{
	return fwrite(bytes, size, n, out) == n;
}

static bool put_all(FILE *out, const struct binary *b)
{
	const struct head head = head_of(b);

	return put(out, &head, sizeof(head), 1) &&
	       put(out, b->kept.traces.at, sizeof(*b->kept.traces.at), b->kept.traces.n) &&
	       put(out, b->kept.blocks.at, sizeof(*b->kept.blocks.at), b->kept.blocks.n) &&
	       put(out, b->translations.at, sizeof(*b->translations.at), b->translations.n);
}

void kept_write(const struct binary *b)
{
	char *path, *fresh;
	FILE *out;
	bool done;
	int fd;

	if (b->kept.traces.n > TRACES_MOST)
		return;
	path = name_of(b);
	fresh = base_printf("%s~", path);
	unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	out = fd < 0 ? NULL : fdopen(fd, "w");
	done = out && put_all(out, b);
	done = out && fclose(out) == 0 && done;
	if (!done || rename(fresh, path) != 0) {
		base_complain(path, "%s", strerror(errno));
		unlink(fresh);
	}
	free(fresh);
	free(path);
}

/* ---- in ---- */

static bool read_all(int fd, void *to, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read(fd, (char *)to + done, size - done);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* The descriptor behind the head; -1: there is none, or of another file. */
static int open_head(const struct binary *b, struct head *head)
{
	char *path = name_of(b);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct head wanted = head_of(b);

	free(path);
	if (fd < 0)
		return -1;
	if (read_all(fd, head, sizeof(*head)) && head->n_traces <= TRACES_MOST &&
	    head->n_blocks >= head->n_traces && head->n_blocks <= TRACES_MOST * 64u) {
		wanted.n_traces = head->n_traces;
		wanted.n_blocks = head->n_blocks;
		if (memcmp(&wanted, head, sizeof(wanted)) == 0)
			return fd;
	}
	close(fd);
	return -1;
}

bool kept_has(const struct binary *b)
{
	struct head head;
	int fd = open_head(b, &head);

	if (fd >= 0)
		close(fd);
	return fd >= 0 && head.n_traces;
}

/* Do the blocks of all traces make up what there is, and is each translation one of its trace? */
static bool adds_up(const struct head *head, const struct dynopt_ioc_trace *traces,
                    const struct dynopt_ioc_block *blocks,
                    const struct status_translation *translations)
{
	u64 n = 0;

	for (u32 i = 0; i < head->n_traces; i++) {
		if (!traces[i].n_blocks || traces[i].n_blocks > head->n_blocks - n)
			return false;
		if (translations[i].head != blocks[n].start || translations[i].hop >= HOP_KINDS)
			return false;
		for (u32 k = 0; k < traces[i].n_blocks; k++)
			if (k ? blocks[n + k].parent >= k : blocks[n + k].parent != TRACE_NO_PARENT)
				return false;
		n += traces[i].n_blocks;
	}
	return n == head->n_blocks;
}

void kept_read(const struct binary *b,
               void (*take)(void *ctx, const struct trace *trace,
                            const struct status_translation *translation),
               void *ctx)
{
	struct dynopt_ioc_trace *traces;
	struct dynopt_ioc_block *blocks;
	struct status_translation *translations;
	struct trace_block *copy;
	struct head head;
	int fd = open_head(b, &head);

	if (fd < 0)
		return;
	traces = base_calloc(head.n_traces + 1, sizeof(*traces));
	blocks = base_calloc(head.n_blocks + 1, sizeof(*blocks));
	translations = base_calloc(head.n_traces + 1, sizeof(*translations));
	copy = base_calloc(head.n_blocks + 1, sizeof(*copy));
	if (read_all(fd, traces, head.n_traces * sizeof(*traces)) &&
	    read_all(fd, blocks, head.n_blocks * sizeof(*blocks)) &&
	    read_all(fd, translations, head.n_traces * sizeof(*translations)) &&
	    adds_up(&head, traces, blocks, translations)) {
		const struct dynopt_ioc_block *from = blocks;

		for (u32 i = 0; i < head.n_traces; i++) {
			for (u32 k = 0; k < traces[i].n_blocks; k++, from++)
				copy[k] = (struct trace_block){ from->start, from->parent,
					                        from->weight, from->branch };
			take(ctx, &(struct trace){ copy, traces[i].n_blocks, traces[i].entries },
			     &translations[i]);
		}
	}
	close(fd);
	free(copy);
	free(translations);
	free(blocks);
	free(traces);
}
