/* SPDX-License-Identifier: MIT */
/*
 * dynopt/dynopt.h - how a source file asks to be left alone.
 *
 * Programs compiled with -fdynopt-jumpstations may be optimized while they run. Code
 * that must not be (it checksums itself, it is patched by others, its timing is
 * measured) says so, and the compiler passes it on in the binary's notes:
 *
 *     DYNOPT_DISABLE int checksum(const void *from, const void *to);
 *
 *     DYNOPT_DISABLE_PUSH
 *     static int a(void) { ... }         // every function defined up to POP
 *     static int b(void) { ... }
 *     DYNOPT_DISABLE_POP
 *
 * A disabled function is not inlined, and nothing of it is patched or translated.
 * Works with clang with or without the flag and its plugins; other compilers see
 * nothing at all. C and C++. The plugins also know __attribute__((dynopt_disable)),
 * [[dynopt::disable]] and #pragma dynopt disable push / pop.
 */
#ifndef DYNOPT_DYNOPT_H
#define DYNOPT_DYNOPT_H

#if defined(__clang__)
#define DYNOPT_DISABLE __attribute__((annotate("dynopt_disable")))
#define DYNOPT_DISABLE_PUSH \
	_Pragma("clang attribute push(__attribute__((annotate(\"dynopt_disable\"))), apply_to = function)")
#define DYNOPT_DISABLE_POP _Pragma("clang attribute pop")
#else
#define DYNOPT_DISABLE
#define DYNOPT_DISABLE_PUSH
#define DYNOPT_DISABLE_POP
#endif

#endif
