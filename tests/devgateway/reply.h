// SPDX-License-Identifier: Apache-2.0
// The outcome of one request, before it becomes a response frame.
#pragma once

#include <functional>
#include <string>

#include "base/json.h"

namespace hostclaw::devgateway {

struct Reply {
  bool ok = true;
  Json payload;
  Json error;  // {code, message, details?, retryable?, retryAfterMs?} when not ok

  static Reply success(Json payload = Json::object()) { return {true, std::move(payload), Json()}; }
  static Reply failure(const std::string& code, const std::string& message, Json details = Json()) {
    Json error = {{"code", code}, {"message", message}};
    if (!details.is_null()) error["details"] = std::move(details);
    return {false, Json(), std::move(error)};
  }
};

using Respond = std::function<void(Reply)>;

}  // namespace hostclaw::devgateway
