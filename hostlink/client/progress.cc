// SPDX-License-Identifier: Apache-2.0
#include "hostlink/client/progress.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "hostlink/client/local_files.h"

namespace hostclaw::hostlink {
namespace {

constexpr std::chrono::milliseconds kBetweenLines{250};

void to_terminal(const std::string& text) { static_cast<void>(write_fully(STDERR_FILENO, text, "stderr")); }

}  // namespace

Progress::Progress(const Session& session, std::string name, std::uint64_t total)
    : shown_(!session.options.json && ::isatty(STDERR_FILENO) == 1),
      name_(show_unseen(to_valid_utf8(name))),
      total_(total) {}

Progress::~Progress() {
  if (has_line_) to_terminal("\r\033[K");
}

void Progress::at(std::uint64_t bytes) {
  if (!shown_) return;
  const auto now = Clock::now();
  if (now - last_ < kBetweenLines) return;
  last_ = now;
  has_line_ = true;
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(now - begun_).count();
  const std::uint64_t rate = bytes / static_cast<std::uint64_t>(std::max<long long>(milliseconds, 1)) * 1000;
  const std::uint64_t percent = total_ == 0 ? 100 : bytes / (total_ / 100 + 1);
  to_terminal("\r\033[K" + name_ + "  " + std::to_string(std::min<std::uint64_t>(percent, 100)) + " %  " +
              std::to_string(bytes >> 20U) + " of " + std::to_string(total_ >> 20U) + " MiB  " +
              std::to_string(rate >> 20U) + " MiB/s");
}

}  // namespace hostclaw::hostlink
