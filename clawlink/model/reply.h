// SPDX-License-Identifier: Apache-2.0
// What becomes of one request, before it is put on a wire.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace hostclaw::clawlink {

struct Reply {
  int status = 200;
  std::string body;
  std::string content_type = "application/json; charset=utf-8";
  std::vector<std::pair<std::string, std::string>> headers = {};
  // False: what was done for it is undone.
  bool commits = true;
  // Messages in the body, which wait again when it cannot be written; and whether they are acknowledged once
  // it has been written whole.
  std::vector<std::string> leases = {};
  bool acknowledges = false;
  // Nothing was there; whoever asked to wait may.
  bool is_empty = false;
  // Nobody who shows this may ask again at once.
  bool is_refused_access = false;
};

Reply json_reply(const Json& body, int status = 200);
// {"error": message, "code": code, "next": ...} with the status that belongs to the code.
Reply error_reply(const Error& error);
Reply error_reply(int status, const std::string& message, const std::string& code);
Reply text_reply(int status, const std::string& text);

}  // namespace hostclaw::clawlink
