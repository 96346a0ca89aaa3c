/* SPDX-License-Identifier: MIT */
/*
 * signals_api.c - the functions of libc that this library puts itself in front of.
 *
 * Each does what libc's does, by calling it: handlers are replaced by their thunks on the way in, thunks by their
 * handlers on the way out, everything else passes as it is. No system call is added (but for the signal that samples, sampler_timer.h), so a
 * seccomp filter sees what it would see without dynopt. libc's siginterrupt, sigignore, sighold, system, posix_spawn and abort keep or
 * drop whatever handler is set: they need no change, nor does anything that only moves masks or waits for signals.
 *
 * Always in force, from the first call on, also before and without translations: thunks only look addresses
 * up. Next functions are looked up in a constructor; a call that comes earlier, from another library's
 * constructor, looks its own one up.
 *
 * pthread_setcanceltype is here because libc installs its handler for asynchronous cancellation without
 * sigaction and unwinds from wherever the thread stands: such a program runs without translations.
 */
#include "host.h"
#include "sampler_timer.h"
#include "signals_private.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef void (*handler_fn)(int);

/* BSD's, which libc 2.21 took out of its headers and still has for old programs. */
struct sigvec {
	handler_fn sv_handler;
	int sv_mask, sv_flags;
};
#define SV_RESETHAND 4

/* X(function, version or NULL): what is called behind ours. */
#define NEXT_FUNCTIONS(X) \
	X(sigaction, NULL) \
	X(__sigaction, NULL) \
	X(signal, NULL) \
	X(bsd_signal, NULL) \
	X(ssignal, NULL) \
	X(sysv_signal, NULL) \
	X(__sysv_signal, NULL) \
	X(sigset, NULL) \
	X(sigvec, "GLIBC_2.2.5") \
	X(pthread_setcanceltype, NULL)

enum next {
#define X(name, version) NEXT_##name,
	NEXT_FUNCTIONS(X)
#undef X
		N_NEXT
};

static const struct {
	const char *name, *version;
} next_names[] = {
#define X(name, version) { #name, version },
	NEXT_FUNCTIONS(X)
#undef X
};
static void *_Atomic next_functions[N_NEXT];

/* NULL, with ENOSYS, where this libc has none. */
static void *next_function(enum next which)
{
	void *at = atomic_load_explicit(&next_functions[which], memory_order_relaxed);
	int saved = errno;

	if (at)
		return at;
	at = next_names[which].version
	             ? dlvsym(RTLD_NEXT, next_names[which].name, next_names[which].version)
	             : dlsym(RTLD_NEXT, next_names[which].name);
	atomic_store_explicit(&next_functions[which], at, memory_order_relaxed);
	errno = at ? saved : ENOSYS;
	return at;
}

__attribute__((constructor(101))) static void find_next_functions(void)
{
	int saved = errno;

	for (int i = 0; i < N_NEXT; i++)
		next_function((enum next)i);
	errno = saved;
}

static int set_action(enum next which, int sig, const struct sigaction *act, struct sigaction *old)
{
	int (*next)(int, const struct sigaction *, struct sigaction *) = next_function(which);
	struct sigaction wrapped, replaced;

	if (!next)
		return -1;
	if (act) {
		sampler_timer_yield(sig);
		wrapped = *act;
		wrapped.sa_handler = (handler_fn)signals_wrap(sig, (uintptr_t)act->sa_handler);
	}
	if (!old)
		return next(sig, act ? &wrapped : NULL, NULL);
	replaced = *old; /* what libc leaves alone stays as it is */
	if (next(sig, act ? &wrapped : NULL, &replaced) != 0)
		return -1;
	if (sampler_timer_is_ours((uintptr_t)replaced.sa_handler))
		memset(&replaced, 0, sizeof(replaced)); /* as it was before */
	replaced.sa_handler = (handler_fn)signals_unwrap((uintptr_t)replaced.sa_handler);
	*old = replaced;
	return 0;
}

typedef handler_fn setter_fn(int, handler_fn);

static handler_fn set_handler(enum next which, int sig, handler_fn handler)
{
	setter_fn *next = next_function(which);
	uintptr_t wrapped;

	sampler_timer_yield(sig);
	wrapped = signals_wrap(sig, (uintptr_t)handler);

	return next ? (handler_fn)signals_unwrap((uintptr_t)next(sig, (handler_fn)wrapped))
	            : SIG_ERR;
}

int signals_real_sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
	int (*next)(int, const struct sigaction *, struct sigaction *) =
		next_function(NEXT_sigaction);

	return next ? next(sig, act, old) : -1;
}

int __sigaction(int sig, const struct sigaction *act, struct sigaction *old);
handler_fn bsd_signal(int sig, handler_fn handler);
handler_fn ssignal(int sig, handler_fn handler);
handler_fn sysv_signal(int sig, handler_fn handler);
handler_fn __sysv_signal(int sig, handler_fn handler);
int sigvec(int sig, const struct sigvec *vec, struct sigvec *old);

EXPORT int sigaction(int sig, const struct sigaction *restrict act, struct sigaction *restrict old)
{
	return set_action(NEXT_sigaction, sig, act, old);
}

EXPORT int __sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
	return set_action(NEXT___sigaction, sig, act, old);
}

#define HANDLER_FUNCTION(name) \
	EXPORT handler_fn name(int sig, handler_fn handler) \
	{ \
		return set_handler(NEXT_##name, sig, handler); \
	}

HANDLER_FUNCTION(signal)
HANDLER_FUNCTION(bsd_signal)
HANDLER_FUNCTION(ssignal)
HANDLER_FUNCTION(sysv_signal)
HANDLER_FUNCTION(__sysv_signal)
HANDLER_FUNCTION(sigset)

/* With SV_RESETHAND libc's own handler calls the program's, which has no context to look at. */
EXPORT int sigvec(int sig, const struct sigvec *vec, struct sigvec *old)
{
	int (*next)(int, const struct sigvec *, struct sigvec *) = next_function(NEXT_sigvec);
	struct sigvec wrapped;

	if (!next)
		return -1;
	if (vec) {
		sampler_timer_yield(sig);
		wrapped = *vec;
		if (!(vec->sv_flags & SV_RESETHAND))
			wrapped.sv_handler =
				(handler_fn)signals_wrap(sig, (uintptr_t)vec->sv_handler);
	}
	if (next(sig, vec ? &wrapped : NULL, old) != 0)
		return -1;
	if (old)
		old->sv_handler = (handler_fn)signals_unwrap((uintptr_t)old->sv_handler);
	return 0;
}

EXPORT int pthread_setcanceltype(int type, int *old)
{
	int (*next)(int, int *) = next_function(NEXT_pthread_setcanceltype);

	if (!next)
		return ENOSYS;
	if (type == PTHREAD_CANCEL_ASYNCHRONOUS && host_active())
		host_withdraw(STATUS_CAUSE_ASYNC_CANCEL);
	return next(type, old);
}
