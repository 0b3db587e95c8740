// SPDX-License-Identifier: Apache-2.0
// Captured output: bytes in arrival order, both streams under one cap, head kept, and of stdout its last line
// where that is a result for a program (`OPENCLAW_RESULT_JSON:...`). Source: exec contract section 13.1.
// Thread rule: one thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "node-host/run/run_executor.h"

namespace hostclaw::node_host {

class OutputCapture {
 public:
  explicit OutputCapture(OutputLimits limits)
      : max_bytes_(limits.max_bytes), room_(limits.max_bytes), raw_(limits.raw) {}

  void append(Stream stream, std::string_view bytes);
  // What was kept so far.
  std::string_view kept(Stream stream) const { return streams_[static_cast<std::size_t>(stream)].bytes; }

  // Fills the output members of `outcome`. An incomplete character at the end of a cut stream is dropped;
  // when anything was dropped, a line feed and `... (truncated)` follow stderr if it is not blank, else
  // stdout. A result in the last line of a cut stdout follows whole, behind `... (truncated)` and a line
  // feed, up to half of the cap; what was kept is cut for it. With raw limits nothing is added and the bytes
  // are handed over as they are. Call once, at the end.
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
  std::size_t fitting(Stream stream, std::size_t bytes) const;

  std::array<Kept, 2> streams_;
  std::uint64_t max_bytes_;
  std::uint64_t room_;
  const std::optional<OutputLimits::Raw> raw_;
  // Of stdout: the line that is not ended, and the last one that is and is not blank; each only as long as it
  // can be a result.
  std::string line_;
  std::string ended_line_;
  bool line_is_blank_ = true;
  bool line_is_result_ = true;  // as far as it has come
};

}  // namespace hostclaw::node_host
