/* SPDX-License-Identifier: MIT */
/*
 * stages.c - see stages.h. Only the agent asks, or the thread that does its work.
 */
#include "stages.h"

#include "sys.h"

static u64 since_ns;

u32 stages_enter(u32 stage)
{
	u32 before = world->stage;
	u64 now = sys_cpu_ns();

	world->stage_ns[before] += now - since_ns;
	world->stage = stage;
	since_ns = now;
	return before;
}

void stages_settle(void)
{
	stages_enter(world->stage);
}
