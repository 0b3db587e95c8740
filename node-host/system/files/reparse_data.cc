// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/files/reparse_data.h"

#include <string_view>
#include <vector>

namespace hostclaw::node_host {
namespace {

// IO_REPARSE_TAG_MOUNT_POINT, _SYMLINK, _APPEXECLINK; their layouts are in the documentation of
// REPARSE_DATA_BUFFER, but for the last, which is a version and texts that end with a zero.
constexpr std::uint32_t kMountPoint = 0xA0000003;
constexpr std::uint32_t kSymbolicLink = 0xA000000C;
constexpr std::uint32_t kAppExecLink = 0x8000001B;
constexpr std::size_t kHeader = 8;
constexpr std::uint32_t kRelativeFlag = 1;
constexpr std::size_t kAliasTarget = 2;  // behind the package and the application

std::uint32_t number(std::span<const std::uint8_t> data, std::size_t at, std::size_t bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = bytes; i > 0; --i) value = value << 8 | data[at + i - 1];
  return value;
}

std::u16string units(std::span<const std::uint8_t> bytes) {
  std::u16string text;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2)
    text += static_cast<char16_t>(bytes[i] | bytes[i + 1] << 8);
  return text;
}

char16_t lower(char16_t unit) {
  return unit >= u'A' && unit <= u'Z' ? static_cast<char16_t>(unit + 32) : unit;
}

bool begins_with(std::u16string_view text, std::u16string_view beginning) {
  if (text.size() < beginning.size()) return false;
  for (std::size_t i = 0; i < beginning.size(); ++i)
    if (lower(text[i]) != lower(beginning[i])) return false;
  return true;
}

bool is_drive(std::u16string_view text) {
  return text.size() >= 2 && lower(text[0]) >= u'a' && lower(text[0]) <= u'z' && text[1] == u':' &&
         (text.size() == 2 || text[2] == u'\\' || text[2] == u'/');
}

bool is_slash(char16_t unit) { return unit == u'\\' || unit == u'/'; }

LinkTarget absolute_target(std::u16string name) {
  bool of_the_system = false;
  for (const std::u16string_view prefix : {u"\\??\\", u"\\\\?\\", u"\\\\.\\"}) {
    if (!begins_with(name, prefix)) continue;
    name.erase(0, prefix.size());
    of_the_system = true;
    break;
  }
  if (is_drive(name)) return {LinkKind::kLocal, std::move(name)};
  if (of_the_system && begins_with(name, u"Volume{")) return {LinkKind::kLocal, std::move(name)};
  // `UNC\server\share`, `\\server\share`, `GLOBALROOT\Device\Mup\...`, and whatever else a namespace holds.
  return {LinkKind::kRemote, std::move(name)};
}

std::optional<std::u16string> substitute_name(std::span<const std::uint8_t> data, std::size_t names) {
  const std::size_t offset = number(data, kHeader, 2);
  const std::size_t length = number(data, kHeader + 2, 2);
  if (length == 0 || length % 2 != 0 || names + offset + length > data.size()) return std::nullopt;
  std::u16string name = units(data.subspan(names + offset, length));
  if (name.find(u'\0') != std::u16string::npos) return std::nullopt;
  return name;
}

std::optional<LinkTarget> alias_target(std::span<const std::uint8_t> data) {
  if (data.size() < kHeader + 4) return std::nullopt;
  std::vector<std::u16string> texts(1);
  for (const char16_t unit : units(data.subspan(kHeader + 4))) {
    if (unit != u'\0') {
      texts.back() += unit;
    } else if (texts.size() > kAliasTarget) {
      break;
    } else {
      texts.emplace_back();
    }
  }
  if (texts.size() <= kAliasTarget) return std::nullopt;
  LinkTarget target = absolute_target(std::move(texts[kAliasTarget]));
  if (target.kind != LinkKind::kLocal) return target;
  return LinkTarget{LinkKind::kAlias, std::move(target.target)};
}

}  // namespace

std::optional<LinkTarget> read_reparse_data(std::span<const std::uint8_t> data) {
  if (data.size() < kHeader) return std::nullopt;
  const std::uint32_t tag = number(data, 0, 4);
  const std::size_t whole = kHeader + number(data, 4, 2);
  if (whole > data.size()) return std::nullopt;
  data = data.first(whole);
  if (tag == kAppExecLink) return alias_target(data);
  const bool symbolic = tag == kSymbolicLink;
  const std::size_t names = kHeader + (symbolic ? 12 : 8);
  if ((!symbolic && tag != kMountPoint) || data.size() < names) return std::nullopt;
  auto name = substitute_name(data, names);
  if (!name) return std::nullopt;
  if (!symbolic || (number(data, kHeader + 8, 4) & kRelativeFlag) == 0)
    return absolute_target(std::move(*name));
  // Relative to the root of the drive that it lies on is local; two separators begin a server's name.
  if (name->size() >= 2 && is_slash((*name)[0]) && is_slash((*name)[1]))
    return absolute_target(std::move(*name));
  return LinkTarget{LinkKind::kRelative, std::move(*name)};
}

}  // namespace hostclaw::node_host
