// SPDX-License-Identifier: MIT
// What the loader tells of modules and symbols: dl_iterate_phdr, dladdr, dladdr1, dlinfo
// and /proc/self/maps name the same files, each address of a function belongs to it, and
// its file mapping is still called after the file.
#include "t_text.h"
#include <dlfcn.h>

uint64_t exported_one(uint64_t x), exported_two(uint64_t x);

__attribute__((noinline)) uint64_t exported_one(uint64_t x)
{
	for (unsigned i = 0; i < 10; i++)
		x = t_switch(x, (unsigned)x & 7);
	return x;
}

__attribute__((noinline)) uint64_t exported_two(uint64_t x)
{
	return exported_one(x) + exported_one(x + 1);
}

static int count(struct dl_phdr_info *info, size_t size, void *n)
{
	CHECK(size >= sizeof(*info) && info->dlpi_phnum > 0);
	if (!strstr(info->dlpi_name, "dynopt"))
		++*(int *)n;
	return 0;
}

/* Name of the file mapped at ADDR, or "". */
static void mapped(uintptr_t addr, char name[256], char flags[8])
{
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "re");

	CHECK(maps);
	name[0] = '\0';
	while (fgets(line, sizeof(line), maps)) {
		unsigned long start, end;
		char f[8], file[256] = "";

		CHECK(sscanf(line, "%lx-%lx %7s %*s %*s %*s %255s", &start, &end, f, file) >= 3);
		if (addr >= start && addr < end) {
			strcpy(name, file);
			strcpy(flags, f);
		}
	}
	fclose(maps);
}

static void function_is(void *function, const char *symbol)
{
	char name[256], flags[8], real[512];
	const ElfW(Sym) *sym = NULL;
	struct link_map *map = NULL;
	Dl_info info;

	CHECK(dladdr(function, &info) && info.dli_sname && !strcmp(info.dli_sname, symbol));
	CHECK(info.dli_saddr == function);
	CHECK(dladdr1(function, &info, (void **)&sym, RTLD_DL_SYMENT));
	CHECK(sym && sym->st_size > 0);
	for (size_t i = 0; i < sym->st_size; i++) {
		CHECK(dladdr((char *)function + i, &info) && info.dli_saddr == function);
		CHECK(t_text_of((uintptr_t)function + i));
	}
	CHECK(dladdr1(function, &info, (void **)&map, RTLD_DL_LINKMAP));
	CHECK(map && (map->l_addr == (uintptr_t)info.dli_fbase || map->l_addr == 0));
	mapped((uintptr_t)function, name, flags);
	CHECK(realpath(info.dli_fname, real) && !strcmp(real, name));
	CHECK(flags[0] == 'r' && flags[1] == '-' && flags[2] == 'x' && flags[3] == 'p');
	printf("%s in %s\n", symbol, strrchr(name, '/') + 1);
}

int main(void)
{
	char self[512];
	ssize_t length;
	uint64_t sum = 1;
	int n = 0;

	t_text_read();
	for (unsigned i = 0; i < 2000; i++)
		sum = exported_two(sum);
	dl_iterate_phdr(count, &n);
	printf("%d modules\n", n);
	function_is((void *)exported_one, "exported_one");
	function_is((void *)exported_two, "exported_two");
	function_is((void *)main, "main");
	function_is(dlsym(RTLD_DEFAULT, "qsort"), "qsort");
	function_is(dlsym(RTLD_DEFAULT, "puts"), "puts");
	length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	CHECK(length > 0);
	self[length] = '\0';
	printf("%s %s\n", strrchr(self, '/') + 1, program_invocation_name);
	CHECK(access(self, X_OK) == 0);
	return t_ok(sum);
}
