// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/process/run_roster.h"

#include <algorithm>
#include <filesystem>

#include "base/file_names.h"
#include "base/text.h"

namespace hostclaw::node_host {
namespace {

constexpr std::size_t kLineBytes = 160;
constexpr std::size_t kMostBytes = 1'000'000;

std::int64_t number_of(const std::string& text) {
  if (text.empty() || text.size() > 18 || text.find_first_not_of("0123456789") != std::string::npos) return 0;
  return std::stoll(text);
}

}  // namespace

std::string run_job_name(const std::string& marker) { return "Local\\hostclaw-run-" + marker; }

RunRoster::RunRoster(const std::string& path) {
  if (path.empty()) return;
  std::error_code ignored;
  std::filesystem::remove(to_path(path), ignored);
  file_.reset(hostclaw::open_file(path, "wb"));
  if (!file_) return;
  std::filesystem::permissions(
      to_path(path), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, ignored);
}

std::size_t RunRoster::enter(const Member& member) {
  const auto free = std::find(taken_.begin(), taken_.end(), false);
  const auto place = static_cast<std::size_t>(free - taken_.begin());
  if (free == taken_.end()) taken_.push_back(false);
  taken_[place] = true;
  write(place, std::to_string(member.pid) + " " + std::to_string(member.row) + " " + member.marker);
  return place;
}

void RunRoster::leave(std::size_t place) {
  if (place >= taken_.size() || !taken_[place]) return;
  taken_[place] = false;
  write(place, "");
}

void RunRoster::write(std::size_t place, const std::string& line) {
  if (!file_ || line.size() >= kLineBytes) return;
  std::string padded = line;
  padded.resize(kLineBytes - 1, ' ');
  padded += '\n';
  if (std::fseek(file_.get(), static_cast<long>(place * kLineBytes), SEEK_SET) != 0) return;
  (void)std::fwrite(padded.data(), 1, padded.size(), file_.get());
  (void)std::fflush(file_.get());
}

std::vector<RunRoster::Member> RunRoster::read(const std::string& path) {
  std::vector<Member> members;
  const std::unique_ptr<std::FILE, Close> file(hostclaw::open_file(path, "rb"));
  if (!file) return members;
  std::string text;
  char block[4096];
  for (std::size_t size = 0; (size = std::fread(block, 1, sizeof block, file.get())) > 0;) {
    text.append(block, size);
    if (text.size() > kMostBytes) return {};
  }
  for (const std::string& line : split(text, '\n')) {
    const std::vector<std::string> words = split(std::string(trim(line)), ' ');
    if (words.size() != 3) continue;
    const Member member{number_of(words[0]), number_of(words[1]), words[2]};
    if (member.pid > 0 && member.row > 0) members.push_back(member);
  }
  return members;
}

}  // namespace hostclaw::node_host
