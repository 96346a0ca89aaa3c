/* SPDX-License-Identifier: MIT */
/*
 * guest.h - what the guest's test programs share: the device, a library whose every byte is
 * known, processes that say what they see.
 *
 * A test prints what failed and ends with 1, or with 77 and a reason, or with 0. The library
 * is a plain file that is mapped and called: small functions, whose first instruction is a
 * site, on known pages, and a code cache full of int3.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include "dynopt_ioctl.h"

#define PAGE 4096ul

/* Ends the test with what was expected and errno's text. */
#define check(condition) ((condition) ? (void)0 : guest_fail(__FILE__, __LINE__, #condition))
#define check_is(value, wanted) guest_is(__FILE__, __LINE__, #value, (long)(value), (long)(wanted))
_Noreturn void guest_fail(const char *file, int line, const char *what);
void guest_is(const char *file, int line, const char *what, long value, long wanted);
_Noreturn void guest_skip(const char *why);

/* Offsets in the library. answer functions: mov $n,%eax; ret. */
#define LIB_BYTES (32 * PAGE)
#define LIB_ONE 0x1100 /* returns 1 */
#define LIB_TWO 0x1200 /* returns 2 */
#define LIB_CROSS 0x3ffd /* returns 0x5a5a0003; two of its bytes are on the next page */
#define LIB_FOUR 0x5000 /* returns 4 */
#define LIB_CACHE 0x10000 /* int3 to the end */
#define LIB_DIR "/u" /* a file system of its own */
#define LIB LIB_DIR "/lib"

/*
 * A site: where it is, what it returns, and what its translation returns, after so many
 * pauses: threads are found inside a translation that has some.
 */
struct site {
	uint64_t offset, cache;
	int plain, patched, pauses;
};
extern const struct site site_one, site_two, site_cross, site_four;

void lib_make(const char *path);
/* Mapped as a loader would, the whole file for execution; with a descriptor closed again. */
uint8_t *lib_map(const char *path);
int lib_call(const uint8_t *lib, const struct site *site);

int device_open(void);
/* For tests in which blocks of traces have all the time they want: emulated time is no measure. */
int device_open_patient(void);
/* Calls and returns the status; the errno must fit it. */
uint32_t call_hello(int device, uint32_t min, uint32_t max, struct dynopt_ioc_hello *hello);
/* A process that is just leaving comes back when it has left. */
uint32_t call_register(int device, pid_t pid);
/* Until nobody is inside any more. */
uint32_t call_unregister(int device, pid_t pid);
uint32_t call_patch(int device, int file, const struct site *site);
uint32_t call_undo(int device, int file, const struct site *site);
uint32_t call_undo_all(int device, int file);
/* Under the cookie. */
uint32_t call_patch_in_place(int device, int file, const struct site *site);
uint32_t call_undo_in_place(int device, int file, const struct site *site);
uint32_t call_raw(int device, unsigned long command, void *request);
void patch_fill(struct dynopt_ioc_patch *patch, int file, const struct site *site);
uint64_t counter(int device, enum dynopt_kmod_counter counter);
const char *kmod_status_name(uint32_t status);

void module_load(void);
/* With O_NONBLOCK; the errno, or 0. */
int module_unload(void);

/* The physical page at an address of a process (0: itself). */
uint64_t page_frame(pid_t pid, const void *addr);
/* A whole file, NUL-terminated, to be freed. */
char *slurp(const char *path, size_t *bytes);
void file_same(const char *path, const char *bytes, size_t n);

/* A child that answers one command letter after the other; see answer() in each test. */
struct child {
	pid_t pid;
	int ask, reply;
};
typedef long (*answer_fn)(int letter, void *context);
/* The child maps the library, after the fork, and passes it as context; then this returns. */
struct child child_start(answer_fn answer);
long child_ask(const struct child *child, int letter);
/* Asks it to end, and expects it to end well. */
void child_end(struct child *child);
void child_kill(struct child *child);
void wait_ok(pid_t pid);
/* Until it sleeps in the kernel, in a call that no signal ends. */
void until_waiting(pid_t pid);

/* A file, the test's own or another's, started as `PROGRAM run`: it answers on RUN_REPLY what it is asked on RUN_ASK, until that is closed. */
#define RUN_ASK 250 /* above all others that are open */
#define RUN_REPLY 251
struct run {
	pid_t pid;
	int ask, reply;
};
struct run run_start(const char *path, const char *program);
/* As this user, and no other. */
struct run run_start_as(const char *path, const char *program, uid_t user);
void become(uid_t user, gid_t group);
/* Expects it to end well. */
void run_end(struct run *run);

/* A process with threads that call sites until told to stop, and count what is wrong. */
struct load;
struct load *load_start(const uint8_t *lib, int n_processes, int n_threads, bool register_them,
                        int device);
pid_t load_pid(const struct load *load, int process);
/* Waits until each thread has made `more` calls. */
void load_pass(const struct load *load, uint64_t more);
/* Stops them, and checks that nothing was wrong; returns the calls made. */
uint64_t load_stop(struct load *load);

/*
 * A forked process of real-time priority, on one processor, which it gives to nobody: it calls the first site and the one across. The
 * caller runs on the other one till it is stopped.
 */
struct spinner;
struct spinner *spinner_start(const uint8_t *lib);
/* Checks that nothing was wrong; returns how often it called both. */
uint64_t spinner_stop(struct spinner *spinner);

#endif
