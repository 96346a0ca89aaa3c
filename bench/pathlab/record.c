/* SPDX-License-Identifier: MIT */
/*
 * record.c - a plugin for qemu-user that writes which blocks a program executes, in order.
 *
 *     qemu-x86_64 -plugin record.so,out=PIPE,limit=BLOCKS PROGRAM ...
 *
 * The stream (path.h) names blocks by file and offset in the file, so it does not depend on where things are mapped.
 * Invariants: a block is described in front of its first execution; a thread's executions are in order. Each thread
 * fills a buffer of its own, the stream is written under a lock. After `limit` blocks the program is ended.
 *
 * The plugin interface (version 1, qemu 6.0 to 8.2) is declared here because Debian packages no header for it.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "path.h"

typedef uint64_t qemu_plugin_id_t;
struct qemu_info;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
typedef void tb_trans_fn(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void tb_exec_fn(unsigned vcpu, void *data);
typedef void atexit_fn(qemu_plugin_id_t id, void *data);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_trans_fn *fn);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, tb_exec_fn *fn,
                                          enum qemu_plugin_cb_flags flags, void *data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, atexit_fn *fn, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
void *qemu_plugin_insn_haddr(const struct qemu_plugin_insn *insn);
#define EXPORT __attribute__((visibility("default")))
EXPORT extern int qemu_plugin_version;
int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc,
                               char **argv);

#define BUFFER_WORDS (1u << 16)
#define FILES_MAX 64
#define PATH_LEN 512

struct thread {
	uint32_t used;
	uint32_t words[BUFFER_WORDS];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct thread *threads[PATH_THREADS_MAX];
static uint32_t n_blocks, n_files;
static uint64_t executed, limit = UINT64_MAX; /* in whole buffers */
static int out = -1;
static char files[FILES_MAX][PATH_LEN];

static void write_all(const void *words, size_t size)
{
	const char *from = words;

	while (size) {
		ssize_t n = write(out, from, size);

		if (n <= 0) /* the reader has what it wants */
			_exit(0);
		from += n;
		size -= (size_t)n;
	}
}

static void put(uint32_t word)
{
	write_all(&word, sizeof(word));
}

static void put_bytes(const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i += sizeof(uint32_t)) {
		uint32_t word = 0;

		memcpy(&word, bytes + i, n - i < sizeof(word) ? n - i : sizeof(word));
		put(word);
	}
}

static void flush(uint32_t number)
{
	struct thread *thread = threads[number];

	put(PATH_THREAD);
	put(number);
	write_all(thread->words, thread->used * sizeof(thread->words[0]));
	executed += thread->used;
	thread->used = 0;
	if (executed >= limit)
		_exit(0);
}

/* The file's number; it is described when it is new. */
static uint32_t file_number(const char *path)
{
	for (uint32_t i = 0; i < n_files; i++)
		if (strcmp(files[i], path) == 0)
			return i;
	if (n_files == FILES_MAX || strlen(path) >= PATH_LEN)
		return PATH_NO_FILE;
	strcpy(files[n_files], path);
	put(PATH_FILE);
	put((uint32_t)strlen(path));
	put_bytes(path, strlen(path));
	return n_files++;
}

/* Which file is mapped at this address of the host, and what offset of it. */
static uint32_t find_file(const void *at, uint64_t *offset)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[PATH_LEN + 128];
	uint32_t file = PATH_NO_FILE;

	*offset = (uintptr_t)at;
	while (maps && file == PATH_NO_FILE && fgets(line, sizeof(line), maps)) {
		unsigned long start, end, from;
		int name = 0;

		if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %n", &start, &end, &from, &name) < 3 ||
		    (uintptr_t)at < start || (uintptr_t)at >= end)
			continue;
		line[strcspn(line, "\n")] = '\0';
		if (!name || line[name] != '/')
			break;
		*offset = (uintptr_t)at - start + from;
		file = file_number(line + name);
	}
	if (maps)
		fclose(maps);
	return file;
}

static void on_execution(unsigned vcpu, void *data)
{
	struct thread *thread = vcpu < PATH_THREADS_MAX ? threads[vcpu] : NULL;

	if (!thread) {
		if (vcpu >= PATH_THREADS_MAX || !(thread = calloc(1, sizeof(*thread)))) {
			fprintf(stderr, "record: too many threads\n");
			_exit(1);
		}
		threads[vcpu] = thread;
	}
	thread->words[thread->used++] = (uint32_t)(uintptr_t)data;
	if (thread->used == BUFFER_WORDS) {
		pthread_mutex_lock(&lock);
		flush(vcpu);
		pthread_mutex_unlock(&lock);
	}
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb), bytes = 0;
	uint64_t offset;
	uint32_t file, number;

	(void)id;
	for (size_t i = 0; i < n; i++)
		bytes += qemu_plugin_insn_size(qemu_plugin_tb_get_insn(tb, i));
	pthread_mutex_lock(&lock);
	file = find_file(qemu_plugin_insn_haddr(qemu_plugin_tb_get_insn(tb, 0)), &offset);
	number = n_blocks++;
	put(PATH_BLOCK);
	put(file);
	put((uint32_t)offset);
	put((uint32_t)(offset >> 32));
	put((uint32_t)n);
	put((uint32_t)bytes);
	pthread_mutex_unlock(&lock);
	qemu_plugin_register_vcpu_tb_exec_cb(tb, on_execution, QEMU_PLUGIN_CB_NO_REGS,
	                                     (void *)(uintptr_t)number);
}

static void on_exit_of_program(qemu_plugin_id_t id, void *data)
{
	(void)id;
	(void)data;
	pthread_mutex_lock(&lock);
	for (uint32_t i = 0; i < PATH_THREADS_MAX; i++)
		if (threads[i])
			flush(i);
	pthread_mutex_unlock(&lock);
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (strncmp(argv[i], "out=", 4) == 0)
			out = open(argv[i] + 4, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		else if (strncmp(argv[i], "limit=", 6) == 0)
			limit = strtoull(argv[i] + 6, NULL, 10);
	}
	if (out < 0) {
		fprintf(stderr, "record: out=FILE is missing, or cannot be written\n");
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	qemu_plugin_register_atexit_cb(id, on_exit_of_program, NULL);
	return 0;
}
