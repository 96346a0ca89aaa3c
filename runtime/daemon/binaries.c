/* SPDX-License-Identifier: MIT */
/*
 * binaries.c - see binaries.h. What nobody maps is kept until there are UNUSED_MOST of them; the oldest goes first.
 */
#include "binaries.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNUSED_MOST 32

static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER;
static VEC(struct binary *) all;
static u64 clock_of_use;

static bool is_it(const struct binary *b, const struct stat *st, const struct domain *domain)
{
	u64 mtime_ns = (u64)st->st_mtim.tv_sec * 1000000000u + (u64)st->st_mtim.tv_nsec;

	return b->ino == st->st_ino && b->dev == st->st_dev && b->size == (u64)st->st_size &&
	       b->mtime_ns == mtime_ns && b->domain.uid == domain->uid &&
	       b->domain.user_namespace == domain->user_namespace;
}

static struct binary *find(const struct stat *st, const struct domain *domain)
{
	for (size_t i = 0; i < all.n; i++)
		if (is_it(all.at[i], st, domain))
			return all.at[i];
	return NULL;
}

struct binary *binaries_get(const char *opened, const char *path, const struct domain *domain)
{
	int fd = open(opened, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct binary *b = NULL;
	struct stat st;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		pthread_mutex_lock(&table);
		b = find(&st, domain);
		if (!b) {
			b = binary_new(fd, &st, domain, path);
			fd = -1;
			*vec_add(&all) = b;
		}
		b->users++;
		pthread_mutex_unlock(&table);
	}
	if (fd >= 0)
		close(fd);
	return b;
}

/* With the table's lock. */
static void drop_oldest(void)
{
	size_t unused = 0, oldest = 0;

	for (size_t i = 0; i < all.n; i++) {
		if (all.at[i]->users)
			continue;
		if (!unused++ || all.at[i]->used_at < all.at[oldest]->used_at)
			oldest = i;
	}
	if (unused <= UNUSED_MOST)
		return;
	binary_free(all.at[oldest]);
	all.at[oldest] = all.at[--all.n];
}

void binaries_put(struct binary *b)
{
	pthread_mutex_lock(&table);
	if (--b->users == 0) {
		b->owned = false; /* the module forgets it with its last mapping */
		b->used_at = ++clock_of_use;
		drop_oldest();
	}
	pthread_mutex_unlock(&table);
}

u32 binaries_users(const struct binary *b)
{
	u32 n;

	pthread_mutex_lock(&table);
	n = b->users;
	pthread_mutex_unlock(&table);
	return n;
}
