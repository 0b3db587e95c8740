// SPDX-License-Identifier: Apache-2.0
// Any bytes as a setup code, as the object inside one, as a join URL and as a gateway's address. What is
// accepted can be spelled again and is the same address; no message repeats the text, which holds a secret.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.h"
#include "gateway-proto/endpoint.h"
#include "gateway-proto/setup_code.h"

using namespace hostclaw;
using namespace hostclaw::gateway_proto;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check_endpoint(const GatewayEndpoint& endpoint) {
  const auto again = parse_gateway_url(endpoint.url());
  require(static_cast<bool>(again) && again->same_address(endpoint));
  require(endpoint.target().starts_with('/') && !endpoint.host_header().empty());
  require(endpoint.host_header().find_first_of("\r\n") == std::string::npos);
  require(endpoint.target().find_first_of("\r\n \0") == std::string::npos);
  static_cast<void>(classify_host(endpoint.host));
}

void check_code(const Result<SetupCode>& code, std::string_view text) {
  if (code) {
    require(!code->candidates.empty() && !code->bootstrap_token.empty());
    for (const GatewayEndpoint& endpoint : code->candidates) check_endpoint(endpoint);
    for (std::size_t i = 1; i < code->candidates.size(); ++i)
      require(code->candidates[i].tls_fingerprint.empty());
  } else {
    require(code.error().code == "SETUP_CODE_INVALID" || code.error().code == "SETUP_CODE_EXPIRED");
    // Longer than any sentence of ours: a part of a sentence is no secret.
    require(text.size() < 256 || code.error().message.find(text) == std::string::npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_code(parse_setup_code(text, 1000), text);
  check_code(parse_setup_object(text, 1000), text);
  const std::string encoded = to_base64url({data, size});
  check_code(parse_setup_code("oc-pair://" + encoded, 1000), encoded);
  if (const auto join = parse_join_url(text)) {
    require(looks_like_join_url(text));
    check_endpoint(join->endpoint);
  }
  if (const auto endpoint = parse_gateway_url(text)) check_endpoint(*endpoint);
  if (const auto pin = normalize_fingerprint(text)) {
    const auto again = normalize_fingerprint(*pin);
    require(pin->size() == 64 && static_cast<bool>(again) && *again == *pin);
  }
  if (const auto host = normalize_host(text)) {
    const auto again = normalize_host(*host);
    require(static_cast<bool>(again) && *again == *host);
  }
  if (const auto path = normalize_context_path(text)) {
    const auto again = normalize_context_path(*path);
    require(static_cast<bool>(again) && *again == *path);
  }
  return 0;
}
