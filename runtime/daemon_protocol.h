/* SPDX-License-Identifier: MIT */
/*
 * daemon_protocol.h - how `dynopt` and dynoptd talk: one line asks, one line answers, then the connection is closed.
 *
 *     attach PID [eager] [all]      a running process: registered, sampled (or translated as a whole), until it ends
 *     run [eager] [all]             the asker itself, as soon as it executes a program: answered before that; the socket, which is closed by
 *                                   execve(), tells when
 *     detach PID                    it goes on in its original code
 *     report PID                    its status file is written anew
 *     hello                         is somebody there?
 *
 * Answers: "ok", or "error " and a reason. The kernel says who asks: root may ask for every process, others for their own.
 */
#ifndef DYNOPT_DAEMON_PROTOCOL_H
#define DYNOPT_DAEMON_PROTOCOL_H

#define DAEMON_FOLDER "/run/dynopt" /* DYNOPT_RUN_DIR names another, for tests */
#define DAEMON_SOCKET "socket"
#define DAEMON_PID_FILE "dynoptd.pid"
#define DAEMON_STATUS "status" /* a folder of status files (status_file.h) */
#define DAEMON_KEPT "kept" /* a folder of what was translated of which file (daemon/kept.h) */
#define DAEMON_LINE_MAX 256

#endif
