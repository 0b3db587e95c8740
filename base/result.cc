// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <stdexcept>

namespace hostclaw {

void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw std::logic_error("value() called on error " + error.code + ": " + error.message);
}

}  // namespace hostclaw
