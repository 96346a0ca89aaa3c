/* SPDX-License-Identifier: MIT */
/*
 * pass_plugin.cpp - the door through which clang, opt and lld enter dynopt-pass.
 *
 * Nothing is decided here: the object streamer is registered with the target, and
 * two module passes hand the module to C code (module.c), one before any
 * optimization, one after all of it. LTO back ends run in threads, each with a
 * PassBuilder and a context of its own; what is registered here keeps no state.
 */
#include "module.h"

#include "llvm/IR/Module.h"
#include "llvm/IR/PassInstrumentation.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Passes/PassPlugin.h"

/* Replaces the target's ELF streamer; may be called from several threads, more than once. */
extern "C" LLVM_ATTRIBUTE_WEAK void dynopt_register_streamer(void) {}

namespace
{

using run_fn = bool(LLVMModuleRef);

/* Runs even under -O0, optnone and opt-bisect: these are facts, not optimizations. */
template <run_fn Run> struct module_pass : llvm::PassInfoMixin<module_pass<Run>> {
	static bool isRequired()
	{
		return true;
	}

	llvm::PreservedAnalyses run(llvm::Module &M, llvm::ModuleAnalysisManager &)
	{
		/* Attributes and metadata only: no analysis looks at those of ours. */
		Run(llvm::wrap(&M));
		return llvm::PreservedAnalyses::all();
	}
};

template <run_fn Run> void add(llvm::ModulePassManager &MPM, llvm::OptimizationLevel)
{
	MPM.addPass(module_pass<Run>());
}

/*
 * ThinLTO's back end at -O0 calls none of the extension points: its whole pipeline is
 * WholeProgramDevirt, LowerTypeTests, EliminateAvailableExternally, GlobalDCE. Seen from outside, by the
 * names of the passes that run; any other pass first means an ordinary pipeline.
 */
void watch_thin_O0(llvm::PassInstrumentationCallbacks &PIC)
{
	auto bare = std::make_shared<bool>(true);

	PIC.registerAfterPassCallback(
		[bare](llvm::StringRef Pass, llvm::Any IR, const llvm::PreservedAnalyses &) {
			if (!*bare || Pass == "VerifierPass" || Pass == "WholeProgramDevirtPass" ||
		            Pass == "LowerTypeTestsPass")
				return;
			*bare = false;
			if (Pass == "EliminateAvailableExternallyPass")
				if (auto *M = llvm::any_cast<const llvm::Module *>(&IR))
					module_late(llvm::wrap(*M));
		});
}

void enter(llvm::PassBuilder &PB)
{
	dynopt_register_streamer();
	if (!module_in_compiler())
		if (auto *PIC = PB.getPassInstrumentationCallbacks())
			watch_thin_O0(*PIC);
	PB.registerPipelineStartEPCallback(add<module_early>);
	PB.registerOptimizerLastEPCallback(add<module_late>);
	PB.registerFullLinkTimeOptimizationLastEPCallback(add<module_late>);
}

} // namespace

extern "C" LLVM_ATTRIBUTE_VISIBILITY_DEFAULT llvm::PassPluginLibraryInfo llvmGetPassPluginInfo()
{
	return { LLVM_PLUGIN_API_VERSION, "dynopt", "1", enter };
}
