/* SPDX-License-Identifier: MIT */
/* intrinsics.h - what an LLVM intrinsic means for facts and reasons (intrinsics.def). */
#ifndef DYNOPT_INTRINSICS_H
#define DYNOPT_INTRINSICS_H

#include <llvm-c/Core.h>
#include <stdint.h>

enum intrinsic_class {
	INTRINSIC_OTHER,
	INTRINSIC_NEUTRAL,
	INTRINSIC_COPY,
	INTRINSIC_STACK,
};

struct intrinsic {
	enum intrinsic_class kind;
	uint32_t reasons; /* DYNOPT_REASON_... of a function that calls it */
};

/* `id` by LLVMGetIntrinsicID, not 0. Any thread. */
struct intrinsic intrinsic_of(unsigned id);

#endif
