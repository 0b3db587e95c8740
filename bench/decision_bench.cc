// SPDX-License-Identifier: Apache-2.0
// How long a decision takes, as one JSON object on stdout: p50 and p99 for growing allowlists, and the time
// of patterns that stall a backtracking matcher. Exits with 1 when a bound that we hold ourselves to is
// missed.
//
// The files are a table in memory, so that the figure is the engine's alone; the order of the commands is
// shuffled by a fixed generator, so that no branch predictor learns it, and the first thousand decisions are
// not counted.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "policy/decide/engine.h"
#include "policy/document/arg_pattern.h"
#include "policy/document/glob.h"
#include "policy/document/pattern_index.h"

namespace {

using namespace hostclaw;
using Clock = std::chrono::steady_clock;

class TableOfFiles final : public policy::FileProbe {
 public:
  void add(const std::string& path, policy::FileKind kind) {
    policy::FileFacts facts;
    facts.kind = kind;
    facts.executable = kind == policy::FileKind::kRegular;
    facts.real_path = path;
    facts.identity = {true, 1, table_.size() + 1, 100, 0, 0};
    table_[path] = facts;
  }
  policy::FileFacts facts(const std::string& path) override {
    const auto it = table_.find(path);
    return it == table_.end() ? policy::FileFacts{} : it->second;
  }
  bool is_symlink(const std::string&) override { return false; }
  bool changeable_by_others(const std::string&) override { return false; }
  std::optional<std::string> content_sha256(const std::string&) override { return std::nullopt; }
  std::string head(const std::string&, std::size_t) override { return {}; }

 private:
  std::map<std::string, policy::FileFacts> table_;
};

policy::PolicyDocument document_with(std::size_t entries) {
  OrderedJson list = OrderedJson::array();
  for (std::size_t i = 0; i + 4 < entries; ++i) {
    const std::string number = std::to_string(i);
    // Of ten entries eight are paths, one is a glob and one names its arguments.
    if (i % 10 == 8) {
      list.push_back({{"pattern", "/opt/set" + number + "/*"}, {"id", number}});
    } else if (i % 10 == 9) {
      list.push_back(
          {{"pattern", "/opt/tool" + number}, {"argPattern", "^run " + number + "$"}, {"id", number}});
    } else {
      list.push_back({{"pattern", "/opt/tool" + number}, {"id", number}});
    }
  }
  for (const char* name : {"/usr/bin/git", "/usr/bin/uname", "wc", "/usr/bin/l*"})
    list.push_back({{"pattern", name}, {"id", name}});
  const OrderedJson file = {{"version", 1},
                            {"defaults", {{"security", "allowlist"}, {"ask", "on-miss"}}},
                            {"agents", {{"main", {{"allowlist", list}}}}}};
  return std::move(*policy::read_document(file, [] { return std::string("id"); }));
}

std::vector<Json> requests() {
  std::vector<Json> out;
  const auto add = [&](Json command, const char* raw = nullptr) {
    Json params = {{"command", std::move(command)},
                   {"agentId", "main"},
                   {"cwd", "/home/u"},
                   {"sessionKey", "agent:main:main"}};
    if (raw != nullptr) params["rawCommand"] = raw;
    out.push_back(std::move(params));
  };
  add({"git", "status"});
  add({"/usr/bin/uname", "-s"});
  add({"id"});
  add({"ls", "-la"});
  add({"/bin/sh", "-lc", "git log --oneline | wc -l"}, "git log --oneline | wc -l");
  add({"/bin/sh", "-lc", "uname -s && git status"}, "uname -s && git status");
  add({"/bin/sh", "-lc", "git commit -m 'a message with words'"}, "git commit -m 'a message with words'");
  add({"/bin/sh", "-lc", "echo $HOME"}, "echo $HOME");
  return out;
}

struct Figures {
  double p50 = 0;
  double p99 = 0;
};

Figures measure(std::size_t entries, std::size_t rounds) {
  TableOfFiles files;
  for (const char* directory : {"/", "/home", "/home/u"}) files.add(directory, policy::FileKind::kDirectory);
  for (const char* name : {"git", "uname", "id", "ls", "wc", "dash", "sh"}) {
    files.add(std::string("/usr/bin/") + name, policy::FileKind::kRegular);
  }
  files.add("/bin/sh", policy::FileKind::kRegular);
  policy::EngineContext context;
  context.files = &files;
  context.home = context.host_cwd = "/home/u";
  context.host_environment = {{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                              {"HOME", "/home/u"},
                              {"LANG", "C.UTF-8"},
                              {"USER", "u"},
                              {"LOGNAME", "u"},
                              {"XDG_RUNTIME_DIR", "/run/user/1000"},
                              {"TERM", "dumb"}};
  const policy::Environment child = policy::sanitized_environment(context.host_environment, context.platform);
  context.child_environment = &child;
  const policy::PolicyDocument document = document_with(entries);
  const std::vector<Json> all = requests();
  std::mt19937 random(1);
  std::vector<double> times;
  std::size_t allowed = 0;
  for (std::size_t i = 0; i < rounds + 1000; ++i) {
    const Json& params = all[random() % all.size()];
    const auto begin = Clock::now();
    const policy::RunEvaluation run = policy::evaluate_run(params, document, context);
    const auto end = Clock::now();
    allowed += run.decision.verdict == policy::Verdict::kAllow ? 1 : 0;
    if (i >= 1000) times.push_back(std::chrono::duration<double, std::micro>(end - begin).count());
  }
  std::sort(times.begin(), times.end());
  const Figures out{times[times.size() / 2], times[times.size() * 99 / 100]};
  std::printf(
      "    {\"entries\": %zu, \"decisions\": %zu, \"allowed\": %zu, \"p50_us\": %.1f, \"p99_us\": %.1f}",
      entries, times.size(), allowed, out.p50, out.p99);
  return out;
}

// The slowest of some tries, so that a lucky one hides nothing.
template <class Ask>
double worst_us(Ask ask) {
  double worst = 0;
  for (int i = 0; i < 20; ++i) {
    const auto begin = Clock::now();
    const bool matched = ask();
    const auto end = Clock::now();
    if (matched) std::abort();
    worst = std::max(worst, std::chrono::duration<double, std::micro>(end - begin).count());
  }
  return worst;
}

double nested_quantifier_us() {
  const policy::ArgPattern pattern("^(a+)+$");
  const std::vector<std::string> arguments = {std::string(4000, 'a') + "b"};
  return worst_us([&] { return pattern.found_in(arguments); });
}

double repeated_wildcard_us() {
  std::string text;
  for (int i = 0; i < 8; ++i) text += "**a";
  const policy::Glob glob(text + "b**");  // no literal end that would answer at once
  const std::string subject(200, 'a');
  return worst_us([&] { return glob.matches(subject); });
}

}  // namespace

int main() {
  std::printf("{\n  \"decisions\": [\n");
  const Figures ten = measure(10, 20000);
  std::printf(",\n");
  const Figures many = measure(10000, 20000);
  std::printf(",\n");
  const Figures most = measure(100000, 20000);
  const double quantifier = nested_quantifier_us();
  const double wildcard = repeated_wildcard_us();
  std::printf("\n  ],\n  \"nested_quantifier_worst_us\": %.1f,\n  \"repeated_wildcard_worst_us\": %.1f,\n",
              quantifier, wildcard);
  const double grown =
      std::max({many.p50 / ten.p50, many.p99 / ten.p99, most.p50 / ten.p50, most.p99 / ten.p99});
  const bool held = ten.p50 <= 20 && ten.p99 <= 200 && grown <= 2 && quantifier < 1000 && wildcard < 1000;
  std::printf("  \"largest_growth\": %.2f,\n  \"bounds_held\": %s\n}\n", grown, held ? "true" : "false");
  return held ? 0 : 1;
}
