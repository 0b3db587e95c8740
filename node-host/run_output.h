// Captured output: bytes in arrival order, both streams under one cap, head kept.
// Source: exec contract section 13.1. Thread rule: one thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "node-host/run_executor.h"

namespace hostclaw::node_host {

enum class Stream { kStandardOutput, kStandardError };

class OutputCapture {
 public:
  explicit OutputCapture(std::uint64_t max_bytes) : room_(max_bytes) {}

  void append(Stream stream, std::string_view bytes);

  // Fills the output members of `outcome`. An incomplete character at the end of a cut stream is dropped;
  // when anything was dropped, a line feed and `... (truncated)` follow stderr if it is not blank, else
  // stdout.
  // Call once, at the end.
  void finish(RunOutcome& outcome);

 private:
  struct Kept {
    std::string bytes;
    std::uint64_t total = 0;
  };
  std::array<Kept, 2> streams_;
  std::uint64_t room_;
};

}  // namespace hostclaw::node_host
