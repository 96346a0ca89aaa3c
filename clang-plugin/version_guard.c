/* SPDX-License-Identifier: MIT */
/*
 * version_guard.c - refuses to live in a clang, lld or opt of another LLVM.
 *
 * LLVM's C++ interfaces change with every major version, and a plugin that was
 * loaded all the same would crash at its first virtual call. So this part of both
 * plugins is plain C, runs before any other constructor, and ends the process with
 * one line. It must not need LLVM: what it asks is weak (LLVMGetVersion is there
 * since LLVM 16; an older one is known by the name of its library).
 */
#include <errno.h>
#include <link.h>
#include <llvm/Config/llvm-config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void LLVMGetVersion(unsigned *major, unsigned *minor, unsigned *patch) __attribute__((weak));

/* The major version in libLLVM-14.so.1, libLLVM.so.18.1 and the like. */
static int version_in_name(struct dl_phdr_info *info, size_t size, void *version)
{
	const char *slash = strrchr(info->dlpi_name, '/');
	const char *name = slash ? slash + 1 : info->dlpi_name;

	(void)size;
	if (strncmp(name, "libLLVM", 7) && strncmp(name, "libclang-cpp", 12))
		return 0;
	name += strcspn(name, "0123456789");
	*(unsigned *)version = (unsigned)strtoul(name, NULL, 10);
	return *(unsigned *)version != 0;
}

__attribute__((constructor(101))) static void version_check(void)
{
	unsigned major = 0, minor, patch;
	char found[16] = "an older one";

	if (LLVMGetVersion)
		LLVMGetVersion(&major, &minor, &patch);
	else
		dl_iterate_phdr(version_in_name, &major);
	if (LLVMGetVersion && major == LLVM_VERSION_MAJOR)
		return;
	if (major && major != LLVM_VERSION_MAJOR)
		snprintf(found, sizeof(found), "LLVM %u", major);
	dprintf(STDERR_FILENO,
	        "dynopt: this plugin is for LLVM %d, and %s has %s: use clang-%d or rebuild dynopt\n",
	        LLVM_VERSION_MAJOR, program_invocation_short_name, found, LLVM_VERSION_MAJOR);
	_exit(1); /* no destructors: half of them belong to the other LLVM */
}
