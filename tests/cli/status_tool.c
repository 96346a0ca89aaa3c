/* SPDX-License-Identifier: MIT */
/*
 * status_tool.c - makes status files, truthful or with one lie, and looks into JSON.
 *
 *     status_tool make FILE PID [LIE]   a file of two modules and three translations
 *     status_tool json PATH...          standard input must be one JSON value; prints what each PATH leads to
 *                                       ("totals.hops.direct", "modules.0.path"; "#" is a length)
 *     status_tool wait COMMAND...       runs it, prints "exit N" or "signal N"
 *
 * A lie is a row of LIES below. Exit code 1: no JSON, or a path that leads nowhere.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "status_file.h"

struct file {
	struct status_head head;
	struct status_module modules[2];
	struct status_translation translations[3];
	struct status_function functions[3];
};

/* X(name, what is changed) */
#define LIES(X) \
	X(magic, f->head.magic ^= 1) \
	X(version, f->head.version++) \
	X(size, f->head.size -= 8) \
	X(module_size, f->head.module_size += 8) \
	X(more_modules, f->head.n_modules++) \
	X(many_modules, f->head.n_modules = UINT32_MAX) \
	X(many_translations, f->head.n_translations = UINT32_MAX) \
	X(fewer, f->head.n_translations--) \
	X(program, memset(f->head.program, 'x', sizeof(f->head.program))) \
	X(path, memset(f->modules[1].path, 'x', sizeof(f->modules[1].path))) \
	X(module, f->translations[2].module = 2) \
	X(hop, f->translations[1].hop = HOP_KINDS) \
	X(function_size, f->head.function_size += 8) \
	X(many_functions, f->head.n_functions = UINT32_MAX) \
	X(function, f->functions[0].module = 2) \
	X(function_why, f->functions[1].why = STATUS_HEAT_N) \
	X(function_samples, f->functions[1].samples_cache = f->functions[1].samples + 1) \
	X(function_waits, f->functions[1].wait_samples = f->functions[1].samples + 1) \
	X(no_pid, f->head.pid = 0)

/* No lies: things that a reader must be able to show. */
#define ODDITIES(X) \
	X(ended, f->head.start_time++) \
	X(failed, f->head.state = STATUS_STATE_FAILED; f->head.cause = STATUS_CAUSE_CLONE; \
	  f->head.detail = 11) \
	X(traces, f->head.cause = STATUS_CAUSE_TRACES; f->head.detail = STATUS_DETAIL_LINE + 12) \
	X(samples, f->head.cause = STATUS_CAUSE_SAMPLES; f->head.detail = STATUS_DETAIL_LINE + 7) \
	X(cold, memset(&f->head.heat, 0, sizeof(f->head.heat))) \
	X(unknown, f->head.state = 99; f->head.cause = 99; \
	  f->modules[0].refused[STATUS_REASONS - 1] = 3) \
	X(wild_name, strcpy(f->head.program, "/bin/\x1b[31m\xff\xc3\xa4\n"); \
	  strcpy(f->modules[0].path, f->head.program)) \
	X(long_name, memset(f->modules[0].path, 'y', sizeof(f->modules[0].path) - 1)) \
	X(refused, f->modules[1].refusal = STATUS_TEXT_RELOCATED) \
	X(kernel, f->head.backend = STATUS_BACKEND_kernel; f->head.mode = 3; \
	  f->modules[0].n_processes = 3; f->modules[1].n_processes = 50; \
	  f->modules[0].refused[STATUS_KMOD_FIRST + 1] = 4) \
	X(none, f->head.n_modules = 0)

static uint64_t start_time(uint32_t pid)
{
	char path[64], text[1024] = "";
	unsigned long long value = 0;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	in = fopen(path, "re");
	if (!in)
		return 1;
	if (fgets(text, sizeof(text), in) && strrchr(text, ')'))
		sscanf(strrchr(text, ')') + 1,
		       " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
		       &value);
	fclose(in);
	return value;
}

static void fill_module(struct status_module *m, const char *path, uint32_t scale)
{
	strcpy(m->path, path);
	m->base = 0x10000;
	m->text_bytes = 4096 * scale;
	m->proven_bytes = 1024 * scale;
	m->n_functions = 10 * scale;
	m->n_heads = 100 * scale;
	m->n_translated = 40 * scale;
	m->n_slots = 7;
	m->cache_reserved = 8192;
	m->cache_used = 2048;
	m->hops[HOP_DIRECT] = 30 * scale;
	m->hops[HOP_SLOT] = 10 * scale;
	m->refused[STATUS_HOP_NO_SLOT] = 50 * scale;
	m->refused[STATUS_SITE_CALL] = 10 * scale;
	m->live = 1;
	m->build_ns = 1000000;
	m->insns = 1000;
}

static void fill(struct file *f, uint32_t pid, const char *program)
{
	f->head.magic = STATUS_FILE_MAGIC;
	f->head.version = STATUS_FILE_VERSION;
	f->head.size = sizeof(f->head);
	f->head.module_size = sizeof(f->modules[0]);
	f->head.translation_size = sizeof(f->translations[0]);
	f->head.function_size = sizeof(f->functions[0]);
	f->head.n_functions = 3;
	f->head.n_modules = 2;
	f->head.n_translations = 3;
	f->head.pid = pid;
	f->head.start_time = start_time(pid);
	f->head.state = STATUS_STATE_RUNNING;
	f->head.mode = 1;
	f->head.eager_ns = 12345678;
	strcpy(f->head.program, "/bin/hand-made");
	fill_module(&f->modules[0], program, 1);
	fill_module(&f->modules[1], "/no/such/lib.so", 2);
	f->modules[1].noted = 1;
	f->head.heat.samples = 1000;
	f->head.heat.samples_cache = 400;
	f->head.heat.outside[STATUS_HEAT_BESIDE] = 100;
	f->head.heat.outside[STATUS_HEAT_REFUSED] = 300;
	f->head.heat.refused[STATUS_COST_GAIN] = 250;
	f->head.heat.refused[STATUS_SITE_CALL] = 50;
	f->head.heat.outside[STATUS_HEAT_UNPROVEN] = 150;
	f->head.heat.outside[STATUS_HEAT_NOWHERE] = 50;
	f->functions[0] =
		(struct status_function){ 0x1000,           0, 500, 400, 7, 4, STATUS_HEAT_BESIDE,
		                          STATUS_COST_GAIN, 0, 0 };
	f->functions[1] = (struct status_function){
		0x2000, 1, 250, 0, 3, 0, STATUS_HEAT_REFUSED, STATUS_COST_GAIN, 120, 0x2010
	};
	f->functions[2] = (struct status_function){ 0x7fff0000, STATUS_NO_MODULE,    50, 0, 0,
		                                    0,          STATUS_HEAT_NOWHERE, 0,  0, 0 };
	for (int i = 0; i < 3; i++) {
		f->translations[i].head = 0x1000u + 16u * (unsigned)i;
		f->translations[i].module = i == 2;
		f->translations[i].hop = HOP_DIRECT;
		f->translations[i].size = 64;
		f->translations[i].n_insns = 9;
		f->translations[i].n_blocks = 2;
		f->translations[i].passes[PASS_dead] = (uint16_t)(3 + i);
	}
}

static int make(const char *path, const char *pid, const char *self, const char *lie)
{
	struct file *f = calloc(1, sizeof(*f));
	size_t size = sizeof(*f);
	int known = !lie || strcmp(lie, "short") == 0 || strcmp(lie, "empty") == 0;
	FILE *out;

	if (!f)
		return 1;
	fill(f, (uint32_t)strtoul(pid, NULL, 10), self);
#define X(name, change) \
	if (lie && strcmp(lie, #name) == 0) { \
		change; \
		known = 1; \
	}
	LIES(X)
	ODDITIES(X)
#undef X
	if (!known)
		return 1;
	if (f->head.n_modules == 0) {
		f->head.n_translations = 0;
		f->head.n_functions = 0;
		size = sizeof(f->head);
	}
	if (lie && strcmp(lie, "short") == 0)
		size = sizeof(f->head) - 1;
	if (lie && strcmp(lie, "empty") == 0)
		size = 0;
	out = fopen(path, "we");
	if (!out || fwrite(f, 1, size, out) != size || fclose(out) != 0)
		return 1;
	free(f);
	return 0;
}

static struct json_object *follow(struct json_object *at, char *path)
{
	for (char *key = strtok(path, "."); key && at; key = strtok(NULL, ".")) {
		if (json_object_is_type(at, json_type_array)) {
			if (strcmp(key, "#") == 0)
				return json_object_new_uint64(json_object_array_length(at));
			at = json_object_array_get_idx(at, strtoul(key, NULL, 10));
		} else if (!json_object_object_get_ex(at, key, &at)) {
			return NULL;
		}
	}
	return at;
}

static int json(char **paths)
{
	static char text[1 << 24];
	size_t n = fread(text, 1, sizeof(text) - 1, stdin);
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *root;

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	root = json_tokener_parse_ex(tokener, text, (int)n + 1);
	if (!root || json_tokener_get_error(tokener) != json_tokener_success) {
		fprintf(stderr, "no JSON: %s\n",
		        json_tokener_error_desc(json_tokener_get_error(tokener)));
		return 1;
	}
	for (; *paths; paths++) {
		char *path = strdup(*paths);
		struct json_object *at = follow(root, path);

		if (!at) {
			fprintf(stderr, "no %s\n", *paths);
			return 1;
		}
		puts(json_object_get_string(at));
		free(path);
	}
	return 0;
}

static int wait_for(char **command)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		execvp(command[0], command);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return 1;
	if (WIFSIGNALED(status))
		printf("signal %d\n", WTERMSIG(status));
	else
		printf("exit %d\n", WEXITSTATUS(status));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 3 && strcmp(argv[1], "wait") == 0)
		return wait_for(argv + 2);
	if (argc >= 2 && strcmp(argv[1], "json") == 0)
		return json(argv + 2);
	if (argc >= 2 && strcmp(argv[1], "lies") == 0) {
#define X(name, change) puts(#name);
		LIES(X)
#undef X
		return 0;
	}
	if (argc >= 4 && strcmp(argv[1], "make") == 0)
		return make(argv[2], argv[3], argv[0], argv[4]);
	return 1;
}
