// SPDX-License-Identifier: Apache-2.0
// hostclaw policy suggest: rules for what was asked lately, each as narrow as it can be. Changes nothing.
#include <algorithm>
#include <map>
#include <set>

#include "approvals/shown/secret_masking.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "cli/times.h"
#include "cli/verb_policy.h"
#include "node-host/system/files/file_handles.h"
#include "policy/decide/run_decision.h"
#include "policy/programs/wrappers.h"
#include "policy/request/command_text.h"

namespace hostclaw::cli {
namespace {

using policy::Rule;

struct SuggestFlags {
  std::string agent;
  std::string since = "7d";
  std::size_t limit = 500;
  bool json = false;
};

constexpr std::size_t kMostShownOthers = 5;
// So many different words in one place of otherwise equal commands are a parameter.
constexpr std::size_t kFewestWords = 3;

// A program with its arguments as it came lately.
struct Seen {
  std::string agent;
  policy::RuleSubject subject;
  std::string program;              // by which a rule names it
  bool asked = false;               // today's policy still asks about it
  std::int64_t asked_ms = 0;        // when somebody was asked last, and did not say no
  std::int64_t refused_ms = 0;      // when a person said no last
  bool names_no_directory = false;  // the request left it to the node
  std::int64_t count = 0;
  std::int64_t last_ms = 0;
};

struct Suggestion {
  Rule rule;
  std::set<std::size_t> from;  // of the list of what was seen
  std::int64_t count = 0;
  std::int64_t last_ms = 0;
};

struct Looked {
  std::vector<Seen> seen;
  std::map<std::string, std::string> without_rule;  // command: why no rule is suggested
};

bool is_plain_word(const std::string& word) {
  return !word.empty() && !word.starts_with("...") && word.find_first_of("*?|<>") == std::string::npos;
}

Seen seen_of(const policy::Segment& segment, const policy::RunDecision& decision,
             const policy::EngineContext& context, policy::FileProbe& files, const approvals::RunRow& row) {
  Seen out;
  // Then it ran where the node stands, which is not where this command stands.
  out.names_no_directory = row.cwd.empty() && segment.directory == decision.cwd;
  out.agent = decision.request.agent_id;
  out.subject.argv = segment.argv();
  out.subject.real_path = segment.executable.real_path;
  out.subject.name = segment.executable.name;
  out.subject.platform = context.platform;
  const bool by_name =
      !segment.executable.path_like ||
      policy::name_leads_to_path(segment.executable, decision.cwd, decision.environment, context);
  out.subject.bare_word = by_name;
  if (segment.directory && !row.cwd.empty()) {
    const std::string real = files.facts(*segment.directory).real_path;
    out.subject.directory = real.empty() ? *segment.directory : real;
  }
  out.program = by_name ? segment.executable.name : segment.executable.real_path;
  return out;
}

void remember(std::vector<Seen>& all, Seen item, std::int64_t at_ms) {
  const auto same = std::find_if(all.begin(), all.end(), [&](const Seen& other) {
    return other.agent == item.agent && other.subject.argv == item.subject.argv &&
           other.subject.directory == item.subject.directory;
  });
  Seen& kept = same == all.end() ? all.emplace_back(std::move(item)) : *same;
  if (same != all.end()) {
    kept.asked = kept.asked || item.asked;
    kept.asked_ms = std::max(kept.asked_ms, item.asked_ms);
    kept.refused_ms = std::max(kept.refused_ms, item.refused_ms);
  }
  ++kept.count;
  kept.last_ms = std::max(kept.last_ms, at_ms);
}

// Why no rule could let it run, or none should be made of it; empty: one can.
std::string no_rule_because(const policy::RunDecision& decision) {
  const policy::Decision& its = decision.evaluation.decision;
  if (!decision.analysis.ok) return its.explanation;
  if (its.code == policy::DecisionCode::kRuleAsk) return "your own rule asks about it: " + its.explanation;
  if (its.code == policy::DecisionCode::kAskAlways) return its.explanation;
  return {};
}

Json params_of(const approvals::RunRow& row) {
  const auto argv = parse_json(row.argv_json);
  Json params = {{"command", argv && argv->is_array() ? *argv : Json::array()}};
  // Text of an agent, as the gateway sends it.
  std::vector<std::string> words;
  for (const Json& word : params["command"]) {
    if (word.is_string()) words.push_back(word.get<std::string>());
  }
  if (policy::is_gateway_carrier(words)) params["rawCommand"] = words.back();
  if (!row.agent_id.empty()) params["agentId"] = row.agent_id;
  if (!row.cwd.empty()) params["cwd"] = row.cwd;
  return params;
}

// Somebody was asked, here or by the gateway, and did not say no. What the gateway's person refused never
// came.
bool was_asked(const approvals::RunRow& row) {
  return row.verdict == "ask" ||
         is_one_of(row.code, {"ALLOWED_BY_ANSWER", "ALLOWED_BY_APPROVAL", "UNANSWERED"});
}

void look_at(const approvals::RunRow& row, const InForce& in_force, Looked& out) {
  // What was masked for people does not become a rule; neither does a secret.
  const std::string shown = approvals::mask_secrets_in_text(row.command_text);
  node_host::OpenedFiles files;
  const policy::EngineContext context = check_context(in_force.settings, files);
  const policy::RunDecision decision = policy::decide_run(params_of(row), *in_force.document, context);
  const bool asked = decision.evaluation.decision.verdict == policy::Verdict::kAsk;
  if (asked && was_asked(row)) {
    std::string why =
        shown == row.command_text ? no_rule_because(decision) : "it holds what looks like a secret";
    if (!why.empty()) out.without_rule[shown] = std::move(why);
  }
  if (shown != row.command_text || !decision.analysis.ok) return;
  for (const policy::Segment& segment : decision.analysis.segments) {
    if (segment.builtin != policy::Builtin::kNone || !segment.executable.found) continue;
    Seen item = seen_of(segment, decision, context, files, row);
    item.asked = asked && was_asked(row) && segment.by == policy::SatisfiedBy::kNothing &&
                 no_rule_because(decision).empty();
    if (was_asked(row)) item.asked_ms = row.started_at_ms;
    if (row.code == "ANSWERED_DENY") item.refused_ms = row.started_at_ms;
    remember(out.seen, std::move(item), row.started_at_ms);
  }
}

// ---- rules

Rule exact_rule(const Seen& seen) {
  Rule rule;
  rule.effect = policy::RuleEffect::kAllow;
  rule.agent = seen.agent.empty() ? "*" : seen.agent;
  rule.program = seen.program;
  rule.arguments.emplace(seen.subject.argv.begin() + 1, seen.subject.argv.end());
  rule.directory = seen.subject.directory;
  std::vector<std::string> example = seen.subject.argv;
  example.front() = seen.program;
  rule.match = {example};
  example.push_back("--and-more");
  rule.not_match = {example};
  return rule;
}

bool rule_can_say(const Rule& rule) {
  return is_plain_word(rule.program) &&
         std::all_of(rule.arguments->begin(), rule.arguments->end(), is_plain_word) &&
         policy::verify_rule(rule).has_value();
}

// With the rule, nobody is asked about this command any more.
bool rule_helps(const Rule& rule, const Seen& seen, const InForce& in_force) {
  policy::EngineSettings settings = in_force.settings;
  std::vector<Rule> rules;
  if (settings.rules) rules = settings.rules->rules();
  rules.push_back(rule);
  settings.rules = std::make_shared<const policy::RuleSet>(std::move(rules));
  node_host::OpenedFiles files;
  Json params = {{"command", seen.subject.argv}};
  if (!seen.agent.empty()) params["agentId"] = seen.agent;
  if (seen.subject.directory) params["cwd"] = *seen.subject.directory;
  return policy::evaluate_run(params, *in_force.document, check_context(settings, files)).decision.verdict ==
         policy::Verdict::kAllow;
}

std::vector<Suggestion> exact_suggestions(Looked& looked, const InForce& in_force) {
  std::vector<Suggestion> out;
  for (std::size_t i = 0; i < looked.seen.size(); ++i) {
    const Seen& seen = looked.seen[i];
    // The last word of a person counts.
    if (!seen.asked || seen.refused_ms >= seen.asked_ms) continue;
    const Rule rule = exact_rule(seen);
    const std::string shown = approvals::mask_secrets_in_text(policy::command_text(seen.subject.argv));
    if (!seen.subject.directory && !seen.names_no_directory) {
      looked.without_rule[shown] = "in which directory it runs cannot be told";
    } else if (rule_can_say(rule) && rule_helps(rule, seen, in_force)) {
      out.push_back({rule, {i}, seen.count, seen.last_ms});
    } else {
      looked.without_rule[shown] = "no rule with exactly these words lets it run";
    }
  }
  return out;
}

// The narrowest kind of word that all of them are; empty: none.
std::string class_of(const std::set<std::string>& words) {
  for (const char* name : {"<number>", "<id>"}) {
    Rule probe;
    probe.effect = policy::RuleEffect::kAllow;
    probe.program = "x";
    probe.arguments = {{name}};
    const bool all = std::all_of(words.begin(), words.end(), [&](const std::string& word) {
      policy::RuleSubject subject;
      subject.argv = {"x", word};
      subject.name = "x";
      return policy::rule_covers(probe, subject, "");
    });
    if (all) return name;
  }
  return {};
}

// Everything of a rule but the word at `place`: what two rules share that differ there alone.
std::string frame_of(const Rule& rule, std::size_t place) {
  Json frame = {rule.agent, rule.program, rule.directory.value_or(""), *rule.arguments};
  frame[3][place] = nullptr;
  return dump_json(frame);
}

// Several that differ in one word are one with a parameter.
void merge_parameters(std::vector<Suggestion>& all) {
  std::map<std::string, std::vector<std::size_t>> frames;
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t place = 0; place < all[i].rule.arguments->size(); ++place)
      frames[std::to_string(place) + frame_of(all[i].rule, place)].push_back(i);
  }
  std::set<std::size_t> gone;
  std::vector<Suggestion> merged;
  for (const auto& [frame, members] : frames) {
    const auto place = static_cast<std::size_t>(std::stoul(frame));
    std::set<std::string> words;
    for (const std::size_t i : members) {
      if (!gone.contains(i)) words.insert((*all[i].rule.arguments)[place]);
    }
    const std::string kind = words.size() < kFewestWords ? std::string() : class_of(words);
    if (kind.empty()) continue;
    Suggestion one{all[members.front()].rule, {}, 0, 0};
    (*one.rule.arguments)[place] = kind;
    for (const std::size_t i : members) {
      if (!gone.insert(i).second) continue;
      one.from.insert(all[i].from.begin(), all[i].from.end());
      one.count += all[i].count;
      one.last_ms = std::max(one.last_ms, all[i].last_ms);
    }
    merged.push_back(std::move(one));
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!gone.contains(i)) merged.push_back(std::move(all[i]));
  }
  all = std::move(merged);
}

// ---- what is shown

std::vector<std::string> others_covered(const Suggestion& suggestion, const Looked& looked) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < looked.seen.size(); ++i) {
    const Seen& seen = looked.seen[i];
    if (suggestion.from.contains(i) || !policy::rule_covers(suggestion.rule, seen.subject, seen.agent))
      continue;
    out.push_back(policy::command_text(seen.subject.argv));
  }
  return out;
}

// As `policy add` takes it; empty where it cannot say these words.
std::string add_command(const Rule& rule) {
  const auto holds_blank = [](const std::string& word) {
    return word.find_first_of(" \t") != std::string::npos;
  };
  if (std::any_of(rule.arguments->begin(), rule.arguments->end(), holds_blank)) return {};
  std::vector<std::string> words = {
      "hostclaw", "policy", "add", "allow", rule.program, "--arguments", join(*rule.arguments, " ")};
  if (rule.directory) words.insert(words.end(), {"--directory", *rule.directory});
  if (rule.agent != "*") words.insert(words.end(), {"--agent", rule.agent});
  words.insert(words.end(), {"--match", policy::command_text(rule.match.front()), "--not-match",
                             policy::command_text(rule.not_match.front())});
  return policy::command_text(words);
}

void show_suggestion(const Suggestion& suggestion, const Looked& looked) {
  print_wrapped(rule_line(suggestion.rule), 6);
  print_line("    asked " + std::to_string(suggestion.count) + (suggestion.count == 1 ? " time" : " times") +
             ", last " + format_time(suggestion.last_ms));
  const std::vector<std::string> others = others_covered(suggestion, looked);
  for (std::size_t i = 0; i < std::min(others.size(), kMostShownOthers); ++i)
    print_line("    covers also " + for_terminal(others[i]));
  if (others.size() > kMostShownOthers)
    print_line("    and " + std::to_string(others.size() - kMostShownOthers) + " more that came lately");
  if (others.empty()) print_line("    covers nothing else that came lately");
  const std::string command = add_command(suggestion.rule);
  print_line("    " + (command.empty() ? "its words hold blanks: take it from --json, with policy import"
                                       : for_terminal(command)));
}

Json suggestion_json(const Suggestion& suggestion, const Looked& looked) {
  Json rule = policy::rule_to_json(suggestion.rule);
  rule.erase("id");
  return {{"rule", std::move(rule)},
          {"asked", suggestion.count},
          {"lastAtMs", suggestion.last_ms},
          {"coversAlso", others_covered(suggestion, looked)},
          {"command", add_command(suggestion.rule)}};
}

int suggest(const SuggestFlags& flags) {
  const auto since = parse_duration(flags.since, "--since");
  if (!since) return fail(since.error(), flags.json);
  auto in_force = read_policy();
  if (!in_force) return fail(in_force.error(), flags.json);
  Looked looked;
  if (in_force->store != nullptr) {
    approvals::RunFilter filter;
    filter.limit = flags.limit;
    filter.agent_id = flags.agent;
    filter.since_ms = unix_ms_now() - *since;
    const auto rows = in_force->store->runs(filter);
    if (!rows) return fail(rows.error(), flags.json);
    for (const approvals::RunRow& row : *rows) look_at(row, *in_force, looked);
  }
  std::vector<Suggestion> suggestions = exact_suggestions(looked, *in_force);
  merge_parameters(suggestions);
  std::sort(suggestions.begin(), suggestions.end(),
            [](const Suggestion& left, const Suggestion& right) { return left.count > right.count; });
  if (flags.json) {
    Json list = Json::array();
    for (const Suggestion& item : suggestions) list.push_back(suggestion_json(item, looked));
    print_json(Json{{"suggestions", std::move(list)}, {"withoutRule", looked.without_rule}});
    return kDone;
  }
  for (const Suggestion& item : suggestions) show_suggestion(item, looked);
  for (const auto& [command, why] : looked.without_rule)
    print_line("no rule for " + for_terminal(command) + "\n    " + for_terminal(why));
  if (suggestions.empty() && looked.without_rule.empty())
    note("nothing that a rule would change was asked about in the last " + flags.since);
  if (!suggestions.empty()) note("nothing was stored; look at each before you type its command");
  return kDone;
}

}  // namespace

void add_policy_suggest(CLI::App& policy, Action& action) {
  const auto flags = std::make_shared<SuggestFlags>();
  CLI::App* app = policy.add_subcommand(
      "suggest", "Rules for what was asked lately, as narrow as can be; stores nothing");
  app->add_option("--agent", flags->agent, "Only of this agent");
  app->add_option("--since", flags->since, "How far back, for example 12h or 7d")->capture_default_str();
  app->add_option("--limit", flags->limit, "How many runs are looked at, the newest first")
      ->capture_default_str()
      ->check(CLI::Range(1, 10'000));
  app->add_flag("--json", flags->json, "Print JSON");
  app->callback([&action, flags] { action = [flags] { return suggest(*flags); }; });
}

}  // namespace hostclaw::cli
