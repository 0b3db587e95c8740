// SPDX-License-Identifier: Apache-2.0
#include "cli/selftest.h"

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "approvals/platform/private_files.h"
#include "approvals/platform/secret_protection.h"
#include "approvals/store/store.h"
#include "base/file_names.h"
#include "base/text.h"
#include "node-host/run/run_executor.h"
#include "node-host/system/host/host_facts.h"

namespace hostclaw::cli::selftest {
namespace {

using namespace std::chrono_literals;

const std::vector<std::string>& awkward_arguments() {
  static const std::vector<std::string> words = {"plain",
                                                 "",
                                                 "two words",
                                                 "\"quoted\"",
                                                 "it's",
                                                 "ends in \\",
                                                 "a\\\\\"b\\",
                                                 "%PATH% $HOME !x!",
                                                 "a&b|c>d<e^f",
                                                 "*.? [a-z] {b,c} ~",
                                                 "line\nbreak\ttab",
                                                 "Gr\xC3\xBC\xC3\x9F\x65 \xF0\x9F\x99\x82",
                                                 "--option=a value"};
  return words;
}

std::string lines_in_hex(std::span<const std::string> words) {
  std::string out;
  for (const std::string& word : words) out += to_hex(word) + "\n";
  return out;
}

Answer look_at_arguments(Scene& scene) {
  std::vector<std::string> words = {"arguments"};
  words.insert(words.end(), awkward_arguments().begin(), awkward_arguments().end());
  const auto outcome = scene.child(words);
  if (!outcome.success()) return failed(told(outcome));
  if (outcome.standard_output.text != lines_in_hex(awkward_arguments()))
    return failed("an argument arrived changed");
  return passed(std::to_string(awkward_arguments().size()) + " arguments arrived byte for byte");
}

Answer look_at_streams(Scene& scene) {
  const auto outcome = scene.child({"streams"});
  if (outcome.exit_code != 7 || outcome.standard_output.text != "out\n" ||
      outcome.standard_error.text != "err\n")
    return failed(told(outcome));
  return passed("both streams and the exit code");
}

Answer look_at_environment(Scene& scene) {
  const auto outcome =
      scene.child({"variables", "GIT_TERMINAL_PROMPT", "GCM_INTERACTIVE", "SSH_ASKPASS_REQUIRE"});
  if (!outcome.success()) return failed(told(outcome));
  for (const std::string& line : split(outcome.standard_output.text, '\n'))
    if (line.ends_with("=(none)")) return failed("a child is not told " + line.substr(0, line.find('=')));
  return passed("children are told that nobody can be asked");
}

Answer look_at_question(Scene& scene) {
  const auto outcome = scene.run(node_host::executable_path(), {"Enter passphrase for a key: "});
  if (outcome.exit_code != 1 || outcome.standard_error.text.find("nobody can be asked") == std::string::npos)
    return failed(told(outcome));
  return passed("what ssh and git would ask fails at once and is told");
}

Answer look_at_time_limit(Scene& scene) {
  const auto outcome = scene.child({"sleep"}, 500ms);
  if (!outcome.timed_out || outcome.exit_code != 124) return failed(told(outcome));
  if (outcome.left_alive != 0) return failed("a program went on although it was killed");
  return passed(
      "ended after " +
      std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(outcome.duration).count()) +
      " ms of 500");
}

Answer look_at_store(Scene& scene) {
  const std::string directory = scene.folder() + "/state";
  {
    auto store = approvals::Store::open(directory, approvals::OpenMode::kReadWrite);
    if (!store) return failed(store.error().code + ": " + store.error().message);
  }
  for (const char* name : {"", "/hostclaw.sqlite"}) {
    const std::string path = directory + name;
    const auto checked =
        *name == '\0' ? approvals::check_private_directory(path) : approvals::check_private_file(path);
    if (!checked) return failed(checked.error().code + ": " + checked.error().message);
  }
  auto again = approvals::Store::open(directory, approvals::OpenMode::kReadOnly);
  if (!again) return failed(again.error().code + ": " + again.error().message);
  return passed("made, private, and read again");
}

Answer look_at_secret(Scene&) {
  const std::string secret = "selftest secret";
  const auto kept = approvals::protect_secret(secret, "of the self-test");
  if (!kept) return failed(kept.error().code + ": " + kept.error().message);
  const auto read = approvals::unprotect_secret(*kept, "of the self-test");
  if (!read || *read != secret) return failed(read ? "another text came back" : read.error().message);
  return passed(*kept == secret ? "kept as it is; the file is its owner's alone"
                                : "encrypted for this account");
}

Answer look_at_git(Scene& scene) {
  const std::string git = find_program("git");
  if (git.empty()) return impossible("no git in PATH");
  const auto version = scene.run(git, {"--version"});
  const auto made = scene.run(git, {"init", "-q", "repository"});
  if (!made.success()) return failed(told(made));
  const auto status = scene.run(git, {"-C", "repository", "status", "--porcelain"});
  if (!status.success()) return failed(told(status));
  return passed(std::string(trim(version.standard_output.text)) +
                "; a repository of this account is used without a question");
}

constexpr std::array kCommonRows = {
    Row{"arguments", "what a program is given", look_at_arguments},
    Row{"streams", "what comes back from a program", look_at_streams},
    Row{"environment", "what children are told", look_at_environment},
    Row{"question", "what ssh and git ask in a run", look_at_question},
    Row{"time-limit", "the end of a run that is out of time", look_at_time_limit},
    Row{"store", "the state and who can read it", look_at_store},
    Row{"secret", "how keys and tokens are kept", look_at_secret},
    Row{"git-ownership", "git in a repository of this account", look_at_git},
};

void write_all(std::FILE* stream, std::string_view bytes) {
  std::fwrite(bytes.data(), 1, bytes.size(), stream);
  std::fflush(stream);
}

}  // namespace

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "pass";
    case Verdict::kFail:
      return "fail";
    case Verdict::kNotPossible:
      break;
  }
  return "not-possible";
}

node_host::RunOutcome Scene::run(const std::string& program, std::vector<std::string> arguments,
                                 std::chrono::milliseconds timeout) {
  policy::PlannedCommand command;
  command.executable = program;
  command.argv = std::move(arguments);
  command.argv.insert(command.argv.begin(), program);
  policy::PlannedPipeline pipeline;
  pipeline.commands.push_back(std::move(command));
  pipeline.stderr_to_pipe.push_back(false);
  policy::ExecutionPlan plan;
  plan.pipelines.push_back(std::move(pipeline));
  plan.cwd = folder_;
  plan.environment = node_host::current_environment();
  node_host::RunOptions options;
  options.timeout = timeout;

  boost::asio::io_context context;
  node_host::RunExecutor::Settings settings;
  settings.kill_grace = 1s;
  node_host::RunExecutor executor(context.get_executor(), settings);
  std::optional<node_host::RunOutcome> outcome;
  boost::asio::co_spawn(context, executor.run(std::move(plan), nullptr, std::move(options)),
                        [&outcome](const std::exception_ptr& error, node_host::RunOutcome came) {
                          if (!error) outcome = std::move(came);
                        });
  // The sweep after orphans may go on; it belongs to nobody here.
  while (!outcome && context.run_one() > 0) {
  }
  return outcome.value_or(node_host::RunOutcome{});
}

node_host::RunOutcome Scene::child(std::vector<std::string> arguments, std::chrono::milliseconds timeout) {
  arguments.insert(arguments.begin(), {"selftest", "child"});
  return run(node_host::executable_path(), std::move(arguments), timeout);
}

std::string told(const node_host::RunOutcome& outcome) {
  std::string text = outcome.timed_out ? "out of time" : outcome.launch_error;
  if (text.empty())
    text = outcome.exit_code ? "exit " + std::to_string(*outcome.exit_code) : "ended by a signal";
  std::string said = std::string(trim(outcome.standard_error.text.substr(0, 300)));
  if (said.empty()) said = std::string(trim(outcome.standard_output.text.substr(0, 300)));
  for (char& byte : said)
    if (byte == '\n' || byte == '\r') byte = ' ';
  return said.empty() ? text : text + ": " + said;
}

std::vector<Row> all_rows() {
  std::vector<Row> rows(kCommonRows.begin(), kCommonRows.end());
  const auto own = system_rows();
  rows.insert(rows.end(), own.begin(), own.end());
  return rows;
}

std::optional<int> run_child(const std::vector<std::string>& arguments) {
  if (arguments.size() < 4 || arguments[1] != "selftest" || arguments[2] != "child") return std::nullopt;
  const std::string& mode = arguments[3];
  const std::span<const std::string> rest = std::span(arguments).subspan(4);
  if (mode == "arguments") {
    write_all(stdout, lines_in_hex(rest));
    return 0;
  }
  if (mode == "streams") {
    write_all(stdout, "out\n");
    write_all(stderr, "err\n");
    return 7;
  }
  if (mode == "bytes") {
    const auto bytes = from_hex(rest.empty() ? "" : rest[0]);
    if (!bytes) return 2;
    write_all(stdout, {reinterpret_cast<const char*>(bytes->data()), bytes->size()});
    return 0;
  }
  if (mode == "variables") {
    for (const std::string& name : rest)
      write_all(stdout, name + "=" + environment_variable(name.c_str()).value_or("(none)") + "\n");
    return 0;
  }
  if (mode == "sleep") {
    std::this_thread::sleep_for(60s);
    return 0;
  }
  if (const auto status = run_system_child(mode, rest)) return status;
  return 2;
}

std::string find_program(const std::string& name) {
  const bool windows = node_host::host_policy_platform() == policy::Platform::kWindows;
  const std::string path = environment_variable("PATH").value_or("");
  for (const std::string& folder : split(path, windows ? ';' : ':')) {
    const std::filesystem::path whole = to_path(folder) / to_path(windows ? name + ".exe" : name);
    std::error_code failed;
    if (whole.is_absolute() && std::filesystem::is_regular_file(whole, failed)) return to_text(whole);
  }
  return {};
}

}  // namespace hostclaw::cli::selftest
