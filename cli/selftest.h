// SPDX-License-Identifier: Apache-2.0
// What `hostclaw selftest` looks at: rows, each of which does a thing that runs depend on, with the parts
// that runs use, and says pass, fail or not possible here. Nothing needs more than an ordinary account,
// everything happens in one private temporary folder that goes away, and neither the node nor its state is
// touched.
//
// The rows of every system are in selftest.cc, a system's own in selftest_posix.cc and selftest_windows.cc.
// Thread rule: one thread. Cost: each row is bounded, all of them together by a minute.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace hostclaw::node_host {
// Not its header: Asio's would bring that of Windows, and its macros, into main.cc.
struct RunOutcome;
}  // namespace hostclaw::node_host

namespace hostclaw::cli::selftest {

enum class Verdict { kPass, kFail, kNotPossible };
std::string_view to_string(Verdict verdict);  // pass | fail | not-possible

struct Answer {
  Verdict verdict = Verdict::kPass;
  std::string detail;  // one line, without names of this machine or its people
};
inline Answer passed(std::string detail) { return {Verdict::kPass, std::move(detail)}; }
inline Answer failed(std::string detail) { return {Verdict::kFail, std::move(detail)}; }
inline Answer impossible(std::string detail) { return {Verdict::kNotPossible, std::move(detail)}; }

// The folder, and an executor as a node has it.
class Scene {
 public:
  explicit Scene(std::string folder) : folder_(std::move(folder)) {}
  const std::string& folder() const { return folder_; }
  // A program by its absolute path, in the folder, with this process's environment; bounded by `timeout`.
  node_host::RunOutcome run(const std::string& program, std::vector<std::string> arguments,
                            std::chrono::milliseconds timeout = std::chrono::seconds(10));
  // This program itself, which then does what run_child() says.
  node_host::RunOutcome child(std::vector<std::string> arguments,
                              std::chrono::milliseconds timeout = std::chrono::seconds(10));

 private:
  std::string folder_;
};

struct Row {
  std::string_view name;   // "code-page": stable; docs/windows.md and docs/doctor.md name it
  std::string_view about;  // what would be wrong if it failed, in a few words
  Answer (*look)(Scene& scene);
};
std::span<const Row> system_rows();
std::vector<Row> all_rows();
Json system_facts();  // what decides how rows come out here, for the report

// What a row starts: `hostclaw selftest child MODE ARGUMENTS`. Nothing when `arguments` is no such line.
std::optional<int> run_child(const std::vector<std::string>& arguments);
std::optional<int> run_system_child(const std::string& mode, std::span<const std::string> arguments);

// The file that a bare name means in PATH; empty when there is none.
std::string find_program(const std::string& name);
// What to tell of a run that did not do what it should.
std::string told(const node_host::RunOutcome& outcome);

}  // namespace hostclaw::cli::selftest
