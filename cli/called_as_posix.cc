// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <string_view>
#include <vector>

#include "cli/called_as.h"
#include "hostlink/client/client.h"

namespace hostclaw::cli {
namespace {

// `hostclaw hostlink …`: everything but the verbs of the host's side is the client's.
bool is_client_word(std::string_view word) {
  for (const std::string_view verb :
       {"exec", "run", "ping", "targets", "put", "get", "put-stream", "get-stream", "df", "job", "shim"})
    if (word == verb) return true;
  return word.starts_with('-') && word != "-h" && word != "--help";
}

}  // namespace

std::optional<int> run_as_called(int argc, char** argv) {
  if (argc == 0) return std::nullopt;
  const std::string called = argv[0];
  std::string name = called.substr(called.find_last_of('/') + 1);
  int first = 1;
  if (argc > 2 && std::string_view(argv[1]) == "hostlink" && is_client_word(argv[2])) {
    name = argv[1];
    first = 2;
  } else if (!hostlink::is_client_name(name)) {
    return std::nullopt;
  }
  const std::vector<std::string> arguments(argv + first, argv + argc);
  hostlink::hide_token(argc, argv);
  return hostlink::client_main(name, arguments);
}

}  // namespace hostclaw::cli
