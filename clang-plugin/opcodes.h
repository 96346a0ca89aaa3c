/* SPDX-License-Identifier: MIT */
/*
 * opcodes.h - what the streamer must know of an x86 opcode.
 *
 * LLVM keeps the enum of x86 opcodes to itself; names are stable. The table is
 * built once a process from names and descriptor flags, then indexed by opcode.
 */
#ifndef DYNOPT_OPCODES_H
#define DYNOPT_OPCODES_H

#include "llvm/MC/MCInstrInfo.h"
#include <cstdint>
#include <vector>

namespace dynopt
{

enum : uint16_t {
	OpBarrier = 0x001, /* jmp, ret: execution never continues behind it (ud2 may be resumed) */
	OpBranch = 0x002, /* ends a block */
	OpCall = 0x004,
	OpPrefix = 0x008, /* a prefix emitted as an instruction of its own */
	OpEndbr = 0x010,
	OpBare = 0x020, /* takes no redundant prefix: trap handlers know its bytes and length */
	OpIndirect = 0x040, /* indirect jump */
	OpLea = 0x080, /* LEA64r */
	OpLoad = 0x100, /* MOV64rm */
	OpLoadS32 = 0x200, /* MOVSX64rm32 */
	OpAdd = 0x400, /* ADD64rr */
	OpJumpMem = 0x800, /* JMP64m */
	OpCompute = 0x1000, /* computes in registers and flags; cannot trap, touches no memory */
};

using OpcodeTable = std::vector<uint16_t>;

const OpcodeTable &opcodeTable(const llvm::MCInstrInfo &MII);

} // namespace dynopt

#endif
