/* SPDX-License-Identifier: MIT */
/*
 * test_damage.c - damaged files must give an answer: read whole, refused with one
 * line, never a crash or a read outside.
 *
 * Runs everything that `dynopt notes --check --coverage` does, in this process, on every prefix
 * of the files given and on copies with bytes changed at random (fixed seed). Each copy
 * ends where its allocation ends, so that ASan sees one byte too many.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

#define MUTATIONS 4000
#define CHANGES_MAX 4
#define SEED 0x2545f4914f6cdd1dull

static u64 seed = SEED;

static u64 draw(u64 below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

/* Returns true if the file could be read. */
static bool run(const u8 *bytes, size_t size, FILE *sink)
{
	struct subject s = { .coverage = true, .check = true, .verbose = true };
	u8 *copy = malloc(size ? size : 1);
	char *error = NULL;
	bool ok;

	if (!copy)
		abort();
	memcpy(copy, bytes, size);
	ok = subject_open_memory(&s, "damaged", copy, size, &error);
	if (ok) {
		struct json_object *json = report_json(&s);

		report_text(&s, sink);
		fputs(json_object_to_json_string(json), sink);
		json_object_put(json);
	} else if (!error || strchr(error, '\n')) {
		fprintf(stderr, "refused without one clear line at %zu bytes\n", size);
		exit(1);
	}
	free(error);
	subject_close(&s);
	free(copy);
	return ok;
}

static u8 *load(const char *path, size_t *size)
{
	FILE *in = fopen(path, "rb");
	u8 *bytes = malloc(1 << 20);

	if (!in || !bytes) {
		perror(path);
		exit(2);
	}
	*size = fread(bytes, 1, 1 << 20, in);
	fclose(in);
	return bytes;
}

static int test(const char *path, FILE *sink)
{
	size_t size, n_read = 0;
	u8 *bytes = load(path, &size), *copy = malloc(size);

	if (!copy || !run(bytes, size, sink)) {
		fprintf(stderr, "%s: the whole file cannot be read\n", path);
		return 1;
	}
	for (size_t i = 0; i < size; i++)
		n_read += run(bytes, i, sink);
	printf("%s: %zu prefixes, %zu of them readable\n", path, size, n_read);
	if (n_read * 2 > size) {
		fprintf(stderr, "%s: most truncated files were taken for whole ones\n", path);
		return 1;
	}
	n_read = 0;
	for (int i = 0; i < MUTATIONS; i++) {
		memcpy(copy, bytes, size);
		for (u64 k = draw(CHANGES_MAX) + 1; k; k--)
			copy[draw(size)] = draw(2) ? (u8)draw(256) : (u8)(0xff * draw(2));
		n_read += run(copy, size, sink);
	}
	printf("%s: %d mutations, %zu of them readable\n", path, MUTATIONS, n_read);
	free(bytes);
	free(copy);
	return 0;
}

int main(int argc, char **argv)
{
	FILE *sink = fopen("/dev/null", "w");
	int failed = argc < 2 || !sink;

	for (int i = 1; i < argc && !failed; i++)
		failed = test(argv[i], sink);
	return failed;
}
