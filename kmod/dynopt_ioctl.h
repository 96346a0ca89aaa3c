/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * dynopt_ioctl.h - what /dev/dynopt understands; the module and its users include this file.
 *
 * Each request is one struct that starts with its size as the caller knows it, and a status.
 * A struct may grow at its end: a shorter one is read as if zeros followed, down to the size
 * of version 1; a longer one is understood if what follows is zero. The call returns 0 or a
 * negative errno, and status says by name what was met (kmod_status.def); nothing was
 * changed then. All numbers are in the host's byte order; pad is zero.
 */
#ifndef DYNOPT_IOCTL_H
#define DYNOPT_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define DYNOPT_DEVICE "/dev/dynopt"

#define DYNOPT_ABI_MIN 1
#define DYNOPT_ABI_MAX 1

/* What the loaded module can do: dynopt_ioc_hello.features. */
#define DYNOPT_FEATURE_FIXED_PATCH 0x1 /* translations are given as bytes: DYNOPT_PATCH_FIXED */
#define DYNOPT_FEATURE_GATE 0x2 /* sites change while no thread can execute them */
#define DYNOPT_FEATURE_TRACES 0x4 /* it translates: DYNOPT_IOC_SUBMIT */
#define DYNOPT_FEATURE_SAMPLES 0x10 /* it samples: DYNOPT_IOC_SAMPLE */
#define DYNOPT_FEATURE_COOKIE 0x8 /* sites change in place, if asked: DYNOPT_PATCH_COOKIE */
#define DYNOPT_FEATURE_QUEUE \
	0x20 /* blocks of traces wait in a queue: DYNOPT_SUBMIT_QUEUE, DYNOPT_IOC_REPORTS */
#define DYNOPT_FEATURE_DOMAINS 0x40 /* each user has pages of his own: DYNOPT_DOMAIN_... */

enum dynopt_kmod_status {
	DYNOPT_KMOD_OK,
#define X(name, error, text) DYNOPT_KMOD_##name,
#include "kmod_status.def"
#undef X
	DYNOPT_KMOD_STATUS_N
};

enum dynopt_kmod_counter {
#define X(name, kind, text) DYNOPT_COUNTER_##name,
#include "kmod_counters.def"
#undef X
	DYNOPT_COUNTER_N
};

/* Finds a version that both sides know: the highest from min to max. */
struct dynopt_ioc_hello {
	__u32 size;
	__u32 status;
	__u32 min; /* in: what the caller understands */
	__u32 max;
	__u32 version; /* out */
	__u32 n_counters; /* out: counters that DYNOPT_IOC_QUERY has */
	__u64 features; /* out */
};

/*
 * Whose translations: processes of one user in one user namespace share theirs, and nothing with others. The system's
 * domain, off by default (dynopt_ioc_policy), is for processes of all users; the administrator puts them there, and submits.
 */
#define DYNOPT_DOMAIN_OWN 0 /* the caller's user's */
#define DYNOPT_DOMAIN_SYSTEM (-1) /* administrator */
/* above 0: that of the registered process with this PID; administrator */

/* A process whose mappings the module may take over; 0 is the caller. */
struct dynopt_ioc_process {
	__u32 size;
	__u32 status;
	__s32 pid; /* in the caller's PID namespace */
	__u32 mappings; /* out: how many of its mappings are taken over now */
	/* version 1 ends here */
	__s32 domain; /* REGISTER: DYNOPT_DOMAIN_OWN, the process's own user's; or DYNOPT_DOMAIN_SYSTEM */
	__u32 pad;
};

#define DYNOPT_OLD_MAX 15
#define DYNOPT_CODE_MAX 96

/*
 * One site of a file: the instruction `old` at `offset` becomes a jump to `cache_offset`,
 * where `code` is put, followed by a jump back behind the instruction. For tests: nobody
 * checks here that `old` is one instruction and that `code` does the same.
 */
struct dynopt_ioc_patch {
	__u32 size;
	__u32 status;
	__s32 fd; /* the file, open for reading */
	__u32 kind; /* DYNOPT_PATCH_FIXED */
	__u64 offset; /* in the file */
	__u64 cache_offset; /* in the file's code cache, which holds int3 there */
	__u8 old_len; /* 5 to 15 */
	__u8 code_len; /* 1 to 96 */
	__u8 flags;
	__u8 pad[5];
	__u8 old[16];
	__u8 code[DYNOPT_CODE_MAX];
};
#define DYNOPT_PATCH_FIXED 1
#define DYNOPT_PATCH_COOKIE 0x1 /* in flags: the site changes in place, under an int3 */

/*
 * Traces of a file that a registered process maps: which basic blocks are executed one after the other. They are
 * suggestions: the module reads the file's own notes and text, and publishes what it can prove to do the same,
 * for all registered processes of the domain that map the file. Each trace gets a report.
 *
 * What one call brings is a block of traces. It waits in a queue, which is bounded as a whole, by user and by process
 * (FIFO_FULL, FIFO_QUOTA), and from which users, and a user's processes, are served in turn. When its time is used up, what is
 * complete is published and the rest given up (BLOCK_TIME in those traces' reports). The call waits for the reports, or, with
 * DYNOPT_SUBMIT_QUEUE, does not: then they are read with DYNOPT_IOC_REPORTS from the same descriptor, which is readable
 * (poll) when there are some. Closing the descriptor gives up its blocks.
 */
#define DYNOPT_SUBMIT_TRACES_MAX 256
#define DYNOPT_SUBMIT_BLOCKS_MAX 16384
#define DYNOPT_SUBMIT_ALL 0x1 /* also what is not expected to save instructions */
#define DYNOPT_SUBMIT_QUEUE 0x2 /* do not wait; reports is 0 */

struct dynopt_ioc_trace {
	__u32 n_blocks; /* the next so many of the blocks */
	__u32 entries; /* how often it is entered, beside others; 0: not known */
};

struct dynopt_ioc_block {
	__u64 start; /* address as linked */
	__u32 parent; /* an earlier block of this trace, from 0; 0xffffffff for its first */
	__u32 weight; /* executions for 1,000 entries; 0: not known */
	__u32 branch; /* how many of 1,000 take the branch at its end, and 1; 0: not known */
	__u32 pad;
};

struct dynopt_ioc_report {
	__u64 head; /* where the trace starts, as linked */
	__u64 site; /* where the jump was put; 0: nowhere */
	__u64 cost_original, cost; /* instructions for 1,024 entries, an estimate */
	__u32 insns; /* original instructions that it has */
	__u32 bytes; /* of the code cache */
	char status[32]; /* "OK", or a name of kmod_status.def or the engine's engine_status.def */
};

struct dynopt_ioc_submit {
	__u32 size;
	__u32 status;
	__s32 fd; /* the file, open for reading */
	__u32 flags; /* DYNOPT_SUBMIT_... */
	__u32 n_traces;
	__u32 n_blocks; /* of all traces together */
	__u64 traces; /* address of n_traces dynopt_ioc_trace */
	__u64 blocks; /* address of n_blocks dynopt_ioc_block */
	__u64 reports; /* address of room for n_traces dynopt_ioc_report */
	__u32 published; /* out: how many were put into the text */
	__s32 domain; /* DYNOPT_DOMAIN_..., or a PID */
	/* version 1 ends here */
	__u64 id; /* out: the block's number, from 1; with DYNOPT_SUBMIT_QUEUE */
	__u32 advice; /* out: DYNOPT_ADVICE_..., if it was waited for */
	__u32 pad;
};

/*
 * The reports of the oldest block of this descriptor that is done, taken out of the queue with that: it had counted up to
 * then. NO_REPORTS: none is done. REPORTS_ROOM: it has more traces than there is room; n says how many.
 */
struct dynopt_ioc_reports {
	__u32 size;
	__u32 status;
	__u32 n; /* in: room in reports[]; out: how many were written */
	__u32 block_status; /* out: what SUBMIT would have answered; a name of kmod_status.def */
	__u64 id; /* out: which block it was */
	__u64 reports; /* address of n dynopt_ioc_report */
	__u32 published; /* out */
	__u32 advice; /* out: DYNOPT_ADVICE_... */
	__u64 waited_us; /* out: how long it was in the queue */
	__u64 time_us; /* out: CPU time that it took */
	__u32 more; /* out: blocks of this descriptor that are done, and not read yet */
	__u32 waiting; /* out: blocks of this descriptor that are not done yet */
};
#define DYNOPT_ADVICE_SMALLER 0x1 /* its time ended: send fewer traces in a block */
#define DYNOPT_ADVICE_ENOUGH 0x2 /* the file has no room left: send no more of it */
#define DYNOPT_ADVICE_GONE 0x4 /* no registered process of the domain maps the file */
#define DYNOPT_ADVICE_SLOWER 0x8 /* the queue is half full, or the user's or process's part of it */

/* Reads the policy, or, with DYNOPT_POLICY_SET, the administrator's, changes it; what is 0 stays as it is. */
#define DYNOPT_POLICY_SET 0x1
#define DYNOPT_POLICY_SYSTEM_ON 0x2 /* the system's domain; out: it is on */
#define DYNOPT_POLICY_SYSTEM_OFF 0x4 /* nobody new comes in, and no traces; who is in stays */

struct dynopt_ioc_policy {
	__u32 size;
	__u32 status;
	__u32 flags; /* DYNOPT_POLICY_... */
	__u32 block_us; /* CPU time of a block of traces */
	__u32 queue_blocks; /* in the queue, at most, reports that are not read included */
	__u32 user_blocks; /* of these one user's */
	__u32 process_blocks; /* of these one process's */
	__u32 user_pages; /* pages of the module's own, in all files of one domain */
	/* version 1 ends here */
	__u32 leave_ms; /* how long UNREGISTER waits for threads that stand in translations; then it answers LEAVING */
	__u32 pad;
};

/* Brings back the instruction at `offset`, or all of the file's with DYNOPT_UNDO_ALL. */
struct dynopt_ioc_undo {
	__u32 size;
	__u32 status;
	__s32 fd;
	__u32 flags;
	__u64 offset;
	__u32 undone; /* out: how many sites were brought back */
	__s32 domain; /* DYNOPT_DOMAIN_..., or a PID */
};
#define DYNOPT_UNDO_ALL 0x1
#define DYNOPT_UNDO_COOKIE 0x2 /* in place, under an int3 */

/*
 * Samples of where a registered process executes in user mode, itself or, for the administrator, another. In what was translated from
 * traces: the address of the original, and DYNOPT_SAMPLE_INSIDE.
 */
#define DYNOPT_SAMPLE_INSIDE (1ull << 63)
#define DYNOPT_SAMPLE_STOP 0
#define DYNOPT_SAMPLE_START 1
#define DYNOPT_SAMPLE_READ 2
#define DYNOPT_SAMPLE_PERIOD_MIN_US 1000

struct dynopt_ioc_sample {
	__u32 size;
	__u32 status;
	__s32 pid; /* 0: the caller */
	__u32 flags; /* one of DYNOPT_SAMPLE_... */
	__u32 period_us; /* START: CPU time of a thread from sample to sample */
	__u32 n; /* READ: in: room in ips[]; out: how many were written */
	__u64 ips; /* READ: address of n __u64 */
	__u64 lost; /* out: samples that found the ring full, since the start */
};

struct dynopt_ioc_query {
	__u32 size;
	__u32 status;
	__u32 n; /* in: room in counters[]; out: how many were written */
	__u32 pad;
	__u64 counters; /* address of n __u64, in the order of kmod_counters.def */
};

#define DYNOPT_IOC_HELLO _IOWR('D', 0x60, struct dynopt_ioc_hello)
#define DYNOPT_IOC_REGISTER _IOWR('D', 0x61, struct dynopt_ioc_process)
#define DYNOPT_IOC_UNREGISTER _IOWR('D', 0x62, struct dynopt_ioc_process)
#define DYNOPT_IOC_PATCH _IOWR('D', 0x63, struct dynopt_ioc_patch)
#define DYNOPT_IOC_UNDO _IOWR('D', 0x64, struct dynopt_ioc_undo)
#define DYNOPT_IOC_QUERY _IOWR('D', 0x65, struct dynopt_ioc_query)

#define DYNOPT_IOC_SUBMIT _IOWR('D', 0x66, struct dynopt_ioc_submit)

#define DYNOPT_IOC_SAMPLE _IOWR('D', 0x67, struct dynopt_ioc_sample)
#define DYNOPT_IOC_REPORTS _IOWR('D', 0x68, struct dynopt_ioc_reports)
#define DYNOPT_IOC_POLICY _IOWR('D', 0x69, struct dynopt_ioc_policy)

#ifdef __cplusplus
#define DYNOPT_ABI_ASSERT(condition) static_assert(condition, #condition)
#else
#define DYNOPT_ABI_ASSERT(condition) _Static_assert(condition, #condition)
#endif
DYNOPT_ABI_ASSERT(sizeof(struct dynopt_ioc_hello) == 32);
DYNOPT_ABI_ASSERT(sizeof(struct dynopt_ioc_process) == 24);
DYNOPT_ABI_ASSERT(sizeof(struct dynopt_ioc_patch) == 152);
DYNOPT_ABI_ASSERT(sizeof(struct dynopt_ioc_undo) == 32);
DYNOPT_ABI_ASSERT(sizeof(struct dynopt_ioc_query) == 24);
DYNOPT_ABI_ASSERT(sizeof(struct dynopt_ioc_sample) == 40);
DYNOPT_ABI_ASSERT(sizeof(struct dynopt_ioc_trace) == 8);
DYNOPT_ABI_ASSERT(sizeof(struct dynopt_ioc_block) == 24);
DYNOPT_ABI_ASSERT(sizeof(struct dynopt_ioc_report) == 72);
DYNOPT_ABI_ASSERT(sizeof(struct dynopt_ioc_submit) == 72);
DYNOPT_ABI_ASSERT(sizeof(struct dynopt_ioc_reports) == 64);
DYNOPT_ABI_ASSERT(sizeof(struct dynopt_ioc_policy) == 40);

#endif
