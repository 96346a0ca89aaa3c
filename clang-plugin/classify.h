/* SPDX-License-Identifier: MIT */
/* classify.h - what is known of a function when its IR is final. */
#ifndef DYNOPT_CLASSIFY_H
#define DYNOPT_CLASSIFY_H

#include <llvm-c/Core.h>
#include <stdint.h>

struct verdict {
	uint32_t facts;    /* DYNOPT_FACT_... */
	uint32_t reasons;  /* DYNOPT_REASON_... that hold for the whole function */
	uint32_t no_slots; /* 1: nothing may be added to its code */
};

struct verdict classify(LLVMValueRef f);

#endif
