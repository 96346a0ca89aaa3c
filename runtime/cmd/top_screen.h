/* SPDX-License-Identifier: MIT */
/*
 * top_screen.h - a terminal that is drawn on anew and listens for a key; on anything else pages follow one another.
 */
#ifndef DYNOPT_RUNTIME_TOP_SCREEN_H
#define DYNOPT_RUNTIME_TOP_SCREEN_H

#include "base.h"

/* Takes the terminal's line editing away, where there is one, until screen_end(). SIGINT and SIGTERM only end screen_wait() from here on. */
void screen_begin(void);
void screen_end(void);
/* Lines and columns that a page may have; 0: no limit. */
void screen_size(unsigned *lines, unsigned *columns);
/* Begins a page. */
void screen_clear(void);
/* Waits; false: the user wants to quit (q, ^C), or nobody reads any more. */
bool screen_wait(unsigned ms);

#endif
