/* SPDX-License-Identifier: MIT */
/*
 * graph.c - breadth-first search and a hash join: loads whose addresses come from
 * loads, and branches that depend on them. What is slow is waiting for memory, which
 * no profile of edges shows; prefetching what the trace will load can help.
 */
#include "lib.h"

enum { N_NODES = 1 << 20, DEGREE = 6, N_ROWS = 1 << 21, N_BUCKETS = 1 << 20 };

static uint32_t *edges, *depth, *queue;

static uint64_t search(uint32_t from)
{
	uint64_t sum = 0;
	uint32_t head = 0, tail = 0;

	for (uint32_t i = 0; i < N_NODES; i++)
		depth[i] = UINT32_MAX;
	depth[from] = 0;
	queue[tail++] = from;
	while (head < tail) {
		uint32_t node = queue[head++];

		for (uint32_t k = 0; k < DEGREE; k++) {
			uint32_t next = edges[node * DEGREE + k];

			if (depth[next] == UINT32_MAX) {
				depth[next] = depth[node] + 1;
				queue[tail++] = next;
				sum += depth[next] ^ k;
			}
		}
	}
	return sum + tail;
}

struct row {
	uint32_t key, value, next;
};

static uint64_t join(const struct row *rows, const uint32_t *buckets, uint64_t seed)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < N_ROWS; i++) {
		uint32_t key = next_random(&seed) % (2 * N_ROWS);
		uint32_t at = buckets[key % N_BUCKETS];

		while (at != 0) {
			if (rows[at].key == key)
				sum += rows[at].value;
			at = rows[at].next;
		}
	}
	return sum;
}

int main(int argc, char **argv)
{
	long rounds = argument(argc, argv, 1, 1);
	struct row *rows = get_memory(N_ROWS, sizeof(*rows));
	uint32_t *buckets = get_memory(N_BUCKETS, sizeof(*buckets));
	uint64_t state = 1, sum = 0;

	edges = get_memory((size_t)N_NODES * DEGREE, sizeof(*edges));
	depth = get_memory(N_NODES, sizeof(*depth));
	queue = get_memory(N_NODES, sizeof(*queue));
	for (size_t i = 0; i < (size_t)N_NODES * DEGREE; i++)
		edges[i] = next_random(&state) % N_NODES;
	for (uint32_t i = 1; i < N_ROWS; i++) {
		uint32_t key = next_random(&state) % (2 * N_ROWS);

		rows[i] = (struct row){ key, i, buckets[key % N_BUCKETS] };
		buckets[key % N_BUCKETS] = i;
	}
	for (long r = 0; r < rounds; r++)
		sum = sum * 31 + search((uint32_t)r) + join(rows, buckets, (uint64_t)r);
	printf("%016llx\n", (unsigned long long)sum);
	return 0;
}
