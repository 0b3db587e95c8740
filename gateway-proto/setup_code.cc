// SPDX-License-Identifier: Apache-2.0
#include "gateway-proto/setup_code.h"

#include "base/text.h"

namespace hostclaw::gateway_proto {
namespace {

Error invalid_setup_code(std::string why) {
  return make_error("SETUP_CODE_INVALID", std::move(why),
                    "for a new code, on the gateway: openclaw devices join-code");
}

bool is_base64url(std::string_view text) {
  for (const char c : text) {
    const bool good =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (!good) return false;
  }
  return !text.empty();
}

}  // namespace

Result<SetupCode> parse_setup_object(std::string_view json_text, std::int64_t now_ms) {
  auto parsed = parse_json(json_text, {.max_bytes = kMaxSetupCodeBytes, .max_depth = 8});
  if (!parsed || !parsed->is_object())
    return invalid_setup_code("the setup code does not hold a JSON object");
  const Json& json = *parsed;
  SetupCode code;
  const auto token = json.find("bootstrapToken");
  if (token == json.end() || !token->is_string() || trim(token->get_ref<const std::string&>()).empty()) {
    return invalid_setup_code("the setup code holds no bootstrap token");
  }
  code.bootstrap_token = std::string(trim(token->get_ref<const std::string&>()));

  const auto url = json.find("url");
  if (url == json.end() || !url->is_string())
    return invalid_setup_code("the setup code holds no gateway URL");
  auto first = parse_gateway_url(url->get_ref<const std::string&>());
  if (!first)
    return invalid_setup_code("the setup code's gateway URL is not usable: " + first.error().message);
  if (const auto it = json.find("tlsFingerprint"); it != json.end() && it->is_string()) {
    auto pin = normalize_fingerprint(it->get_ref<const std::string&>());
    if (!pin) return invalid_setup_code("the setup code's TLS fingerprint is malformed");
    first->tls_fingerprint = *pin;
  }
  code.candidates.push_back(*first);

  if (const auto it = json.find("urls"); it != json.end()) {
    if (!it->is_array() || it->size() > 8)
      return invalid_setup_code("the setup code's list of URLs is malformed");
    for (const Json& entry : *it) {
      if (!entry.is_string()) return invalid_setup_code("the setup code's list of URLs is malformed");
      auto candidate = parse_gateway_url(entry.get_ref<const std::string&>());
      if (!candidate)
        return invalid_setup_code("the setup code's list of URLs is malformed: " + candidate.error().message);
      bool known = false;
      for (const GatewayEndpoint& other : code.candidates) known = known || other.same_address(*candidate);
      if (!known) code.candidates.push_back(*candidate);
    }
  }
  if (const auto it = json.find("expiresAtMs"); it != json.end() && it->is_number()) {
    const double value = it->get<double>();
    if (value >= 0 && value < 9.0e15) code.expires_at_ms = static_cast<std::int64_t>(value);
    if (code.expires_at_ms <= now_ms) {
      return make_error("SETUP_CODE_EXPIRED", "the setup code has expired",
                        "for a new code, on the gateway: openclaw devices join-code");
    }
  }
  return code;
}

Result<SetupCode> parse_setup_code(std::string_view raw, std::int64_t now_ms) {
  std::string_view text = trim(raw);
  if (text.size() > kMaxSetupCodeBytes * 4 / 3) return invalid_setup_code("the setup code is too long");
  constexpr std::string_view kPrefix = "oc-pair://";
  if (text.size() >= kPrefix.size() && to_lower_ascii(text.substr(0, kPrefix.size())) == kPrefix) {
    text.remove_prefix(kPrefix.size());
  }
  if (!is_base64url(text)) return invalid_setup_code("a setup code consists of letters, digits, `-` and `_`");
  const auto bytes = from_base64url(text);
  if (!bytes) return invalid_setup_code("the setup code is cut off");
  return parse_setup_object({reinterpret_cast<const char*>(bytes->data()), bytes->size()}, now_ms);
}

bool looks_like_join_url(std::string_view text) {
  const std::string lower = to_lower_ascii(trim(text).substr(0, 8));
  return lower.starts_with("https://") || lower.starts_with("http://");
}

Result<JoinUrl> parse_join_url(std::string_view raw) {
  const std::string_view text = trim(raw);
  if (!looks_like_join_url(text)) return invalid_setup_code("a join URL starts with https://");
  auto endpoint = parse_gateway_url(text);
  if (!endpoint) return invalid_setup_code("the join URL is not usable: " + endpoint.error().message);
  const std::string& path = endpoint->context_path;
  const std::size_t slash = path.rfind("/j/");
  if (slash == std::string::npos || path.size() - slash - 3 != 22 || !is_base64url(path.substr(slash + 3))) {
    return invalid_setup_code("a join URL ends in /j/ and a code of 22 characters");
  }
  if (!endpoint->tls && classify_host(endpoint->host) != HostClass::kLoopback) {
    return invalid_setup_code("a join URL is https:// unless the gateway is on this machine");
  }
  JoinUrl join{*endpoint, path};
  join.endpoint.context_path.clear();
  return join;
}

}  // namespace hostclaw::gateway_proto
