/* SPDX-License-Identifier: MIT */
/* module.h - what is done to a module before and after optimization. */
#ifndef DYNOPT_MODULE_H
#define DYNOPT_MODULE_H

#include <llvm-c/Core.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* True if this process parses sources with our front end, false in linkers and for IR input. */
bool module_in_compiler(void);

/* Before optimization: options and marks become attributes. True if the module changed. */
bool module_early(LLVMModuleRef module);

/*
 * After all IR optimization: functions are classified and carry their facts. `report`: of every
 * object, whatever its compilation asked for.
 */
bool module_late(LLVMModuleRef module, bool report);

#ifdef __cplusplus
}
#endif

#endif
