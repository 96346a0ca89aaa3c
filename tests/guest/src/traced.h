/* SPDX-License-Identifier: MIT */
/*
 * traced.h - translate, the program that run.sh compiles with the flag, as processes that work when asked, and its traces.
 */
#ifndef TRACED_H
#define TRACED_H

#include "guest.h"

#define TRACED "/t/bin/translate"
#define TRACES_MAX 4096

/* What grow_traces found in it; each trace's blocks follow those of the one before. */
extern struct dynopt_ioc_trace traces[TRACES_MAX];
extern struct dynopt_ioc_block blocks[];
extern uint32_t n_traces;
/* Skips the test if there are none. */
void traces_read(void);
/* Of another program. */
void traces_read_from(const char *path);
/* How many blocks come before those of this trace. */
uint32_t traces_blocks(uint32_t trace);
/* A request with the traces from `first` on, at most n; without reports. */
void traced_fill(struct dynopt_ioc_submit *submit, int file, uint32_t first, uint32_t n);
/* Where an address of a program is in its file, which is `program`; it is not position-independent. */
uint64_t traced_offset(const char *program, uint64_t addr);
/* All of them, in as many calls as it takes; how many were published. */
uint32_t traced_submit_all(int device, int file, struct dynopt_ioc_report reports[TRACES_MAX]);

/* A good trace in which something is changed: moved, cut, joined with another, or a parent that is none. */
void traced_spoil(struct dynopt_ioc_block *trace, uint32_t *n, uint32_t (*below)(uint32_t n));

struct traced_question {
	uint64_t seed, rounds, ticks; /* rounds: at least; then until there were so many signals */
	uint64_t frame_of; /* address */
};
struct traced_reply {
	uint64_t sum, signals, in_cache, frame;
};

/* `path`: the program, or /proc/self/exe where that is it. */
struct run traced_start(const char *path);
void traced_ask(const struct run *run, uint64_t seed, uint64_t rounds, uint64_t ticks,
                uint64_t frame_of);
struct traced_reply traced_answer(const struct run *run);
uint64_t traced_sum(const struct run *run, uint64_t seed);
/* The physical page that it executes from at this address. */
uint64_t traced_frame(const struct run *run, uint64_t addr);

#endif
