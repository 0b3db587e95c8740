// SPDX-License-Identifier: Apache-2.0
// hostclaw logs: what the node said, wherever it says it.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <thread>

#include "base/clock.h"
#include "base/file_names.h"
#include "cli/command_line.h"
#include "cli/log_lines.h"
#include "cli/node_service.h"
#include "cli/times.h"

namespace hostclaw::cli {
namespace {

struct LogsFlags {
  ScopeFlags scope;
  std::string since;
  std::string file;
  std::optional<int> lines;
  bool follow = false;
  bool json = false;
};

constexpr int kUsualLines = 50;
constexpr std::size_t kMostLogBytes = 64'000'000;
// A log file grows without telling anybody.
constexpr std::chrono::milliseconds kLookForMoreEvery{200};

void print_log_line(const std::string& line, bool json) {
  print_line(json ? line_as_json(line) : for_terminal(line));
}

// What was appended since `at`, which moves on. A file that became shorter was begun anew.
std::string read_from(const std::string& path, std::uintmax_t& at) {
  std::error_code failed;
  const std::uintmax_t size = std::filesystem::file_size(to_path(path), failed);
  if (failed || size == at) return {};
  if (size < at) at = 0;
  std::FILE* file = open_file(path, "rb");
  if (file == nullptr) return {};
  std::string text(static_cast<std::size_t>(size - at), '\0');
  std::fseek(file, static_cast<long>(at), SEEK_SET);
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  // Whole lines only: the rest comes with the next look.
  text.resize(text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1);
  at += text.size();
  return text;
}

int show_file(const std::string& path, const node_host::LogWish& wish) {
  auto text = read_input(path, kMostLogBytes);
  if (!text) return fail(text.error(), wish.json);
  for (const std::string& line : newest_lines(*text, wish.lines, wish.since_ms))
    print_log_line(line, wish.json);
  std::uintmax_t at = text->size();
  while (wish.follow) {
    std::cout.flush();
    if (!std::cout) return kDone;  // nobody reads any more
    std::this_thread::sleep_for(kLookForMoreEvery);
    const std::string more = read_from(path, at);
    for (const std::string& line : newest_lines(more, 0, 0)) print_log_line(line, wish.json);
  }
  return kDone;
}

int logs(const LogsFlags& flags) {
  node_host::LogWish wish;
  wish.follow = flags.follow;
  wish.json = flags.json;
  if (!flags.since.empty()) {
    const auto since = parse_duration(flags.since, "--since");
    if (!since) {
      fail(make_error(since.error().code, since.error().message, "hostclaw logs --since 1h"), flags.json);
      return kUsage;
    }
    wish.since_ms = unix_ms_now() - *since;
  }
  // With a time, all of it; else a screenful.
  wish.lines = static_cast<std::size_t>(flags.lines.value_or(flags.since.empty() ? kUsualLines : 0));
  if (!flags.file.empty()) return show_file(flags.file, wish);
  // Asked first: the service's journal may be read by who may not read its state.
  const auto manager = node_host::make_service_manager(flags.scope.scope());
  if (const std::string file = manager->query().log_file; !file.empty()) return show_file(file, wish);
  auto shown = manager->show_log(wish);
  if (shown) return *shown;
  if (shown.error().code != "SERVICE_NOT_INSTALLED") return fail(shown.error(), flags.json);
  if (auto directory = state_directory()) {
    const std::string path = *directory + "/node.log";
    std::error_code ignored;
    if (std::filesystem::exists(to_path(path), ignored)) return show_file(path, wish);
  }
  return fail(make_error("SERVICE_NOT_INSTALLED",
                         shown.error().message +
                             "; a node that was started by hand logs to its standard error or its --log-file",
                         "hostclaw logs --file FILE, or " + shown.error().next),
              flags.json);
}

}  // namespace

void add_logs(CLI::App& parent, Action& action) {
  const auto flags = std::make_shared<LogsFlags>();
  CLI::App* verb = parent.add_subcommand(
      "logs", "What the installed service said (its journal), or the lines of a log file");
  verb->add_flag("-f,--follow", flags->follow, "Go on with what comes from now on");
  verb->add_option("--since", flags->since, "Not older than this: 90s, 30m, 1h, 2d, 1w");
  verb->add_option("-n,--lines", flags->lines, "The newest so many; 0: all (default: 50, all with --since)")
      ->check(CLI::Range(0, 10'000'000));
  verb->add_option("--file", flags->file, "A file of `node run --log-file`");
  add_scope_flags(*verb, flags->scope);
  verb->add_flag("--json", flags->json, "One JSON object a line");
  verb->callback([&action, flags] { action = [flags] { return logs(*flags); }; });
}

}  // namespace hostclaw::cli
