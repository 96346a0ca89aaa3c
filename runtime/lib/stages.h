/* SPDX-License-Identifier: MIT */
/*
 * stages.h - the agent's CPU time, by what it was used for.
 */
#ifndef DYNOPT_STAGES_H
#define DYNOPT_STAGES_H

#include "world.h"

/* From now on time is of this stage; returns the one before, which is to be set again. */
u32 stages_enter(u32 stage);
/* What is not of a stage yet is brought up to now. */
void stages_settle(void);

#endif
