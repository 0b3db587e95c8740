// SPDX-License-Identifier: Apache-2.0
// The small executable: glue.
#include <string>
#include <string_view>
#include <vector>

#include "hostlink/client/client.h"

int main(int argc, char** argv) {
  using namespace hostclaw::hostlink;
  const std::vector<std::string> words(argv, argv + argc);
  const std::string_view path = words.empty() ? std::string_view("hostlink") : std::string_view(words[0]);
  const std::string_view name = path.substr(path.find_last_of('/') + 1);
  const std::vector<std::string> arguments(words.begin() + (words.empty() ? 0 : 1), words.end());
  if (is_client_name(name)) hide_token(argc, argv);
  return client_main(name, arguments);
}
