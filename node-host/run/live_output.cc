// SPDX-License-Identifier: Apache-2.0
#include "node-host/run/live_output.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <set>

#include "base/file_names.h"
#include "base/text.h"
#include "base/utf8.h"

namespace hostclaw::node_host {
namespace {

// Writer and readers are programs of one machine: numbers lie in the file as they lie in memory.
struct FileHead {
  std::array<char, 8> sign{};
  std::uint64_t total = 0;
  std::uint64_t claimed = 0;  // at least total: what is in the ring of older bytes than that may be gone
  std::uint64_t over = 0;
};
constexpr std::array<char, 8> kSign{'h', 'c', 'l', 'i', 'v', 'e', '1', '\n'};

std::string path_of(const std::string& directory, std::int64_t row) {
  return directory + "/" + std::to_string(row);
}

// Each write is one of the system: whoever reads sees it at once.
std::FILE* open_unbuffered(const std::string& path, const char* mode) {
  std::FILE* file = hostclaw::open_file(path, mode);
  if (file != nullptr) std::setvbuf(file, nullptr, _IONBF, 0);
  return file;
}

std::size_t read_at(std::FILE* file, std::uint64_t place, void* bytes, std::size_t size) {
  if (std::fseek(file, static_cast<long>(place), SEEK_SET) != 0) return 0;
  return std::fread(bytes, 1, size, file);
}

}  // namespace

LiveOutput::LiveOutput(const std::string& directory, std::int64_t row) {
  using std::filesystem::perms;
  std::error_code ignored;
  if (std::filesystem::create_directory(to_path(directory), ignored))
    std::filesystem::permissions(to_path(directory), perms::owner_all, ignored);
  path_ = path_of(directory, row);
  file_.reset(open_unbuffered(path_, "wb"));
  if (!file_) return;
  std::filesystem::permissions(to_path(path_), perms::owner_read | perms::owner_write, ignored);
  write_head(0, false);
}

LiveOutput::~LiveOutput() {
  if (!file_) return;
  write_head(total_, true);
  file_.reset();
  std::error_code ignored;
  std::filesystem::remove(to_path(path_), ignored);
}

void LiveOutput::clear(const std::string& directory, const std::vector<std::int64_t>& but) {
  std::error_code ignored;
  if (but.empty()) {
    std::filesystem::remove_all(to_path(directory), ignored);
    return;
  }
  std::set<std::string> stay;
  for (const std::int64_t row : but) stay.insert(std::to_string(row));
  for (const auto& item : std::filesystem::directory_iterator(to_path(directory), ignored)) {
    std::error_code failed;
    if (!stay.contains(to_text(item.path().filename()))) std::filesystem::remove_all(item.path(), failed);
  }
}

void LiveOutput::append(std::string_view bytes) {
  if (!file_ || bytes.empty()) return;
  const std::uint64_t after = total_ + bytes.size();
  if (bytes.size() > kRoom) bytes.remove_prefix(bytes.size() - kRoom);
  // Readers are told before older bytes are overwritten.
  if (after > kRoom) write_head(after, false);
  const std::uint64_t at = (after - bytes.size()) % kRoom;
  const std::size_t first = std::min<std::uint64_t>(kRoom - at, bytes.size());
  write_at(sizeof(FileHead) + at, bytes.data(), first);
  if (first < bytes.size()) write_at(sizeof(FileHead), bytes.data() + first, bytes.size() - first);
  total_ = after;
  write_head(after, false);
}

void LiveOutput::write_at(std::uint64_t place, const void* bytes, std::size_t size) {
  const bool written = file_ && std::fseek(file_.get(), static_cast<long>(place), SEEK_SET) == 0 &&
                       std::fwrite(bytes, 1, size, file_.get()) == size;
  // On a full disk there is nothing more to see, rather than something else than what came.
  if (!written) file_.reset();
}

void LiveOutput::write_head(std::uint64_t claimed, bool over) {
  const FileHead head{kSign, total_, claimed, over ? 1U : 0U};
  write_at(0, &head, sizeof head);
}

LiveOutputReader::LiveOutputReader(const std::string& directory, std::int64_t row)
    : path_(path_of(directory, row)) {}

bool LiveOutputReader::opened() {
  if (!file_) file_.reset(open_unbuffered(path_, "rb"));
  return file_ != nullptr;
}

bool LiveOutputReader::read_head(Head& head) {
  FileHead found;
  if (read_at(file_.get(), 0, &found, sizeof found) != sizeof found || found.sign != kSign) return false;
  head = {found.total, std::max(found.total, found.claimed), found.over != 0};
  return true;
}

LiveOutputReader::Piece LiveOutputReader::read() {
  constexpr std::uint64_t kRoom = LiveOutput::kRoom;
  Piece piece;
  Head head;
  if (!opened() || !read_head(head) || head.total < position_) return piece;
  piece.over = head.over;
  const auto skip_to = [&](std::uint64_t place) {
    if (place <= position_) return;
    piece.missed += place - position_;
    position_ = place;
  };
  if (head.total > kRoom) skip_to(head.total - kRoom);
  const std::uint64_t from = position_;
  piece.bytes.resize(head.total - from);
  const std::uint64_t at = from % kRoom;
  const std::size_t first = std::min<std::uint64_t>(kRoom - at, piece.bytes.size());
  std::size_t got = read_at(file_.get(), sizeof(FileHead) + at, piece.bytes.data(), first);
  if (got == first && first < piece.bytes.size())
    got += read_at(file_.get(), sizeof(FileHead), piece.bytes.data() + first, piece.bytes.size() - first);
  piece.bytes.resize(got);
  // What was overwritten while it was read is not what came.
  Head now;
  if (!read_head(now)) now = head;
  if (now.claimed > kRoom) skip_to(std::min(now.claimed - kRoom, from + got));
  piece.bytes.erase(0, position_ - from);
  position_ = from + got;
  return piece;
}

std::string live_tail(const std::string& directory, std::int64_t row) {
  constexpr std::size_t kTailBytes = 16'384;
  const std::string bytes = LiveOutputReader(directory, row).read().bytes;
  const std::string_view text = trim(bytes);
  return to_valid_utf8(text.substr(text.size() - std::min(text.size(), kTailBytes)));
}

}  // namespace hostclaw::node_host
