// SPDX-License-Identifier: Apache-2.0
// Any bytes as a Windows command line, as carrier text, as a path, and as arguments that must survive
// quoting.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "policy/windows/windows_text.h"

using namespace hostclaw::policy;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::vector<std::string> argv = split_windows_command_line(text);
  require(!argv.empty());
  std::vector<std::string> safe = argv;
  safe.front() = "tool.exe";
  require(split_windows_command_line(join_windows_command_line(safe)) == safe);
  const WindowsTextResult result = parse_windows_text(text);
  require(static_cast<bool>(result) ? !result.argv->empty() && !result.argv->front().empty()
                                    : !result.code.empty());
  static_cast<void>(is_batch_target(text));
  static_cast<void>(suspicious_windows_word(text));
  if (const auto line = batch_command_line(argv))
    require(line->find_first_of("&|<>%\r\n^!") == std::string::npos);
  return 0;
}
