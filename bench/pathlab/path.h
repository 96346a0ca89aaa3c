/* SPDX-License-Identifier: MIT */
/*
 * path.h - the stream in which a program's path is handed on: 32-bit words of this machine.
 *
 *     below PATH_FILE     execution of the block with this number
 *     PATH_FILE           bytes of the path's length, the path, filled up to a word: files are numbered from 0
 *     PATH_BLOCK          file or PATH_NO_FILE, offset in the file (2 words), instructions, bytes: blocks are
 *                         numbered from 0
 *     PATH_THREAD         number: executions from here on are this thread's
 *
 * A block is what the recorder translates at once: consecutive instructions, of which only the last may branch.
 */
#ifndef DYNOPT_PATHLAB_PATH_H
#define DYNOPT_PATHLAB_PATH_H

#define PATH_FILE 0xfffffff0u
#define PATH_BLOCK 0xfffffff1u
#define PATH_THREAD 0xfffffff2u
#define PATH_THREADS_MAX 64u
#define PATH_NO_FILE 0xffffffffu

#endif
