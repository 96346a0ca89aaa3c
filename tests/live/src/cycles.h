/* SPDX-License-Identifier: MIT */
/* cycles.h - how often the runtime has undone and applied this process's translations, by its status file in FOLDER. */
#ifndef DYNOPT_TESTS_LIVE_CYCLES_H
#define DYNOPT_TESTS_LIVE_CYCLES_H

#include "status_file.h"

#include <stdio.h>
#include <unistd.h>

static unsigned long cycles_done(const char *folder)
{
	struct status_head head;
	char path[512];
	FILE *file;
	unsigned long done = 0;

	snprintf(path, sizeof(path), "%s/%d%s", folder, (int)getpid(), STATUS_FILE_SUFFIX);
	file = fopen(path, "r");
	if (file && fread(&head, sizeof(head), 1, file) == 1 && head.magic == STATUS_FILE_MAGIC)
		done = head.cycles;
	if (file)
		fclose(file);
	return done;
}

#endif
