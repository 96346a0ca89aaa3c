/* SPDX-License-Identifier: MIT */
/*
 * say.h - the driver's own messages: one line each, on stderr, prefixed like
 * clang's own. Warnings are never turned into errors (-Werror is about the
 * user's code) and are silenced by -w.
 */
#ifndef DYNOPT_DRIVER_SAY_H
#define DYNOPT_DRIVER_SAY_H

#define EXIT_NO_COMPILER 127

void fail(int status, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
