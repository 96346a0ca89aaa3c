/* SPDX-License-Identifier: MIT */
/*
 * loader.h - follows dlopen and dlclose by the place that the loader offers to debuggers (r_brk, link.h).
 */
#ifndef DYNOPT_LOADER_H
#define DYNOPT_LOADER_H

/* Makes the loader call us there. In the agent; sets world->cause LOADER if its code is not as expected. */
void loader_hook(void);

#endif
