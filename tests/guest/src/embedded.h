/* SPDX-License-Identifier: MIT */
/* embedded.h - the engine in a process, to compare the module's with. */
#ifndef EMBEDDED_H
#define EMBEDDED_H

/* CPU time, us, for the program's text, and for n of its traces as the module translates them; how many of those it accepts. */
struct embedded {
	double text_us, traces_us;
	unsigned int accepted;
};
struct embedded embedded_translate(const char *path, const char *traces_path, unsigned int n);

#endif
