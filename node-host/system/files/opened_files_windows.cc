// SPDX-License-Identifier: Apache-2.0
#include <windows.h>
// After windows.h.
#include <winioctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>

#include "base/sha256.h"
#include "base/text.h"
#include "node-host/system/files/path_ownership.h"
#include "node-host/system/files/reparse_data.h"
#include "node-host/system/files/windows_handle.h"
#include "node-host/system/files/windows_path.h"
#include "node-host/system/host/system_error_windows.h"
#include "node-host/system/text/windows_text.h"

namespace hostclaw::node_host {
namespace {

constexpr std::size_t kMaxHeadBytes = 1 << 20;
constexpr const char* kDefaultExtensions = ".COM;.EXE;.BAT;.CMD";

// What makes a file the same file, and the same state of it.
struct FileState {
  std::uint64_t volume = 0;
  std::array<std::uint8_t, 16> id{};
  DWORD attributes = 0;
  std::uint64_t size = 0;
  std::int64_t modified = 0;  // 100 ns since 1601
  std::int64_t changed = 0;   // the same; what no program can set by accident

  bool is_directory() const { return (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0; }
  bool same_file(const FileState& other) const { return volume == other.volume && id == other.id; }
  bool same_state(const FileState& other) const {
    if (!same_file(other) || is_directory() != other.is_directory()) return false;
    // The times of a directory say that something in it changed, not that it is another one.
    return is_directory() || (size == other.size && modified == other.modified && changed == other.changed);
  }
};

std::optional<FileState> state_of(HANDLE handle) {
  BY_HANDLE_FILE_INFORMATION information{};
  if (::GetFileInformationByHandle(handle, &information) == 0) return std::nullopt;
  FileState state;
  state.volume = information.dwVolumeSerialNumber;
  const std::uint64_t index =
      (static_cast<std::uint64_t>(information.nFileIndexHigh) << 32) | information.nFileIndexLow;
  std::memcpy(state.id.data(), &index, sizeof index);
  // ReFS has ids of 128 bits, of which the other call does not tell all.
  FILE_ID_INFO full{};
  if (::GetFileInformationByHandleEx(handle, FileIdInfo, &full, sizeof full) != 0) {
    state.volume = full.VolumeSerialNumber;
    std::memcpy(state.id.data(), &full.FileId, state.id.size());
  }
  state.attributes = information.dwFileAttributes;
  state.size = (static_cast<std::uint64_t>(information.nFileSizeHigh) << 32) | information.nFileSizeLow;
  state.modified = (static_cast<std::int64_t>(information.ftLastWriteTime.dwHighDateTime) << 32) |
                   information.ftLastWriteTime.dwLowDateTime;
  FILE_BASIC_INFO basic{};
  if (::GetFileInformationByHandleEx(handle, FileBasicInfo, &basic, sizeof basic) != 0)
    state.changed = basic.ChangeTime.QuadPart;
  return state;
}

policy::FileIdentity identity_of(const FileState& state) {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  std::memcpy(&low, state.id.data(), sizeof low);
  std::memcpy(&high, state.id.data() + sizeof low, sizeof high);
  constexpr std::int64_t kUnixEpoch = 116'444'736'000'000'000;  // in 100 ns since 1601
  return {true, state.volume, low ^ high, state.size, (state.modified - kUnixEpoch) * 100, 0};
}

UniqueFd open_as(const std::wstring& path, DWORD access, DWORD share, DWORD flags = 0) {
  return owned(::CreateFileW(path.c_str(), access, share, nullptr, OPEN_EXISTING,
                             FILE_FLAG_BACKUP_SEMANTICS | flags, nullptr));
}

// Sees everything, stands in nobody's way.
UniqueFd open_to_look(const std::wstring& path, DWORD flags = 0) {
  return open_as(path, FILE_READ_ATTRIBUTES | SYNCHRONIZE,
                 FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, flags);
}

// A file: nobody writes, renames or deletes it. A directory: it keeps its name.
UniqueFd open_to_hold(const std::wstring& path, bool directory) {
  const DWORD look = FILE_READ_ATTRIBUTES | SYNCHRONIZE;
  if (!directory) return open_as(path, look | FILE_READ_DATA, FILE_SHARE_READ);
  constexpr DWORD kShare = FILE_SHARE_READ | FILE_SHARE_WRITE;
  // Some that may be entered may not be listed. What can only be looked at may be renamed meanwhile; the
  // spawn asks the handle for the name.
  for (const DWORD access : {FILE_LIST_DIRECTORY, FILE_TRAVERSE})
    if (UniqueFd held = open_as(path, look | access, kShare)) return held;
  return open_to_look(path);
}

// What lies at `path` itself, when it is a link.
std::optional<LinkTarget> link_at(const std::wstring& path) {
  const UniqueFd itself = open_to_look(path, FILE_FLAG_OPEN_REPARSE_POINT);
  FILE_ATTRIBUTE_TAG_INFO tag{};
  if (!itself ||
      ::GetFileInformationByHandleEx(as_handle(itself.get()), FileAttributeTagInfo, &tag, sizeof tag) == 0 ||
      (tag.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) == 0)
    return std::nullopt;
  std::vector<std::uint8_t> data(MAXIMUM_REPARSE_DATA_BUFFER_SIZE);
  DWORD size = 0;
  if (::DeviceIoControl(as_handle(itself.get()), FSCTL_GET_REPARSE_POINT, nullptr, 0, data.data(),
                        static_cast<DWORD>(data.size()), &size, nullptr) == 0)
    return std::nullopt;
  return read_reparse_data(std::span(data).first(size));
}

constexpr std::wstring_view kVerbatimPrefix = L"\\\\?\\";
constexpr int kMaxLinks = 63;

std::deque<std::wstring> parts_of(std::wstring_view text) {
  std::deque<std::wstring> parts(1);
  for (const wchar_t unit : text) {
    if (unit != L'\\' && unit != L'/') {
      parts.back() += unit;
    } else if (!parts.back().empty()) {
      parts.emplace_back();
    }
  }
  if (parts.back().empty()) parts.pop_back();
  return parts;
}

// Where a path leads, with each part looked at as itself, so that nothing remote is opened. A drive that its
// owner mapped is the owner's wish and none of our business here.
struct Way {
  bool to_network = false;  // or in a circle
  std::wstring alias;       // verbatim: the program that an App Execution Alias stands for
};
Way way_of(const std::wstring& verbatim) {
  Way way;
  if (!verbatim.starts_with(kVerbatimPrefix) || verbatim.starts_with(L"\\\\?\\UNC\\")) return way;
  std::deque<std::wstring> ahead = parts_of(std::wstring_view(verbatim).substr(kVerbatimPrefix.size()));
  std::vector<std::wstring> behind;  // the drive first
  const auto here = [&behind] {
    std::wstring path(kVerbatimPrefix);
    for (std::size_t i = 0; i < behind.size(); ++i) path += (i > 0 ? L"\\" : L"") + behind[i];
    return path;
  };
  for (int links = 0; !ahead.empty();) {
    const std::wstring part = std::move(ahead.front());
    ahead.pop_front();
    if (part == L"." || (part == L".." && behind.size() <= 1)) continue;
    if (part == L"..") {
      behind.pop_back();
      continue;
    }
    behind.push_back(part);
    if (behind.size() == 1) continue;
    const auto link = link_at(here());
    if (!link) continue;
    const std::wstring target(link->target.begin(), link->target.end());
    if (link->kind == LinkKind::kRemote || ++links > kMaxLinks) {
      way.to_network = true;
      return way;
    }
    if (link->kind == LinkKind::kAlias) {
      if (ahead.empty()) way.alias = std::wstring(kVerbatimPrefix) + target;
      return way;
    }
    behind.pop_back();
    if (link->kind == LinkKind::kLocal || target.starts_with(L'\\') || target.starts_with(L'/'))
      behind.resize(link->kind == LinkKind::kLocal ? 0 : 1);
    const std::deque<std::wstring> more = parts_of(target);
    ahead.insert(ahead.begin(), more.begin(), more.end());
  }
  return way;
}

bool means_missing(int error_number) {
  return error_number == ENOENT || error_number == ENOTDIR || error_number == ELOOP ||
         error_number == ENAMETOOLONG;
}

bool has_program_extension(const std::wstring& path) {
  static const std::vector<std::string> extensions = [] {
    std::wstring value(32'768, L'\0');
    const DWORD size = ::GetEnvironmentVariableW(L"PATHEXT", value.data(), static_cast<DWORD>(value.size()));
    value.resize(size < value.size() ? size : 0);
    const std::string list = value.empty() ? kDefaultExtensions : from_wide(value);
    std::vector<std::string> all;
    for (const auto& item : split(list, ';'))
      if (!trim(item).empty()) all.push_back(to_lower_ascii(trim(item)));
    return all;
  }();
  const std::string name = to_lower_ascii(from_wide(path));
  return std::any_of(extensions.begin(), extensions.end(),
                     [&](const std::string& extension) { return name.ends_with(extension); });
}

// From the beginning, whatever was read before.
std::optional<std::size_t> read_at(HANDLE handle, std::uint64_t offset, char* buffer, std::size_t size) {
  OVERLAPPED position{};
  position.Offset = static_cast<DWORD>(offset);
  position.OffsetHigh = static_cast<DWORD>(offset >> 32);
  DWORD count = 0;
  if (::ReadFile(handle, buffer, static_cast<DWORD>(size), &count, &position) != 0) return count;
  if (::GetLastError() == ERROR_HANDLE_EOF) return 0;
  return std::nullopt;
}

// Whoever names a larger one would keep everybody else waiting while it is read.
constexpr std::uint64_t kMostHashedBytes = std::uint64_t{256} << 20;

}  // namespace

std::optional<std::string> sha256_of_file(NativeHandle file) {
  Sha256 hash;
  std::array<char, 65536> buffer;
  for (std::uint64_t offset = 0;;) {
    const auto count = read_at(as_handle(file), offset, buffer.data(), buffer.size());
    if (!count || offset > kMostHashedBytes) return std::nullopt;
    if (*count == 0) return hash.hex();
    hash.update({buffer.data(), *count});
    offset += *count;
  }
}

std::wstring final_path(HANDLE handle) {
  std::wstring path(512, L'\0');
  for (;;) {
    const DWORD size = ::GetFinalPathNameByHandleW(handle, path.data(), static_cast<DWORD>(path.size()),
                                                   FILE_NAME_NORMALIZED | VOLUME_NAME_DOS);
    if (size == 0) return {};
    const bool fits = size < path.size();
    path.resize(size);
    if (fits) return without_prefix(path);
  }
}

bool leads_to(NativeHandle directory, const std::string& word, NativeHandle file) {
  const bool rooted = word.size() >= 2 && (word[1] == ':' || word[0] == '\\' || word[0] == '/');
  const auto path = verbatim_path(rooted ? word : from_wide(final_path(as_handle(directory))) + "\\" + word);
  if (!path) return false;
  const UniqueFd there = open_to_look(*path);
  if (!there) return false;
  const auto found = state_of(as_handle(there.get()));
  const auto judged = state_of(as_handle(file));
  return found && judged && found->same_file(*judged);
}

struct OpenedFiles::Entry {
  UniqueFd fd;
  bool looked = false;
  bool let_go = false;
  std::wstring path;  // verbatim
  policy::FileFacts facts;
  FileState state;
  std::optional<bool> symlink;
  std::optional<std::string> sha256;
};

OpenedFiles::OpenedFiles() = default;
OpenedFiles::~OpenedFiles() = default;

OpenedFiles::Entry& OpenedFiles::entry(const std::string& path) {
  auto& slot = entries_[path];
  if (!slot) slot = std::make_unique<Entry>();
  return *slot;
}

policy::FileFacts OpenedFiles::facts(const std::string& path) {
  Entry& entry = this->entry(path);
  if (entry.looked) return entry.facts;
  entry.looked = true;
  auto& facts = entry.facts;
  const auto verbatim = verbatim_path(path);
  if (!verbatim) {
    facts.error = ENOENT;
    return facts;
  }
  entry.path = *verbatim;
  const auto fail = [&](int error) {
    facts.error = error;
    facts.kind = means_missing(error) ? policy::FileKind::kMissing : policy::FileKind::kUnreadable;
    entry.fd.reset();
    return facts;
  };
  // A name of the network behind a link is as little looked at as one that is written out.
  const Way way = way_of(entry.path);
  if (way.to_network) return fail(ENOENT);
  // The search stops at an alias of the Store: its program is judged, and named, by its real path.
  if (!way.alias.empty()) entry.path = way.alias;
  // Whether it is a directory decides how it is opened; what was opened has the last word.
  const UniqueFd look = open_to_look(entry.path);
  if (!look) return fail(errno_from(::GetLastError()));
  const auto seen = state_of(as_handle(look.get()));
  if (!seen || ::GetFileType(as_handle(look.get())) != FILE_TYPE_DISK) return fail(ENOENT);
  entry.fd = open_to_hold(entry.path, seen->is_directory());
  if (!entry.fd) return fail(errno_from(::GetLastError()));
  const auto state = state_of(as_handle(entry.fd.get()));
  if (!state) return fail(errno_from(::GetLastError()));
  if (!state->same_file(*seen) || state->is_directory() != seen->is_directory()) return fail(EAGAIN);
  entry.state = *state;
  const std::wstring real = final_path(as_handle(entry.fd.get()));
  if (real.empty()) return fail(ENOENT);
  facts.real_path = from_wide(real);
  facts.kind = state->is_directory() ? policy::FileKind::kDirectory : policy::FileKind::kRegular;
  facts.executable = facts.kind == policy::FileKind::kRegular && has_program_extension(real);
  facts.identity = identity_of(*state);
  const PathExposure exposure = path_exposure(path);
  facts.mutable_by_us = exposure.mutable_by_us;
  facts.writable_by_others = exposure.writable_by_others;
  return facts;
}

policy::FileIdentity OpenedFiles::identity(const std::string& path) { return facts(path).identity; }

bool OpenedFiles::changeable_by_others(const std::string& path) {
  return node_host::changeable_by_others(path);
}

bool OpenedFiles::is_one_of_many_names(const std::string& path) {
  const auto known = many_names_.find(path);
  if (known != many_names_.end()) return known->second;
  return many_names_[path] = node_host::is_one_of_many_names(path);
}

bool OpenedFiles::is_symlink(const std::string& path) {
  Entry& entry = this->entry(path);
  if (!entry.symlink) {
    entry.symlink = false;
    if (const auto verbatim = verbatim_path(path)) {
      const UniqueFd itself = open_to_look(*verbatim, FILE_FLAG_OPEN_REPARSE_POINT);
      FILE_ATTRIBUTE_TAG_INFO tag{};
      // Symlinks and junctions; not the placeholders of files that are kept elsewhere.
      entry.symlink = itself &&
                      ::GetFileInformationByHandleEx(as_handle(itself.get()), FileAttributeTagInfo, &tag,
                                                     sizeof tag) != 0 &&
                      (tag.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0 &&
                      IsReparseTagNameSurrogate(tag.ReparseTag) != 0;
    }
  }
  return *entry.symlink;
}

std::optional<std::string> OpenedFiles::content_sha256(const std::string& path) {
  if (facts(path).kind != policy::FileKind::kRegular) return std::nullopt;
  Entry& entry = this->entry(path);
  if (!entry.fd) return std::nullopt;
  const HANDLE handle = as_handle(entry.fd.get());
  const auto before = state_of(handle);
  if (!before) return std::nullopt;
  if (entry.sha256 && before->same_state(entry.state)) return entry.sha256;
  entry.sha256.reset();
  auto digest = sha256_of_file(entry.fd.get());
  const auto after = state_of(handle);
  if (!after || !after->same_state(*before)) return std::nullopt;
  if (before->same_state(entry.state)) entry.sha256 = digest;
  return digest;
}

bool OpenedFiles::has_content(const std::string& path, const std::string& sha256) {
  entry(path).sha256.reset();
  return content_sha256(path) == sha256;
}

std::string OpenedFiles::head(const std::string& path, std::size_t count) {
  if (facts(path).kind != policy::FileKind::kRegular || descriptor(path) < 0) return {};
  std::string text(std::min(count, kMaxHeadBytes), '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    const auto got = read_at(as_handle(descriptor(path)), filled, text.data() + filled, text.size() - filled);
    if (!got || *got == 0) break;
    filled += *got;
  }
  text.resize(filled);
  return text;
}

NativeHandle OpenedFiles::descriptor(const std::string& path) const {
  const auto found = entries_.find(path);
  return found == entries_.end() ? -1 : found->second->fd.get();
}

// No run is kept here.
std::string OpenedFiles::state(const std::string&) { return {}; }

bool OpenedFiles::unchanged(const std::string& path) const {
  const auto found = entries_.find(path);
  if (found == entries_.end() || !found->second->looked || found->second->let_go) return false;
  const Entry& entry = *found->second;
  std::optional<FileState> there;
  if (!entry.path.empty()) {
    if (const UniqueFd now = open_to_look(entry.path)) there = state_of(as_handle(now.get()));
  }
  // What could not be opened runs nothing, whatever it is; what was missing must still be.
  if (!entry.fd) return !there || entry.facts.kind == policy::FileKind::kUnreadable;
  const auto held = state_of(as_handle(entry.fd.get()));
  return there && held && held->same_state(entry.state) && there->same_file(entry.state);
}

void OpenedFiles::let_go_except(const std::vector<std::string>& paths) {
  for (auto& [path, entry] : entries_) {
    if (std::find(paths.begin(), paths.end(), path) != paths.end()) continue;
    entry->let_go = true;
    entry->fd.reset();
  }
}

}  // namespace hostclaw::node_host
