/* SPDX-License-Identifier: MIT */
/*
 * binary.h - a file that attached processes map: where its code is hot, and what the kernel module has made of it.
 *
 *     samples of all its processes -> heat -> hot functions -> trees -> the module -> fates
 *
 * There is one for each file and domain (whoever shares translations), so what one process has found out serves all. It is kept for a
 * while when nobody maps it, with the traces that were published: the module forgets a file with its last mapping, and is told them
 * again when the next process comes.
 *
 * `lock` holds all but the identity, which never changes, and what the table's lock holds (binaries.h).
 */
#ifndef DYNOPT_DAEMON_BINARY_H
#define DYNOPT_DAEMON_BINARY_H

#include "heat.h"
#include "kernel_device.h"
#include "status_file.h"
#include "text.h"

#include <pthread.h>
#include <sys/stat.h>

/* Whose translations it is about. */
struct domain {
	u64 uid, user_namespace;
};

struct binary {
	struct domain domain;
	dev_t dev;
	ino_t ino;
	u64 size, mtime_ns;
	u32 users; /* processes that map it; the table's lock */
	u64 used_at; /* when the last one went; the table's lock */

	pthread_mutex_t lock;
	int fd;
	const u8 *bytes; /* copied; NULL: the file cannot be used */
	struct elf_view view;
	bool was_read, owned; /* the module was told of it since somebody maps it */
	struct arena keep, scratch;
	struct text text;
	void *decoder;
	u8 *judged,
		*fates; /* for each byte of text: warm.h; enum status of the head there, FATE_TRANSLATED, or 0 */
	struct heat_table heat; /* by link-time address */
	u32 fresh; /* samples since it was looked at */
	u32 unseen, doubts; /* samples since one was in a translation; how often that was doubted */
	struct kernel_batch kept; /* traces that were published */
	struct kernel_pace pace;
	bool enough; /* the module takes no more of it, until it has forgotten it */
	bool all; /* one of its processes wants what saves nothing, too; the others share it */
	struct status_module status;
	VEC(struct status_translation) translations; /* of kept, one for each */
};

#define FATE_TRANSLATED 0xff

/* On whose behalf something is done. */
struct work {
	int device;
	s32 domain; /* DYNOPT_DOMAIN_..., or a PID */
	bool all; /* also what is thought to save nothing */
	const char *leave; /* ranges that are left alone (lib/leave.h) */
};

/* Takes fd. Never fails: what cannot be used says so in its status. */
struct binary *binary_new(int fd, const struct stat *st, const struct domain *domain,
                          const char *path);
void binary_free(struct binary *binary);

/* A sample at an offset in the file. */
void binary_sample(struct binary *binary, u64 offset, bool inside);
/* Reads its text, once. False: it is refused, and status says why. With the lock. */
bool binary_read(struct binary *binary, const struct work *work);
/* Counts a translation that the module has. With the lock. */
void binary_translated(struct binary *binary, const struct status_translation *translation);
/* The module may have forgotten the file: what others had asked for may be found again. With the lock. */
void binary_forget_others(struct binary *binary);
/* Counts a refusal of the head; `reason` as in struct status_module. With the lock. */
void binary_refuse(struct binary *binary, u64 head, u32 reason);

/* hunt.c: has what has become hot translated. True if anything was asked of the module. */
bool binary_look(struct binary *binary, const struct work *work);
/* Heads that were not tried yet, so many that it takes not too long. False: there are none. */
bool binary_eager(struct binary *binary, const struct work *work);
/* The module's queue is filling: what comes next is to come later. */
bool binary_is_slowed(struct binary *binary);
/* A process begins to map it: the module is told again what it may have forgotten. */
void binary_begin(struct binary *binary, const struct work *work);

#endif
