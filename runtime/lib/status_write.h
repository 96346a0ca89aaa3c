/* SPDX-License-Identifier: MIT */
/* status_write.h - writes the status file (status_file.h) anew; failures leave the old one. In the agent. */
#ifndef DYNOPT_STATUS_WRITE_H
#define DYNOPT_STATUS_WRITE_H

void status_write(void);

#endif
