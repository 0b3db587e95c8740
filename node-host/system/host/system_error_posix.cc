// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "node-host/system/host/system_error.h"

namespace hostclaw::node_host {

std::string error_name(int error_number) {
  const char* name = strerrorname_np(error_number);
  return name != nullptr ? std::string(name) : "E" + std::to_string(error_number);
}

std::string error_text(int error_number) {
  const char* text = strerrordesc_np(error_number);
  return text != nullptr ? std::string(text) : "error " + std::to_string(error_number);
}

Error system_error(int error_number) {
  return make_error(error_name(error_number), error_text(error_number));
}

}  // namespace hostclaw::node_host
