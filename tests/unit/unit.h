/* SPDX-License-Identifier: MIT */
/*
 * unit.h - one CUnit suite per program: a table of tests, run, exit code 0 or 1.
 */
#ifndef DYNOPT_TESTS_UNIT_H
#define DYNOPT_TESTS_UNIT_H

#include <CUnit/Basic.h>
#include <stdio.h>

struct unit_test {
	const char *name;
	CU_TestFunc run;
};

static inline int unit_run(const char *suite, const struct unit_test *tests, unsigned n_tests)
{
	unsigned failures;
	CU_pSuite s;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	s = CU_add_suite(suite, NULL, NULL);
	for (unsigned i = 0; s && i < n_tests; i++) {
		if (!CU_add_test(s, tests[i].name, tests[i].run))
			s = NULL;
	}
	if (!s || CU_basic_run_tests() != CUE_SUCCESS) {
		fprintf(stderr, "%s: %s\n", suite, CU_get_error_msg());
		return 1;
	}
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures ? 1 : 0;
}

#define UNIT_RUN(suite, tests) unit_run(suite, tests, sizeof(tests) / sizeof((tests)[0]))

#endif
