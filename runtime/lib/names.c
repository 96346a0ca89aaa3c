/* SPDX-License-Identifier: MIT */
/*
 * names.c - see names.h; without libc, for the agent.
 */
#include "names.h"

const char *names_file(const char *path)
{
	const char *name = path;

	for (; *path; path++)
		if (*path == '/')
			name = path + 1;
	return name;
}

bool names_hold(const char *list, const char *name)
{
	if (!*list)
		return true;
	while (*list) {
		const char *at = name;

		while (*at && *list == *at)
			list++, at++;
		if (!*at && (*list == ':' || !*list))
			return true;
		while (*list && *list != ':')
			list++;
		if (*list)
			list++;
	}
	return false;
}
