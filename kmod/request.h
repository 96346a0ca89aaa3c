/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * request.h - what a request says, once it has been copied from its caller.
 *
 * Freestanding: the module and a fuzzer in user space compile the same file. Nothing here is trusted, nothing
 * outside the arguments is looked at.
 */
#ifndef DYNOPT_KMOD_REQUEST_H
#define DYNOPT_KMOD_REQUEST_H

#include "port.h"
#include "dynopt_ioctl.h"
#include "trace.h"

/* A struct of `size` bytes, as the caller knows it, which has `first` in version 1. */
enum dynopt_kmod_status request_size(u32 size, u32 first, u32 most);
enum dynopt_kmod_status request_process(const struct dynopt_ioc_process *process);
enum dynopt_kmod_status request_patch(const struct dynopt_ioc_patch *patch);
enum dynopt_kmod_status request_undo(const struct dynopt_ioc_undo *undo);
enum dynopt_kmod_status request_submit(const struct dynopt_ioc_submit *submit);
enum dynopt_kmod_status request_sample(const struct dynopt_ioc_sample *sample);
enum dynopt_kmod_status request_policy(const struct dynopt_ioc_policy *policy);

/* How much memory request_traces() fills: bytes of blocks, and of traces. */
static inline u64 request_blocks_size(const struct dynopt_ioc_submit *submit)
{
	return (u64)submit->n_blocks * sizeof(struct trace_block);
}

static inline u64 request_traces_size(const struct dynopt_ioc_submit *submit)
{
	return (u64)submit->n_traces * sizeof(struct trace);
}

/* The engine's form of what the caller's two arrays say. */
enum dynopt_kmod_status request_traces(const struct dynopt_ioc_submit *submit,
                                       const struct dynopt_ioc_trace *traces,
                                       const struct dynopt_ioc_block *blocks,
                                       struct trace_block *out_blocks, struct trace *out_traces);

#endif
