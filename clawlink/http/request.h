// SPDX-License-Identifier: Apache-2.0
// One request as the routes see it: bounded, decoded, without a connection.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "clawlink/store/agents.h"

namespace hostclaw::clawlink {

struct HttpRequest {
  std::string method;
  std::string target;             // as it was sent
  std::vector<std::string> path;  // decoded; "/" has none. An empty last one: there was a slash at the end
  std::map<std::string, std::string> query;
  Presented presented;
  std::string host;
  std::string origin;
  std::string fetch_site;  // what a browser says about the page that asks
  std::string idempotency_key;
  std::string if_match;
  std::string last_event_id;
  std::string a2a_version;
  std::string accept;
  std::string content_type;
  std::string if_none_match;
  std::string peer;  // its address
  std::string body;
  bool takes_chunks = true;  // not one of HTTP/1.0

  bool is(std::string_view wanted_method, std::string_view first_segment) const {
    return method == wanted_method && !path.empty() && path.front() == first_segment;
  }
  std::string query_text(const std::string& name) const {
    const auto found = query.find(name);
    return found == query.end() ? std::string() : found->second;
  }
};

// Path and query of a target. Percent signs that are none are kept as they are.
void read_target(std::string_view target, HttpRequest& request);

// A whole number of that range; nullopt: it is none. Without the member: `otherwise`.
std::optional<std::int64_t> query_number(const HttpRequest& request, const std::string& name,
                                         std::int64_t least, std::int64_t most, std::int64_t otherwise);

// "Bearer x" -> x; nullopt: another scheme, or none.
std::optional<std::string> bearer_token(std::string_view authorization);

// The host of "host:port", "[::1]:port"; lower case. Empty: it is neither, and a URL made of it could lead
// elsewhere than it seems.
std::string host_of(std::string_view authority);
bool is_loopback_name(std::string_view host);

}  // namespace hostclaw::clawlink
