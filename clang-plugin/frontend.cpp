/* SPDX-License-Identifier: MIT */
/*
 * frontend.cpp - the attribute, the pragma and the options, as clang hears them.
 *
 * All spellings end as the annotation "dynopt_disable" on the function, the form
 * that marks.c reads and that needs no plugin. The pragma's handler is added only
 * where sources are parsed, so -E copies the line and a later compilation of the
 * preprocessed text sees it.
 *
 * A region of the pragma covers the functions whose names it encloses, and a pragma
 * anywhere inside a body covers that whole function: the optimizer moves code, so
 * nothing smaller could be kept apart.
 */
#include "options.h"

#include "clang/AST/ASTConsumer.h"
#include "clang/AST/Attr.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/AST/ExprCXX.h"
#include "clang/Frontend/CompilerInstance.h"
#include "clang/Frontend/FrontendPluginRegistry.h"
#include "clang/Lex/Preprocessor.h"
#include "clang/Sema/ParsedAttr.h"
#include "clang/Sema/Sema.h"
#include "clang/Sema/SemaDiagnostic.h"

using namespace clang;

namespace
{

constexpr char annotation[] = "dynopt_disable";

/* What the pragma's diagnostics say. */
constexpr char warn_malformed[] =
	"malformed '#pragma dynopt'; it has no effect; write '#pragma dynopt disable push' or "
	"'#pragma dynopt disable pop'";
constexpr char warn_pop_without_push[] =
	"'#pragma dynopt disable pop' without a matching push; it has no effect; remove it or add "
	"'#pragma dynopt disable push' before the code to leave alone";
constexpr char warn_push_without_pop[] =
	"'#pragma dynopt disable push' is never popped; it disables everything to the end of the "
	"file; add '#pragma dynopt disable pop' after the code to leave alone";

/* -w and -Werror do not reach custom diagnostics by themselves in clang 19. */
void warn(DiagnosticsEngine &diagnostics, SourceLocation where, const char *text)
{
	auto level = diagnostics.getWarningsAsErrors() ? DiagnosticIDs::Error
	                                               : DiagnosticIDs::Warning;

	if (diagnostics.getIgnoreAllWarnings())
		return;
	diagnostics.Report(where, diagnostics.getDiagnosticIDs()->getCustomDiagID(level, text));
}

void annotate(ASTContext &context, Decl *D, SourceRange range)
{
	for (const auto *A : D->specific_attrs<AnnotateAttr>())
		if (A->getAnnotation() == annotation)
			return;
	D->addAttr(AnnotateAttr::Create(context, annotation, nullptr, 0, range));
}

/* --- attribute ----------------------------------------------------------------- */

struct disable_attribute : ParsedAttrInfo {
	disable_attribute()
	{
		static constexpr Spelling all[] = {
			{ ParsedAttr::AS_GNU, "dynopt_disable" },
			{ ParsedAttr::AS_CXX11, "dynopt::disable" },
			{ ParsedAttr::AS_C23, "dynopt::disable" },
		};
		Spellings = all;
		IsSupportedByPragmaAttribute = true;
	}

	bool diagAppertainsToDecl(Sema &S, const ParsedAttr &A, const Decl *D) const override
	{
		if (isa<FunctionDecl>(D) || isa<FunctionTemplateDecl>(D))
			return true;
		S.Diag(A.getLoc(), diag::warn_attribute_wrong_decl_type_str)
			<< A << A.isRegularKeywordAttribute() << "functions";
		return false;
	}

	void getPragmaAttributeMatchRules(
		llvm::SmallVectorImpl<std::pair<attr::SubjectMatchRule, bool>> &rules,
		const LangOptions &) const override
	{
		rules.push_back({ attr::SubjectMatchRule_function, true });
	}

	AttrHandling handleDeclAttribute(Sema &S, Decl *D, const ParsedAttr &A) const override
	{
		annotate(S.Context, D, A.getRange());
		return AttributeApplied;
	}
};

/* --- pragma -------------------------------------------------------------------- */

struct pragma_mark {
	SourceLocation where;
	int depth; /* of open regions, from here on */
	bool push;
};

/* Shared by the handler, which the preprocessor owns, and the consumer. */
struct pragma_state {
	std::vector<pragma_mark> marks; /* in the order of the translation unit */

	int depth() const
	{
		return marks.empty() ? 0 : marks.back().depth;
	}
};

struct pragma_handler : PragmaHandler {
	std::shared_ptr<pragma_state> state;

	explicit pragma_handler(std::shared_ptr<pragma_state> state)
		: PragmaHandler("dynopt"), state(std::move(state))
	{
	}

	void HandlePragma(Preprocessor &PP, PragmaIntroducer introducer, Token &) override
	{
		Token what, how, end;

		PP.LexUnexpandedToken(what);
		if (what.isNot(tok::eod))
			PP.LexUnexpandedToken(how);
		else
			how = what;
		if (how.isNot(tok::eod))
			PP.LexUnexpandedToken(end);
		else
			end = how;
		bool good = is_word(what, "disable") && end.is(tok::eod);
		bool push = good && is_word(how, "push"), pop = good && is_word(how, "pop");

		while (end.isNot(tok::eod))
			PP.LexUnexpandedToken(end);
		if (push || (pop && state->depth() > 0))
			state->marks.push_back(
				{ introducer.Loc, state->depth() + (push ? 1 : -1), push });
		else
			warn(PP.getDiagnostics(), introducer.Loc,
			     pop ? warn_pop_without_push : warn_malformed);
	}

	static bool is_word(const Token &token, const char *word)
	{
		return token.is(tok::identifier) && token.getIdentifierInfo()->isStr(word);
	}
};

/* Puts the annotation on functions before the code generator gets to see them. */
class marker : public ASTConsumer
{
	std::shared_ptr<pragma_state> state;
	ASTContext *context = nullptr;

	/* Index of the first mark after `where`. */
	size_t after(SourceLocation where) const
	{
		const SourceManager &SM = context->getSourceManager();
		const auto &marks = state->marks;

		return std::partition_point(marks.begin(), marks.end(),
		                            [&](const pragma_mark &mark) {
						    return SM.isBeforeInTranslationUnit(mark.where,
			                                                                where);
					    }) -
		       marks.begin();
	}

	bool covers(const FunctionDecl *F) const
	{
		size_t name = after(F->getLocation());

		if (name && state->marks[name - 1].depth > 0)
			return true;
		if (!F->doesThisDeclarationHaveABody())
			return false;
		for (size_t i = name, end = after(F->getEndLoc()); i < end; i++)
			if (state->marks[i].push)
				return true;
		return false;
	}

	void visit_function(FunctionDecl *F)
	{
		if (!F->isImplicit() && covers(F))
			annotate(*context, F, F->getSourceRange());
		visit_members(F); /* local classes, and those of lambdas */
	}

	void visit_members(DeclContext *DC)
	{
		for (Decl *D : DC->noload_decls())
			visit(D);
	}

	/* Lambdas in the initializers of variables outside functions. */
	void visit_statement(Stmt *S)
	{
		if (!S)
			return;
		if (auto *lambda = dyn_cast<LambdaExpr>(S))
			visit_members(lambda->getLambdaClass());
		for (Stmt *child : S->children())
			visit_statement(child);
	}

	void visit(Decl *D)
	{
		if (auto *T = dyn_cast<TemplateDecl>(D)) {
			if (NamedDecl *of = T->getTemplatedDecl())
				visit(of);
		} else if (auto *F = dyn_cast<FunctionDecl>(D)) {
			visit_function(F);
		} else if (auto *V = dyn_cast<VarDecl>(D)) {
			if (V->hasInit() && !V->isLocalVarDecl())
				visit_statement(V->getInit());
		} else if (auto *DC = dyn_cast<DeclContext>(D)) {
			visit_members(DC);
		}
	}

public:
	explicit marker(std::shared_ptr<pragma_state> state) : state(std::move(state)) {}

	void Initialize(ASTContext &C) override
	{
		context = &C;
	}

	bool HandleTopLevelDecl(DeclGroupRef group) override
	{
		if (!state->marks.empty())
			for (Decl *D : group)
				visit(D);
		return true;
	}

	void HandleInlineFunctionDefinition(FunctionDecl *F) override
	{
		if (!state->marks.empty())
			visit_function(F);
	}

	void HandleTranslationUnit(ASTContext &C) override
	{
		if (!state->depth())
			return;
		/* The push that opened the outermost region still open. */
		size_t i = state->marks.size();

		while (i && !(state->marks[i - 1].push && state->marks[i - 1].depth == 1))
			i--;
		warn(C.getDiagnostics(), state->marks[i - 1].where, warn_push_without_pop);
	}
};

/* --- options ------------------------------------------------------------------- */

struct action : PluginASTAction {
	std::unique_ptr<ASTConsumer> CreateASTConsumer(CompilerInstance &CI, StringRef) override
	{
		auto state = std::make_shared<pragma_state>();

		CI.getPreprocessor().AddPragmaHandler(new pragma_handler(state));
		return std::make_unique<marker>(state);
	}

	bool ParseArgs(const CompilerInstance &CI,
	               const std::vector<std::string> &arguments) override
	{
		static struct options options;
		const CodeGenOptions &CG = CI.getCodeGenOpts();

		options_init(&options);
		for (const std::string &argument : arguments) {
			char why[160];

			if (!options_parse(&options, argument.c_str(), why, sizeof(why))) {
				DiagnosticsEngine &D = CI.getDiagnostics();
				D.Report(D.getCustomDiagID(DiagnosticsEngine::Error, "dynopt: %0"))
					<< why;
				return false;
			}
		}
		if (CG.FatLTO)
			options.phase = PHASE_FAT;
		else if (CG.PrepareForLTO || CG.PrepareForThinLTO)
			options.phase = PHASE_PRELINK;
		options_publish(&options);
		return true;
	}

	ActionType getActionType() override
	{
		return AddBeforeMainAction;
	}
};

ParsedAttrInfoRegistry::Add<disable_attribute> attribute_registered(annotation,
                                                                    "no run-time optimization");
FrontendPluginRegistry::Add<action> action_registered("dynopt", "marks and options of dynopt");

} // namespace
