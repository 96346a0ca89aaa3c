/* SPDX-License-Identifier: MIT */
/*
 * facts.h - how a function's facts travel from the IR pass to the streamer.
 *
 * The pass attaches !pcsections metadata to every function it has classified;
 * AsmPrinter then "emits" begin, extent and the words below into a section of
 * this name right after the function's body. The streamer swallows them: nothing
 * of it reaches the object file. Facts so carried survive LTO partitions and
 * threads, which a table keyed by symbol name would not.
 */
#ifndef DYNOPT_FACTS_H
#define DYNOPT_FACTS_H

#define FACTS_SECTION "dynopt.facts"

/* i32 constants, in this order; with FACTS_REPORT the name of the source follows, as bytes. */
enum facts_word {
	FACTS_FACTS,          /* DYNOPT_FACT_... */
	FACTS_REASONS,        /* DYNOPT_REASON_... for the whole function */
	FACTS_NO_SLOTS,       /* 1: place no slot and lengthen nothing here */
	FACTS_BUDGET_PERMYRIAD, /* text growth allowed, 1/100 percent */
	FACTS_CACHE_PERMYRIAD,  /* code cache share of the text, 1/100 percent */
	FACTS_OBJECT_FLAGS,   /* DYNOPT_OBJECT_... of the whole object; FACTS_REPORT */
	FACTS_N_WORDS
};

/* In FACTS_OBJECT_FLAGS: print what was done for this object (-fdynopt-report). */
#define FACTS_REPORT 0x10000

/* What the driver appends to the hash it passes to lld: as if all objects had asked. */
#define FACTS_LTO_REPORT "-report"

#define FACTS_BUDGET_DEFAULT 300
#define FACTS_CACHE_DEFAULT 2000

#endif
