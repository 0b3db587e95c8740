// SPDX-License-Identifier: Apache-2.0
// A line on standard error that says how far long work is. Where standard error is no terminal nothing is
// written, and work that is over in a moment shows nothing; the line goes when the work is over.
// One at a time. Thread rule: the thread that made it; a thread of its own writes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace hostclaw::cli {

class Progress {
 public:
  // `what` is done, to `of` things called `unit` ("rows"); 0: it is not known how many.
  explicit Progress(std::string what, std::string unit = {}, std::int64_t of = 0);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // So many are done. Cheap.
  void reached(std::int64_t count);

 private:
  struct Line;
  std::unique_ptr<Line> line_;  // null: nothing is shown
};

// "verifying the record: 1200 of 4800 rows (25 %)", "importing: 3 s"
std::string progress_text(const std::string& what, const std::string& unit, std::int64_t done,
                          std::int64_t of, std::int64_t elapsed_ms);

}  // namespace hostclaw::cli
