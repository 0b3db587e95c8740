// SPDX-License-Identifier: Apache-2.0
// What a door hands to the corridor.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "node-host/corridor/exec_outcome.h"
#include "node-host/corridor/origin.h"
#include "node-host/run/run_executor.h"
#include "node-host/system/files/file_handles.h"
#include "policy/decide/engine.h"
#include "policy/decide/run_request.h"

namespace hostclaw::node_host {

// A command that is to run.
struct RunAsked {
  policy::RunCommand command;
  // What this node remembers of the plan that comes with it; null: nothing.
  std::shared_ptr<const policy::RememberedPlan> prepared;
  // The peer cannot send back what binds a plan to a file, so a plan of this node's own does without.
  bool peer_cannot_bind = false;
};

// Files that a principal may reach; given by whoever gave it its credential.
struct FileGrant {
  bool may_read = false;
  bool may_write = false;
  std::vector<std::string> roots;   // absolute directories
  std::vector<std::string> denied;  // globs on real paths
};

// A file that is to be read or written, or looked at.
struct FileAsked {
  enum class Access { kRead, kWrite };
  struct Done {
    std::uint64_t bytes = 0;
    std::optional<Error> failure;
  };
  std::string operation;  // in the door's words, for the record: get, put, ...
  Access access = Access::kRead;
  std::string path;       // as asked for
  std::string real_path;  // what would be touched, links followed; empty: `problem` says why not
  std::optional<Error> problem;
  FileGrant grant;
  std::function<boost::asio::awaitable<Done>()> act;  // once it is allowed and on record
};

// Calls of tools come with the door that asks for them.
using Asked = std::variant<RunAsked, FileAsked>;

// What a door's peers get of a run that differs from the node's own defaults.
struct RunForm {
  std::optional<OutputLimits> output;
  std::optional<std::chrono::milliseconds> kill_grace;
  bool leaves_background = false;
  std::shared_ptr<const UniqueFd> input;  // null: standard input is at its end
  std::shared_ptr<RunControl> control;    // null: nobody reaches into it
  std::optional<TerminalSize> terminal;
  // It outlives this process where runs can (kept_runs.h), with its output in these files; the name of the
  // run is filled in. Empty: it ends with this process.
  std::optional<KeptOutput> kept;
};

struct ExecLimits {
  // When the caller stops waiting for a person, in milliseconds since the epoch; 0: never.
  std::int64_t caller_deadline_ms = 0;
};

// Where the door is told how things stand, on the io_context thread. All may be empty.
struct ExecSinks {
  // A row was written and the run is about to start; told with its id in the record.
  std::function<void(const std::string& run_id)> begins;
  // Our end of the run's terminal, to be written to.
  std::function<void(UniqueFd)> terminal;
  // Output as it comes.
  std::function<void(Stream, std::string_view)> output;
  // A person is asked: who has a place of the door's own gives it back.
  std::function<void()> asks;
  // The answer came and it goes on.
  std::function<void()> resumes;
  // Asked while a person thinks: nobody would take the result any more.
  std::function<bool()> caller_left;
  // Told once, when the outcome is known and before its end is written down; not when it was cancelled.
  std::function<void(const ExecOutcome&)> ended;
};

struct ExecRequest {
  Origin origin;
  // Nobody has been asked behind the door although an agent waits: where the policy wants a person, this node
  // asks, whatever exec.askVia says. Without an answer in a moment the request is denied and the question
  // stays open.
  bool unasked = false;
  std::string id;  // of the door, for the record; empty: none
  Asked what;
  RunForm form;
  ExecLimits limits;
  ExecSinks sinks;
  RunCancellation cancellation;
};

}  // namespace hostclaw::node_host
