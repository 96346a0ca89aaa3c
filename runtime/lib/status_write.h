/* SPDX-License-Identifier: MIT */
/* status_write.h - writes the status file (status_file.h) anew; failures leave the old one. In the agent. */
#ifndef DYNOPT_STATUS_WRITE_H
#define DYNOPT_STATUS_WRITE_H

#include "world.h"

void status_write(void);
/* The same without functions, for an agent that ends at any instruction: what it was at is not looked at. */
void status_write_last(void);
/* Which of the modules in the file an image belongs to. */
u32 status_row(const struct image *image);

/* Has somebody asked to withdraw everything since it was asked last (dynopt disable)? */
bool status_disable_asked(void);

/* Now if the last time was a while ago, else at a later status_tick(): loading libraries in a loop must not mean writing in a loop. */
void status_soon(void);
void status_tick(void);

#endif
