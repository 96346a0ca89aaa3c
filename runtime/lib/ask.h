/* SPDX-License-Identifier: MIT */
/*
 * ask.h - what the policy says of a program that was not started by `dynopt run` and brings the library all the same.
 */
#ifndef DYNOPT_ASK_H
#define DYNOPT_ASK_H

/*
 * The text of DYNOPT_OPTIONS as dynopt-policy makes it; "" if the program is not to be translated, or nobody can be asked. Once, before the
 * program's main() and by its first thread.
 */
const char *ask_policy(char **environment);

#endif
