/* SPDX-License-Identifier: MIT */
/*
 * native.h - one run of foreign code on this CPU, from a complete register state to a complete register state.
 *
 * native_run() loads native.in (all general registers, flags, segment bases, everything XSAVE knows), jumps to
 * its rip, and comes back when the code reaches native_exit (by a stub that notes which), traps or faults. Then native.out
 * is the state at that moment and native.stop says why. Signals are taken on their own stack; while foreign code
 * runs, nothing of this process is in registers. With `on_step` set, the code is
 * single-stepped and the hook sees every stop.
 */
#ifndef DYNOPT_FUZZ_NATIVE_H
#define DYNOPT_FUZZ_NATIVE_H

#include "port.h"

#define NATIVE_XSAVE_MAX 4096
#define RSP 4

struct native_state {
	u64 gpr[16]; /* in encoding order */
	u64 rip, rflags, fs, gs;
	u8 xsave[NATIVE_XSAVE_MAX] __attribute__((aligned(64)));
};

enum native_kind {
	NATIVE_EXIT,    /* a stub jumped to native_exit */
	NATIVE_SIGNAL,  /* trap or fault: .signal and what comes with it */
	NATIVE_ENDLESS, /* the watchdog came */
	NATIVE_ENOUGH,  /* the step hook had enough */
};

struct native_stop {
	u32 kind; /* NATIVE_... */
	u32 signal, code, trap;
	u64 error; /* of the exception, page faults: access */
	u64 addr;  /* SIGSEGV, SIGBUS: the address accessed */
};

struct native_bases {
	u64 fs, gs;
};

struct native {
	struct native_state in, out;
	u64 host_rsp;
	struct native_bases host;
	struct native_stop stop;
	/* Step mode: false ends the run; the state before the next instruction is in out. */
	bool (*on_step)(void);
	volatile bool running;
	bool has_fsgsbase;
	bool loses_rsp; /* an interrupt faults where rsp is no address: so it is in virtual machines without hardware support (PVM) */
	volatile u32 serial; /* of the run, for the watchdog */
	u32 xsave_size;
	u64 xsave_mask; /* components of this CPU */
	u32 at[8], size[8]; /* of each component in the area; 0: none */
};
extern struct native native;

/* Installs signal handlers and the watchdog of this process; false with a message if this CPU cannot do it. */
bool native_init(void);
void native_watchdog(void);
void native_run(void);
/* Where stubs jump to. */
void native_exit(void);

/* Was this fault the machine's, and not the instruction's? */
bool native_is_lost(const struct native_stop *stop, u64 rsp);

/* Components in their initial state are written out as such, and what belongs to nobody is zero. */
void native_normalize(struct native_state *state);

#define RFLAGS_STATUS 0xcd5u /* CF PF AF ZF SF DF OF */
#define RFLAGS_TRAP 0x100u
#define RFLAGS_FIXED 0x202u

#endif
