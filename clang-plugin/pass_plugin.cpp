/* SPDX-License-Identifier: MIT */
/*
 * pass_plugin.cpp - the door through which clang, opt and lld enter dynopt-pass.
 *
 * Nothing is decided here: the object streamer is registered with the target, and
 * two module passes hand the module to C code (module.c), one before any
 * optimization, one after all of it. LTO back ends run in threads, each with a
 * PassBuilder and a context of its own; what is registered here keeps no state.
 */
#include "facts.h"
#include "module.h"

#include "llvm/IR/Module.h"
#include "llvm/IR/PassInstrumentation.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Passes/PassPlugin.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"
#include <mutex>
#include <unistd.h>

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

/* Was this option of LLVM's given (-mllvm)? */
bool given(const char *name)
{
	auto &options = llvm::cl::getRegisteredOptions();
	auto found = options.find(name);

	return found != options.end() && found->second->getNumOccurrences() > 0;
}

/*
 * The streamer takes the place of X86's own, which these options speak to: they would
 * be ignored without a word. LTO comes here in several threads: one says so, and no
 * destructor runs under the feet of the others.
 */
void refuse_aligned_branches()
{
	static const char *const refused[] = {
		"x86-align-branch-boundary",
		"x86-align-branch",
		"x86-branches-within-32B-boundaries",
		"x86-pad-max-prefix-size",
		"x86-pad-for-align",
		"x86-pad-for-branch-align",
	};
	static std::mutex one;
	std::lock_guard<std::mutex> hold(one);

	for (const char *option : refused) {
		if (!given(option))
			continue;
		llvm::errs() << (llvm::Twine("dynopt: -") + option +
		                 " cannot be combined with jumpstations: it would undo the "
		                 "alignment of branches; leave it or the plugin out\n")
					.str();
		llvm::sys::RunInterruptHandlers(); /* removes unfinished output files */
		_exit(1);
	}
}

/* The driver's word to lld: -print-bfi-func-name=dynopt-HASH-report (driver/plan.c). */
bool link_reports()
{
	auto &options = llvm::cl::getRegisteredOptions();
	auto found = options.find("print-bfi-func-name");

	if (found == options.end() || !found->second->getNumOccurrences())
		return false;
	llvm::StringRef value = *static_cast<llvm::cl::opt<std::string> *>(found->second);
	return value.starts_with("dynopt-") && value.ends_with(FACTS_LTO_REPORT);
}

bool late(LLVMModuleRef M)
{
	return module_late(M, link_reports());
}

/* Calls `late` after each pass for which `is_last` holds. */
template <typename Predicate> void watch(llvm::PassBuilder &PB, Predicate is_last)
{
	llvm::PassInstrumentationCallbacks *PIC = PB.getPassInstrumentationCallbacks();

	if (!PIC)
		return;
	PIC->registerAfterPassCallback([is_last](llvm::StringRef Pass, llvm::Any IR,
	                                         const llvm::PreservedAnalyses &) mutable {
		auto *M = llvm::any_cast<const llvm::Module *>(&IR);

		if (M && is_last(Pass))
			late(llvm::wrap(*M));
	});
}

/*
 * ThinLTO's back end at -O0 calls none of the extension points: its whole pipeline is
 * WholeProgramDevirt, LowerTypeTests, EliminateAvailableExternally, GlobalDCE. Seen from
 * outside, by the names of the passes that run; any other pass first means an ordinary
 * pipeline.
 */
struct thin_O0 {
	bool bare = true;

	bool operator()(llvm::StringRef Pass)
	{
		if (!bare || Pass == "VerifierPass" || Pass == "WholeProgramDevirtPass" ||
		    Pass == "LowerTypeTestsPass")
			return false;
		bare = false;
		return Pass == "EliminateAvailableExternallyPass";
	}
};

/* Passes that move code to new functions, run only on demand, after the last extension point. */
bool outlines(llvm::StringRef Pass)
{
	return Pass == "HotColdSplittingPass" || Pass == "IROutlinerPass";
}

void enter(llvm::PassBuilder &PB)
{
	refuse_aligned_branches();
	dynopt_register_streamer();
	if (given("hot-cold-split") || given("ir-outliner"))
		watch(PB, outlines);
	PB.registerPipelineStartEPCallback(add<module_early>);
	PB.registerFullLinkTimeOptimizationLastEPCallback(add<late>);
	if (!module_in_compiler()) {
		watch(PB, thin_O0());
		PB.registerOptimizerLastEPCallback(add<late>);
		return;
	}
	/*
	 * clang registers its sanitizers after plugins have had their turn, and what
	 * they add counts: so the place is taken when the pipeline begins to be built.
	 */
	PB.registerPipelineStartEPCallback(
		[&PB, done = false](llvm::ModulePassManager &, llvm::OptimizationLevel) mutable {
			if (!done)
				PB.registerOptimizerLastEPCallback(add<late>);
			done = true;
		});
}

} // namespace

extern "C" LLVM_ATTRIBUTE_VISIBILITY_DEFAULT llvm::PassPluginLibraryInfo llvmGetPassPluginInfo()
{
	return { LLVM_PLUGIN_API_VERSION, "dynopt", "1", enter };
}
