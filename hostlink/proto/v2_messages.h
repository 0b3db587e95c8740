// SPDX-License-Identifier: Apache-2.0
// What the JSON frames of protocol 2 say. Pure; safe from any thread.
//
// A kOpen frame asks for a run, or carries a request of protocol 1 without its token (feature "requests").
// Arguments, values of the environment and the folder are bytes: where one is not valid UTF-8, the member has
// a twin with
// `_base64` at its end that has all of them, and the member itself is left out.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hostlink/proto/replies.h"
#include "hostlink/proto/v2_frame.h"

namespace hostclaw::hostlink::v2 {

inline constexpr std::size_t kMaxArguments = 4096;

struct OpenTerminal {
  std::string term;  // "" when not known
  WindowSize size;
};

// `type` is "exec". Exactly one of command and argv.
struct OpenRun {
  std::string id;
  std::string command;            // for the daemon's shell
  std::vector<std::string> argv;  // byte for byte, without a shell
  std::map<std::string, std::string> env;
  std::string workdir;                     // "" for the daemon's default
  std::optional<std::int64_t> timeout_ms;  // above zero; absent for the daemon's default
  bool has_stdin = false;                  // false: /dev/null, and kStdin frames are none of this stream
  bool keep = false;                       // it goes on when the client leaves
  std::optional<OpenTerminal> terminal;    // asks for a PTY; its output is all stdout then
  std::vector<std::string> other_members;  // as Request::other_members
};
std::string build_open_run(const OpenRun& open);
// Errors: those of parse_json, and OPEN_INVALID with a sentence for the client.
Result<OpenRun> parse_open_run(std::string_view payload);
// "exec", or the type of a request of protocol 1; "" when it cannot be read.
std::string open_type(std::string_view payload);

struct Started {
  std::string run_id;
  std::int64_t pid = 0;
};
std::string build_started(const Started& started);
Result<Started> parse_started(std::string_view payload);

// The head says whether it ran: `ok` and `timeout` have an end, everything else is why it did not.
struct Exit {
  ReplyHead head;
  std::optional<std::int64_t> exit_code;
  std::string signal;  // without SIG, instead of exit_code
  std::int64_t signal_number = 0;
  bool cancelled = false;
  std::int64_t duration_ms = 0;
  std::string run_id;
};
std::string build_exit(const Exit& exit);
Result<Exit> parse_exit(std::string_view payload);

struct Goodbye {
  std::string code;
  std::string message;
};
std::string build_goodbye(const Goodbye& goodbye);
Goodbye parse_goodbye(std::string_view payload);  // empty members when it cannot be read

}  // namespace hostclaw::hostlink::v2
