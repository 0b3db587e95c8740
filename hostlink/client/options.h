// SPDX-License-Identifier: Apache-2.0
// The command line of the client. Pure.
//
// Options stand in front of the command; those of transfers and jobs also behind it. `exec` and `run` take
// options up to the first word that is none (or to `--`), and every word behind that belongs to what is run.
// A table and fifty lines instead of CLI11: that is a third of what the small static client may weigh.
// Source: HostLink contract, section 5.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "hostlink/client/outcome.h"
#include "hostlink/proto/messages.h"

namespace hostclaw::hostlink {

struct Options {
  std::string target;
  std::string socket;
  std::string address;
  std::string token;
  std::string token_file;
  std::string targets_file;
  std::optional<std::int64_t> timeout_ms;
  std::int64_t connect_timeout_ms = 5000;
  bool json = false;
  std::optional<ExitCodes> exit_codes;
  int protocol = 0;  // 0: whichever the daemon speaks
  // TLS
  bool tls = false;
  bool insecure = false;
  std::string pin;
  std::string authority_file;
  std::string server_name;
  // exec and run
  std::vector<std::pair<std::string, std::string>> env;
  std::string workdir;
  std::optional<std::int64_t> max_stdout;
  std::optional<std::int64_t> max_stderr;
  bool output_to_file = false;
  bool detach = false;
  bool interactive = false;
  bool tty = false;
  bool keep = false;
  bool argv = false;  // exec as run
  // transfers
  bool mkdir = false;
  std::optional<std::uint32_t> mode;
  bool stream = false;
  bool verify = false;
  std::vector<std::string> excludes;
  // targets, jobs
  bool ping = false;
  bool job_stderr = false;
  bool follow = false;
  std::int64_t interval_ms = 1000;
  std::optional<std::int64_t> wait_timeout_ms;
  bool job_output = false;
  bool kill = false;
  // shims
  std::string folder;

  bool help = false;
  bool version = false;
};

struct CommandLine {
  Options options;
  std::string verb;                // "" when there is none
  std::vector<std::string> words;  // behind it
};

// Errors: USAGE.
Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments);

std::optional<std::int64_t> parse_size(std::string_view text);  // N[K|M|G], above zero
std::string option_help();                                      // a line for each

}  // namespace hostclaw::hostlink
