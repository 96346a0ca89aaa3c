/* SPDX-License-Identifier: MIT */
/* modules.h - fills world->modules from the loader's list; the caller keeps the loader still. */
#ifndef DYNOPT_MODULES_H
#define DYNOPT_MODULES_H

void modules_read(void);

#endif
