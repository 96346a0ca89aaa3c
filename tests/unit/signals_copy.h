/* SPDX-License-Identifier: MIT */
/*
 * signals_copy.h - a translation made by hand, and what the signal layer asks about it.
 *
 * `copy` is a copy of the functions below at another address, and store_find() here knows it. The originals add 1 where
 * the copies were changed to add 100, so the result of a call tells where it ran.
 */
#ifndef DYNOPT_TEST_SIGNALS_COPY_H
#define DYNOPT_TEST_SIGNALS_COPY_H

#include "fault.h"
#include "host.h"
#include "port.h"

#include <stdatomic.h>

/* Each returns 1 + what was added behind the instruction that traps. */
extern const char originals[], originals_end[];
extern const char at_ud2[], at_int3[], behind_int3[], at_load[], at_div[], at_x87[], behind_x87[],
	at_spin[];
long original_ud2(void), original_int3(void), original_load(void), original_div(void);
long original_x87(void), original_spin(volatile int *argument);
/*
 * A translation of original_owed with its call inlined: at ud2 the return address is owed, rsp 8 too high. The other one
 * has a stack of its own, rdi, where nothing can be written, and stores there.
 */
extern const char at_owed[], behind_owed[], owed_start[], owed_ud2[], owed_store[], owed_back[],
	owed_end[];
long owed_elsewhere(volatile int *stack);

/* Before anything else. */
void make_copy(void);
extern char *copy;
size_t copy_size(void); /* bytes */
/* Where in the copy something of the originals is. */
char *copied(const void *original);
/* Runs the copy of a function. */
long call_with(const void *original, volatile int *argument);
long call(long (*original)(void));

/* What was asked of the runtime. */
extern atomic_ulong n_withdrawn;
extern enum status_cause withdrawn_cause;
extern bool fault_is_to_be_ours; /* what host_fault_is_ours() answers */
extern struct fault fault_seen; /* of what it was asked */
extern atomic_ulong shown_original; /* address, of the last */

#endif
