// SPDX-License-Identifier: Apache-2.0
#include "node-host/run/run_output.h"

#include <algorithm>

#include "base/text.h"
#include "base/utf8.h"
#include "node-host/system/text/output_text.h"

namespace hostclaw::node_host {
namespace {

// Of output that is handed over as bytes: what a record shows of it and more.
constexpr std::size_t kShownEnd = 64 * 1024;
constexpr std::string_view kTruncatedSuffix = "\n... (truncated)";
// What a script tells a program about its outcome; the agent's side looks for it in the last line.
constexpr std::string_view kResultPrefix = "OPENCLAW_RESULT_JSON:";

StreamOutput decode(std::string bytes, std::uint64_t total) {
  const bool cut = bytes.size() < total;
  if (auto text = text_of_other_encoding(bytes, cut)) {
    return {std::move(*text), total, bytes.size(), total - bytes.size(), 0};
  }
  if (cut) bytes.resize(bytes.size() - incomplete_utf8_tail(bytes));
  StreamOutput output;
  output.total_bytes = total;
  output.kept_bytes = bytes.size();
  output.dropped_bytes = total - bytes.size();
  // Most output is ASCII, and there may be a lot of it.
  if (is_ascii(bytes)) {
    output.text = std::move(bytes);
    return output;
  }
  std::size_t replaced = 0;
  output.text = to_valid_utf8(bytes, &replaced);
  output.replaced = replaced;
  return output;
}

StreamOutput undecoded(std::string bytes, std::uint64_t total) {
  StreamOutput output;
  output.total_bytes = total;
  output.kept_bytes = bytes.size();
  output.dropped_bytes = total - bytes.size();
  const std::string_view end =
      std::string_view(bytes).substr(bytes.size() - std::min(bytes.size(), kShownEnd));
  output.text = to_valid_utf8(end);
  output.bytes = std::move(bytes);
  return output;
}

}  // namespace

void OutputCapture::append(Stream stream, std::string_view bytes) {
  Kept& kept = streams_[static_cast<std::size_t>(stream)];
  kept.total += bytes.size();
  const std::size_t fits = fitting(stream, bytes.size());
  kept.bytes.append(bytes.substr(0, fits));
  if (raw_) return;
  room_ -= fits;
  if (stream == Stream::kStandardOutput) follow_lines(bytes);
}

std::size_t OutputCapture::fitting(Stream stream, std::size_t bytes) const {
  std::uint64_t room = room_;
  if (raw_) {
    const std::uint64_t limit =
        stream == Stream::kStandardOutput ? raw_->standard_output : raw_->standard_error;
    room = limit - streams_[static_cast<std::size_t>(stream)].bytes.size();
  }
  return static_cast<std::size_t>(std::min<std::uint64_t>(room, bytes));
}

void OutputCapture::follow_lines(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    line_is_blank_ = line_is_blank_ && trim(part).empty();
    if (line_is_result_) {
      line_.append(part);
      const std::size_t known = std::min(line_.size(), kResultPrefix.size());
      line_is_result_ =
          line_.size() <= max_bytes_ / 2 && line_.compare(0, known, kResultPrefix, 0, known) == 0;
      if (!line_is_result_) line_.clear();
    }
    if (end == std::string_view::npos) return;
    end_line();
    bytes.remove_prefix(end + 1);
  }
}

void OutputCapture::end_line() {
  if (!line_is_blank_) ended_line_ = line_is_result_ ? std::move(line_) : std::string();
  line_.clear();
  line_is_blank_ = line_is_result_ = true;
}

// The last line of stdout where it is a whole result; else empty.
std::string OutputCapture::result_line() {
  end_line();
  if (ended_line_.ends_with('\r')) ended_line_.pop_back();
  return ended_line_.starts_with(kResultPrefix) ? std::move(ended_line_) : std::string();
}

void OutputCapture::make_room(std::size_t bytes) {
  std::size_t missing = bytes - static_cast<std::size_t>(std::min<std::uint64_t>(room_, bytes));
  for (Kept& kept : streams_) {
    const std::size_t cut = std::min(missing, kept.bytes.size());
    kept.bytes.resize(kept.bytes.size() - cut);
    missing -= cut;
  }
}

void OutputCapture::finish(RunOutcome& outcome) {
  if (raw_) {
    outcome.standard_output = undecoded(std::move(streams_[0].bytes), streams_[0].total);
    outcome.standard_error = undecoded(std::move(streams_[1].bytes), streams_[1].total);
    outcome.truncated = outcome.standard_output.dropped_bytes + outcome.standard_error.dropped_bytes > 0;
    return;
  }
  const bool cut = streams_[0].bytes.size() < streams_[0].total;
  const std::string result = cut ? result_line() : std::string();
  make_room(result.size());
  outcome.standard_output = decode(std::move(streams_[0].bytes), streams_[0].total);
  outcome.standard_error = decode(std::move(streams_[1].bytes), streams_[1].total);
  outcome.truncated = outcome.standard_output.dropped_bytes + outcome.standard_error.dropped_bytes > 0;
  if (!outcome.truncated) return;
  auto& target = trim(outcome.standard_error.text).empty() ? outcome.standard_output : outcome.standard_error;
  target.text += kTruncatedSuffix;
  if (result.empty()) return;
  StreamOutput& output = outcome.standard_output;
  if (&target != &output) output.text += kTruncatedSuffix;
  output.text += "\n" + to_valid_utf8(result) + "\n";
  output.kept_bytes += result.size();
  output.dropped_bytes -= result.size();
}

}  // namespace hostclaw::node_host
