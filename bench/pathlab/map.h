/* SPDX-License-Identifier: MIT */
/*
 * map.h - a growing hash table from non-zero 64-bit keys to 64-bit values, by open addressing.
 */
#ifndef DYNOPT_PATHLAB_MAP_H
#define DYNOPT_PATHLAB_MAP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct map {
	struct map_entry {
		uint64_t key, value;
	} *entries;
	uint64_t n, mask;
};

/* Ends the program if there is no memory: this is a laboratory. */
static inline void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static inline struct map *map_new(void)
{
	struct map *map = must(calloc(1, sizeof(*map)));

	map->mask = 1023;
	map->entries = must(calloc(map->mask + 1, sizeof(*map->entries)));
	return map;
}

static inline void map_free(struct map *map)
{
	if (map)
		free(map->entries);
	free(map);
}

static inline struct map_entry *map_entry(const struct map *map, uint64_t key)
{
	uint64_t i = key * 0x9e3779b97f4a7c15u >> 20;

	while (map->entries[i & map->mask].key && map->entries[i & map->mask].key != key)
		i++;
	return &map->entries[i & map->mask];
}

static inline bool map_get(const struct map *map, uint64_t key, uint64_t *value)
{
	const struct map_entry *entry = map_entry(map, key);

	if (!entry->key)
		return false;
	*value = entry->value;
	return true;
}

static inline void map_put(struct map *map, uint64_t key, uint64_t value)
{
	struct map_entry *entry = map_entry(map, key);

	if (!entry->key) {
		if (2 * ++map->n > map->mask) {
			struct map old = *map;

			map->mask = 2 * old.mask + 1;
			map->entries = must(calloc(map->mask + 1, sizeof(*map->entries)));
			for (uint64_t i = 0; i <= old.mask; i++)
				if (old.entries[i].key)
					*map_entry(map, old.entries[i].key) = old.entries[i];
			free(old.entries);
			entry = map_entry(map, key);
		}
		entry->key = key;
	}
	entry->value = value;
}

#endif
