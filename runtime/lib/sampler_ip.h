/* SPDX-License-Identifier: MIT */
/*
 * sampler_ip.h - sampler `ip`, for the one that adds to it.
 */
#ifndef DYNOPT_SAMPLER_IP_H
#define DYNOPT_SAMPLER_IP_H

#include "perf_rings.h"
#include "sampler.h"

/* As in struct sampler. */
long sampler_ip_open(int pid);
u64 sampler_ip_period(u64 ns);
void sampler_ip_rest(bool rest);
long sampler_ip_read(sampler_take_fn *take, void *ctx);
void sampler_ip_close(void);

#endif
