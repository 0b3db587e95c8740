// SPDX-License-Identifier: Apache-2.0
// Where links of Windows lead, from the bytes that lie on a disk.
#include "node-host/system/files/reparse_data.h"

#include <catch2/catch.hpp>
#include <vector>

namespace hostclaw::node_host {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint32_t kJunction = 0xA0000003;
constexpr std::uint32_t kSymlink = 0xA000000C;
constexpr std::uint32_t kAlias = 0x8000001B;

void put(Bytes& bytes, std::uint32_t value, int size) {
  for (int i = 0; i < size; ++i) bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

void put(Bytes& bytes, const std::u16string& text) {
  for (const char16_t unit : text) put(bytes, unit, 2);
}

Bytes with_header(std::uint32_t tag, const Bytes& body) {
  Bytes bytes;
  put(bytes, tag, 4);
  put(bytes, static_cast<std::uint32_t>(body.size()), 2);
  put(bytes, 0, 2);
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

Bytes link(std::uint32_t tag, const std::u16string& target, std::uint32_t flags = 0) {
  Bytes body;
  const auto bytes = static_cast<std::uint32_t>(target.size() * 2);
  put(body, 0, 2);
  put(body, bytes, 2);
  put(body, bytes + 2, 2);
  put(body, 0, 2);
  if (tag == kSymlink) put(body, flags, 4);
  put(body, target + u'\0' + u'\0');
  return with_header(tag, body);
}

LinkTarget target_of(const Bytes& bytes) {
  const auto target = read_reparse_data(bytes);
  REQUIRE(target);
  return *target;
}

TEST_CASE("a junction, a link and a mounted volume of this machine are local") {
  const auto junction = target_of(link(kJunction, u"\\??\\C:\\tools"));
  CHECK(junction.kind == LinkKind::kLocal);
  CHECK(junction.target == u"C:\\tools");
  CHECK(target_of(link(kSymlink, u"\\??\\d:\\x\\y.exe")).target == u"d:\\x\\y.exe");
  const auto volume = target_of(link(kJunction, u"\\??\\Volume{0b8e1c1e-0000-0000-0000-100000000000}\\"));
  CHECK(volume.kind == LinkKind::kLocal);
  CHECK(volume.target == u"Volume{0b8e1c1e-0000-0000-0000-100000000000}\\");
}

TEST_CASE("a link that leads to the network or to a device is remote, however it is spelled") {
  for (const char16_t* target :
       {u"\\??\\UNC\\server\\share\\x.exe", u"\\??\\unc\\server\\share", u"\\\\server\\share",
        u"\\\\?\\UNC\\a\\b", u"\\??\\GLOBALROOT\\Device\\Mup\\server\\share", u"\\Device\\Mup\\server\\share",
        u"\\??\\pipe\\x", u"\\\\.\\PhysicalDrive0", u"//server/share", u"C:relative", u"Volume{x}\\y"}) {
    CHECK(target_of(link(kSymlink, target)).kind == LinkKind::kRemote);
    CHECK(target_of(link(kJunction, target)).kind == LinkKind::kRemote);
  }
  // Said to be relative, and not.
  CHECK(target_of(link(kSymlink, u"\\\\server\\share", 1)).kind == LinkKind::kRemote);
}

TEST_CASE("a relative link stays where it lies") {
  const auto relative = target_of(link(kSymlink, u"..\\bin\\x.exe", 1));
  CHECK(relative.kind == LinkKind::kRelative);
  CHECK(relative.target == u"..\\bin\\x.exe");
  CHECK(target_of(link(kSymlink, u"\\tools\\x.exe", 1)).kind == LinkKind::kRelative);
}

TEST_CASE("an alias of the Store names the program that it stands for") {
  Bytes body;
  put(body, 3, 4);
  put(body, std::u16string(u"Microsoft.PowerShell_8wekyb3d8bbwe") + u'\0');
  put(body, std::u16string(u"Microsoft.PowerShell_8wekyb3d8bbwe!App") + u'\0');
  put(body,
      std::u16string(u"C:\\Program Files\\WindowsApps\\Microsoft.PowerShell_7.4.6.0_x64\\pwsh.exe") + u'\0');
  put(body, std::u16string(u"0") + u'\0');
  const auto alias = target_of(with_header(kAlias, body));
  CHECK(alias.kind == LinkKind::kAlias);
  CHECK(alias.target == u"C:\\Program Files\\WindowsApps\\Microsoft.PowerShell_7.4.6.0_x64\\pwsh.exe");
  Bytes short_one;
  put(short_one, 3, 4);
  put(short_one, std::u16string(u"only") + u'\0');
  CHECK_FALSE(read_reparse_data(with_header(kAlias, short_one)));
}

TEST_CASE("what is no link, and data that makes no sense, lead nowhere") {
  CHECK_FALSE(read_reparse_data({}));
  CHECK_FALSE(read_reparse_data(with_header(0x9000001A, {1, 2, 3, 4})));  // a placeholder of a cloud
  const Bytes whole = link(kJunction, u"\\??\\C:\\tools");
  for (std::size_t size = 0; size < whole.size(); ++size)
    REQUIRE_FALSE(read_reparse_data(std::span(whole).first(size)));
  Bytes beyond = whole;
  beyond[10] = 0xFF;
  beyond[11] = 0xFF;
  CHECK_FALSE(read_reparse_data(beyond));
  Bytes odd = whole;
  odd[10] = static_cast<std::uint8_t>(odd[10] - 1);
  CHECK_FALSE(read_reparse_data(odd));
  CHECK_FALSE(read_reparse_data(link(kJunction, std::u16string(u"\\??\\C:\\a") + u'\0' + u"b")));
  std::uint32_t state = 7;
  for (int round = 0; round < 5000; ++round) {
    Bytes made_up = link(round % 2 == 0 ? kSymlink : kJunction, u"\\??\\UNC\\server\\share");
    for (int i = 0; i < 5; ++i) {
      state = state * 1664525 + 1013904223;
      made_up[4 + (state >> 8) % (made_up.size() - 4)] = static_cast<std::uint8_t>(state >> 24);
    }
    (void)read_reparse_data(made_up);
  }
}

}  // namespace
}  // namespace hostclaw::node_host
