// SPDX-License-Identifier: MIT
// Not even a wait for children of every kind (__WALL, __WCLONE), as debuggers and
// init processes use it, sees a child that the program did not make; nor does /proc.
#include "t_proc.h"

int main(void)
{
	uint64_t sum = t_hot(200);
	FILE *list;
	int pid, status;

	CHECK(waitpid(-1, &status, __WALL | WNOHANG) == -1 && errno == ECHILD);
	CHECK(waitpid(-1, &status, __WCLONE | WNOHANG) == -1 && errno == ECHILD);
	list = fopen("/proc/thread-self/children", "re");
	if (list) {
		CHECK(fscanf(list, "%d", &pid) == EOF);
		fclose(list);
	}
	for (int i = 0; i < 20; i++) {
		pid_t child = fork();

		if (!child)
			_exit((int)(t_hot(50) & 0x3f));
		CHECK(waitpid(-1, &status, __WALL) == child);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == (int)(t_hot(50) & 0x3f));
		CHECK(waitpid(-1, &status, __WALL | WNOHANG) == -1 && errno == ECHILD);
	}
	return t_ok(sum);
}
