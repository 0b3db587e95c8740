// SPDX-License-Identifier: Apache-2.0
// Captured output: bytes in arrival order, both streams under one cap, head kept, and of stdout its last line
// where that is a result for a program (`OPENCLAW_RESULT_JSON:...`). Source: exec contract section 13.1.
// Thread rule: one thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "node-host/run/run_executor.h"

namespace hostclaw::node_host {

enum class Stream { kStandardOutput, kStandardError };

class OutputCapture {
 public:
  explicit OutputCapture(std::uint64_t max_bytes) : max_bytes_(max_bytes), room_(max_bytes) {}

  void append(Stream stream, std::string_view bytes);
  // What was kept so far.
  std::string_view kept(Stream stream) const { return streams_[static_cast<std::size_t>(stream)].bytes; }

  // Fills the output members of `outcome`. An incomplete character at the end of a cut stream is dropped;
  // when anything was dropped, a line feed and `... (truncated)` follow stderr if it is not blank, else
  // stdout. A result in the last line of a cut stdout follows whole, behind `... (truncated)` and a line
  // feed, up to half of the cap; what was kept is cut for it. Call once, at the end.
  void finish(RunOutcome& outcome);

 private:
  struct Kept {
    std::string bytes;
    std::uint64_t total = 0;
  };
  void follow_lines(std::string_view bytes);
  void end_line();
  std::string result_line();
  void make_room(std::size_t bytes);

  std::array<Kept, 2> streams_;
  std::uint64_t max_bytes_;
  std::uint64_t room_;
  // Of stdout: the line that is not ended, and the last one that is and is not blank; each only as long as it
  // can be a result.
  std::string line_;
  std::string ended_line_;
  bool line_is_blank_ = true;
  bool line_is_result_ = true;  // as far as it has come
};

}  // namespace hostclaw::node_host
