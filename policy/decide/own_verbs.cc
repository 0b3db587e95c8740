// SPDX-License-Identifier: Apache-2.0
#include "policy/decide/own_verbs.h"

#include <algorithm>
#include <array>

namespace hostclaw::policy {
namespace {

constexpr std::array kVerbs = {
    OwnVerb{"approvals allowlist add", VerbUse::kChanges},
    OwnVerb{"approvals allowlist list", VerbUse::kReads},
    OwnVerb{"approvals allowlist remove", VerbUse::kChanges},
    OwnVerb{"approvals get", VerbUse::kReads},
    OwnVerb{"approvals grants list", VerbUse::kReadsOthers},
    OwnVerb{"approvals grants revoke", VerbUse::kChanges},
    OwnVerb{"approvals list", VerbUse::kReads},
    OwnVerb{"approvals pending", VerbUse::kReadsOthers},
    OwnVerb{"approvals resolve", VerbUse::kChanges},
    OwnVerb{"approvals set", VerbUse::kChanges},
    OwnVerb{"approvals show", VerbUse::kReadsOthers},
    OwnVerb{"approvals watch", VerbUse::kChanges},
    OwnVerb{"audit checkpoint", VerbUse::kChanges},
    OwnVerb{"audit export", VerbUse::kReadsOthers},
    OwnVerb{"audit limit set", VerbUse::kChanges},
    OwnVerb{"audit limit show", VerbUse::kReads},
    OwnVerb{"audit mirror set", VerbUse::kChanges},
    OwnVerb{"audit mirror show", VerbUse::kReads},
    OwnVerb{"audit prune", VerbUse::kChanges},
    OwnVerb{"audit retention set", VerbUse::kChanges},
    OwnVerb{"audit retention show", VerbUse::kReads},
    OwnVerb{"audit show", VerbUse::kReadsOthers},
    OwnVerb{"audit stats", VerbUse::kReads},
    OwnVerb{"audit tail", VerbUse::kReadsOthers},
    OwnVerb{"audit verify", VerbUse::kReads},
    OwnVerb{"bugreport", VerbUse::kReadsOthers},
    // An agent speaks to its relay from a run: what it says is on its command line, and nothing of the node
    // or its policy is touched. Files of this machine are: a listed hostclaw must neither send nor write
    // them.
    OwnVerb{"clawlink", VerbUse::kReads},
    OwnVerb{"clawlink ack", VerbUse::kReads},
    OwnVerb{"clawlink agents list", VerbUse::kReads},
    OwnVerb{"clawlink agents remove", VerbUse::kChanges},
    OwnVerb{"clawlink audit tail", VerbUse::kReadsOthers},
    OwnVerb{"clawlink audit verify", VerbUse::kReads},
    OwnVerb{"clawlink broadcast", VerbUse::kReads},
    OwnVerb{"clawlink cancel", VerbUse::kReads},
    OwnVerb{"clawlink credentials list", VerbUse::kReads},
    OwnVerb{"clawlink credentials revoke", VerbUse::kChanges},
    OwnVerb{"clawlink credentials rotate", VerbUse::kChanges},
    OwnVerb{"clawlink dead-letters", VerbUse::kReadsOthers},
    OwnVerb{"clawlink delegate", VerbUse::kReads},
    OwnVerb{"clawlink deregister", VerbUse::kReads},
    OwnVerb{"clawlink disable", VerbUse::kChanges},
    OwnVerb{"clawlink discover", VerbUse::kReads},
    OwnVerb{"clawlink enable", VerbUse::kChanges},
    OwnVerb{"clawlink extend", VerbUse::kReads},
    OwnVerb{"clawlink file-get", VerbUse::kChanges},
    OwnVerb{"clawlink file-history", VerbUse::kReads},
    OwnVerb{"clawlink file-list", VerbUse::kReads},
    OwnVerb{"clawlink file-put", VerbUse::kChanges},
    OwnVerb{"clawlink files list", VerbUse::kReads},
    OwnVerb{"clawlink files remove", VerbUse::kChanges},
    OwnVerb{"clawlink forward add", VerbUse::kChanges},
    OwnVerb{"clawlink forward list", VerbUse::kReads},
    OwnVerb{"clawlink forward remove", VerbUse::kChanges},
    OwnVerb{"clawlink heartbeat", VerbUse::kReads},
    OwnVerb{"clawlink info", VerbUse::kReads},
    OwnVerb{"clawlink nack", VerbUse::kReads},
    OwnVerb{"clawlink poll", VerbUse::kReads},
    OwnVerb{"clawlink register", VerbUse::kReads},
    OwnVerb{"clawlink respond", VerbUse::kReads},
    OwnVerb{"clawlink rules add", VerbUse::kChanges},
    OwnVerb{"clawlink rules list", VerbUse::kReads},
    OwnVerb{"clawlink rules remove", VerbUse::kChanges},
    OwnVerb{"clawlink scan", VerbUse::kReads},
    OwnVerb{"clawlink serve", VerbUse::kChanges},
    OwnVerb{"clawlink task", VerbUse::kReads},
    OwnVerb{"clawlink tasks", VerbUse::kReads},
    OwnVerb{"clawlink watch", VerbUse::kReads},
    OwnVerb{"complete", VerbUse::kReadsOthers},
    OwnVerb{"completion", VerbUse::kReads},
    OwnVerb{"connect", VerbUse::kChanges},
    OwnVerb{"doctor", VerbUse::kReads},
    OwnVerb{"exec-policy preset", VerbUse::kChanges},
    OwnVerb{"exec-policy set", VerbUse::kChanges},
    OwnVerb{"exec-policy show", VerbUse::kReads},
    OwnVerb{"generate", VerbUse::kReads},
    OwnVerb{"help", VerbUse::kReads},
    OwnVerb{"hostlink disable", VerbUse::kChanges},
    OwnVerb{"hostlink enable", VerbUse::kChanges},
    OwnVerb{"hostlink pin", VerbUse::kReads},
    OwnVerb{"hostlink serve", VerbUse::kChanges},
    OwnVerb{"hostlink token add", VerbUse::kChanges},
    OwnVerb{"hostlink token list", VerbUse::kReadsOthers},
    OwnVerb{"hostlink token revoke", VerbUse::kChanges},
    OwnVerb{"hostlink token set", VerbUse::kChanges},
    OwnVerb{"import", VerbUse::kChanges},
    OwnVerb{"logs", VerbUse::kReadsOthers},
    OwnVerb{"node identity", VerbUse::kReads},
    OwnVerb{"node install", VerbUse::kChanges},
    OwnVerb{"node restart", VerbUse::kChanges},
    OwnVerb{"node run", VerbUse::kChanges},
    OwnVerb{"node start", VerbUse::kChanges},
    OwnVerb{"node status", VerbUse::kReadsOwnRuns},
    OwnVerb{"node stop", VerbUse::kChanges},
    OwnVerb{"node uninstall", VerbUse::kChanges},
    OwnVerb{"policy add", VerbUse::kChanges},
    OwnVerb{"policy allow-script", VerbUse::kChanges},
    OwnVerb{"policy apply", VerbUse::kChanges},
    OwnVerb{"policy check", VerbUse::kReads},
    OwnVerb{"policy explain", VerbUse::kReads},
    OwnVerb{"policy export", VerbUse::kReads},
    OwnVerb{"policy import", VerbUse::kChanges},
    OwnVerb{"policy lint", VerbUse::kReads},
    OwnVerb{"policy list", VerbUse::kReads},
    OwnVerb{"policy observed", VerbUse::kChanges},  // shows what others ran; --clear forgets it
    OwnVerb{"policy remove", VerbUse::kChanges},
    OwnVerb{"policy rules", VerbUse::kReads},
    OwnVerb{"policy starter", VerbUse::kChanges},
    OwnVerb{"policy suggest", VerbUse::kReadsOthers},
    OwnVerb{"policy template docker-read", VerbUse::kChanges},
    OwnVerb{"policy template git", VerbUse::kChanges},
    OwnVerb{"policy template hostops", VerbUse::kChanges},
    OwnVerb{"policy template kubectl-read", VerbUse::kChanges},
    OwnVerb{"policy template list", VerbUse::kReads},
    OwnVerb{"policy template npm", VerbUse::kChanges},
    OwnVerb{"policy template off", VerbUse::kChanges},
    OwnVerb{"policy template show", VerbUse::kReads},
    OwnVerb{"policy template systemctl-read", VerbUse::kChanges},
    OwnVerb{"policy test", VerbUse::kReads},
    OwnVerb{"runs", VerbUse::kReadsOwnRuns},
    OwnVerb{"runs cancel", VerbUse::kChanges},
    OwnVerb{"runs list", VerbUse::kReadsOwnRuns},
    OwnVerb{"runs show", VerbUse::kReadsOwnRuns},
    OwnVerb{"selftest", VerbUse::kReads},
    OwnVerb{"service console", VerbUse::kChanges},
    OwnVerb{"service logon", VerbUse::kChanges},
    OwnVerb{"service logon-node", VerbUse::kChanges},
    OwnVerb{"service run", VerbUse::kChanges},
    OwnVerb{"status", VerbUse::kReadsOwnRuns},
    OwnVerb{"version", VerbUse::kReads},
};

constexpr std::array<std::string_view, 22> kFirstWords = {
    "approvals",      "audit",       "bugreport", "clawlink", "complete", "completion", "connect", "doctor",
    "exec-approvals", "exec-policy", "generate",  "help",     "hostlink", "import",     "logs",    "node",
    "policy",         "runs",        "selftest",  "service",  "status",   "version"};

constexpr std::size_t kMostWords = 3;

bool is_help(std::string_view word) { return word == "--help" || word == "-h"; }

// `found`, or the verb below it that a later word names: options may stand between the two.
OwnCommand strictest(OwnCommand found, std::span<const std::string> words) {
  if (found.verb == nullptr) return found;
  const std::string group = std::string(found.verb->words) + ' ';
  for (const std::string& word : words) {
    const OwnVerb* below = find_own_verb(group + word);
    if (below != nullptr && below->use > found.use) found = {below->use, below};
  }
  return found;
}

// A group of verbs, or a verb.
bool begins_a_verb(std::string_view words) {
  return std::any_of(kVerbs.begin(), kVerbs.end(), [&](const OwnVerb& verb) {
    return verb.words.starts_with(words) &&
           (verb.words.size() == words.size() || verb.words[words.size()] == ' ');
  });
}

}  // namespace

std::string_view to_string(VerbUse value) {
  switch (value) {
    case VerbUse::kReads:
      return "reads";
    case VerbUse::kReadsOwnRuns:
      return "own-runs";
    case VerbUse::kReadsOthers:
      return "reads-others";
    case VerbUse::kChanges:
      break;
  }
  return "changes";
}

std::span<const OwnVerb> own_verbs() { return kVerbs; }

const OwnVerb* find_own_verb(std::string_view words) {
  const auto it =
      std::find_if(kVerbs.begin(), kVerbs.end(), [&](const OwnVerb& verb) { return verb.words == words; });
  return it == kVerbs.end() ? nullptr : &*it;
}

bool begins_own_command(std::string_view word) {
  return std::find(kFirstWords.begin(), kFirstWords.end(), word) != kFirstWords.end();
}

OwnCommand read_own_command(std::span<const std::string> words) {
  if (words.empty()) return {VerbUse::kReads, nullptr};
  if (words.size() == 1 && (is_help(words[0]) || words[0] == "--version")) return {VerbUse::kReads, nullptr};
  std::string path;
  OwnCommand found;
  for (std::size_t i = 0; i < std::min(words.size(), kMostWords); ++i) {
    if (i > 0) path += ' ';
    path += i == 0 && words[0] == "exec-approvals" ? "approvals" : words[i];
    if (!begins_a_verb(path)) break;
    if (const OwnVerb* verb = find_own_verb(path)) found = {verb->use, verb};
    if (i + 2 == words.size() && is_help(words[i + 1])) return {VerbUse::kReads, found.verb};
  }
  return strictest(found, words);
}

DecisionCode self_code(VerbUse use) {
  return use == VerbUse::kReadsOthers ? DecisionCode::kSelfPrivate : DecisionCode::kSelfPolicy;
}

}  // namespace hostclaw::policy
