// SPDX-License-Identifier: Apache-2.0
// One request as the commands that would run, each resolved to a file and judged against the lists. Exec
// contract 4.2 step 5, 7, 8, 9. Pure; learns about files through FileProbe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "policy/decide/engine.h"
#include "policy/decide/run_request.h"
#include "policy/document/effective_policy.h"
#include "policy/programs/executable_lookup.h"
#include "policy/programs/wrappers.h"
#include "policy/shell/shell_text.h"

namespace hostclaw::policy {

enum class SatisfiedBy { kNothing, kEntry, kSafeBin, kBuiltin, kSkill, kRule, kOwnRuns };

// One simple command.
struct Segment {
  std::vector<std::string> source;  // as written
  UnwrappedCommand unwrapped;       // `unwrapped.argv` is what runs
  ExecutableLookup executable;      // of unwrapped.argv[0]
  // Hardened keeps a wrapper such as `timeout 30`: what is started then, with the program's resolved path in
  // it.
  std::optional<ExecutableLookup> wrapper;
  std::vector<std::string> wrapped_argv;
  Builtin builtin = Builtin::kNone;
  SatisfiedBy by = SatisfiedBy::kNothing;
  std::optional<MatchedEntry> entry;    // by == kEntry
  std::optional<ScriptOperand> script;  // a shell's script that the entry is about
  const Rule* rule = nullptr;           // the strictest rule about this command
  // In which it would run, links not resolved; set by match_segments, nullopt: not known.
  std::optional<std::string> directory;
  bool durable = false;                     // the entry is an allow-always grant
  bool official_builtin = false;            // `test` and `[`: upstream needs no entry, hardened does
  bool never = false;                       // no entry can satisfy it; `reason` says why
  DecisionCode code = DecisionCode::kNone;  // of `reason`
  std::string reason;                       // one sentence when not satisfied

  const std::vector<std::string>& argv() const { return unwrapped.argv; }
};

struct CommandAnalysis {
  bool ok = false;
  DecisionCode code = DecisionCode::kNone;  // when not ok
  std::string reason;                       // one sentence when not ok
  bool shell_text = false;                  // a text was analysed, not an argv
  ShellProgram program;  // of shell_text; its commands and `segments` go together one to one
  std::vector<Segment> segments;

  bool satisfied() const;
  // All of them matched allow-always grants.
  bool durable() const;
};

// What the analysis needs to know about the request beside the lists.
struct AnalysisInput {
  const RunRequest& request;
  const EffectivePolicy& policy;
  const EngineContext& context;
  std::string cwd;                 // absolute
  const Environment& environment;  // complete, of the child
  std::vector<TraceStep>& trace;
};

// Splits the request into segments and resolves them; nothing is matched yet.
CommandAnalysis analyse_command(const AnalysisInput& input);

// Looks for what satisfies each segment. Only meaningful under security=allowlist; under full it is used to
// find durable grants.
void match_segments(const AnalysisInput& input, CommandAnalysis& analysis);

struct RuleFinding {
  const Rule* certain = nullptr;   // the strictest of the owner's rules that covers one of the commands
  const Rule* possible = nullptr;  // the strictest that denies or asks and could not be excluded
  std::string doubt;               // why not, for the end of a sentence; empty without `possible`
};

// Sets Segment::rule.
RuleFinding match_rules(const AnalysisInput& input, CommandAnalysis& analysis);

// A package manager with options in front of a word that makes it run something: which word that is cannot be
// told.
bool hides_package_exec(const std::vector<std::string>& argv);

// What could be commands in a text that was not understood: quotes and escapes dropped, everything that could
// begin a command separates. For finding, never for allowing.
std::vector<std::vector<std::string>> rough_commands(std::string_view text, Platform platform);

// A character by which a text shows something else than it is: bidirectional controls, zero-width characters,
// line separators, control characters; empty when there is none.
std::string misleading_character(std::string_view text);

}  // namespace hostclaw::policy
