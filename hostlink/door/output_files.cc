// SPDX-License-Identifier: Apache-2.0
#include "hostlink/door/output_files.h"

#include <cstdio>

#include "approvals/platform/private_files.h"
#include "base/text.h"
#include "node-host/system/host/random_bytes.h"

namespace hostclaw::hostlink {
namespace {

constexpr std::size_t kLongestId = 64;
constexpr std::size_t kNameBytes = 6;

std::string plain_id(const std::string& id) {
  std::string plain;
  for (const char c : id.substr(0, kLongestId)) {
    const bool fits = is_ascii_letter(c) || is_ascii_digit(c) || c == '.' || c == '_' || c == '-';
    plain += fits ? c : '_';
  }
  return plain;
}

Result<void> keep(const std::string& path, OutputOfStream& stream) {
  auto file = approvals::open_new_private_file(path);
  if (!file) return file.error();
  const bool written = std::fwrite(stream.bytes.data(), 1, stream.bytes.size(), *file) == stream.bytes.size();
  if (std::fclose(*file) != 0 || !written)
    return make_error("STORE_IO", "the output could not be written to " + path);
  stream.file = path;
  stream.bytes.clear();
  return {};
}

}  // namespace

Result<void> keep_output_files(const std::string& directory, const std::string& id, OutputOfStream& out,
                               OutputOfStream& err) {
  if (auto made = approvals::ensure_private_directory(directory); !made) return made;
  const std::string base =
      directory + "/hl_" + plain_id(id) + "_" + to_hex(node_host::random_bytes(kNameBytes));
  if (auto kept = keep(base + "_stdout", out); !kept) return kept;
  return keep(base + "_stderr", err);
}

}  // namespace hostclaw::hostlink
