// SPDX-License-Identifier: Apache-2.0
#include "gateway-proto/endpoint.h"

#include <catch2/catch.hpp>

using namespace hostclaw;
using namespace hostclaw::gateway_proto;

TEST_CASE("gateway URLs are read and written the same way") {
  for (const char* url : {"ws://127.0.0.1:18789", "wss://gateway.example:443/claw/a", "ws://[::1]:80"}) {
    CHECK(parse_gateway_url(url)->url() == url);
  }
  CHECK(parse_gateway_url("wss://Gateway.Example/claw/")->url() == "wss://gateway.example:443/claw");
  CHECK(parse_gateway_url("ws://[::1]")->host == "::1");
}

TEST_CASE("URLs that carry more than an address are refused") {
  for (const char* bad :
       {"", "gateway", "ftp://x", "ws://", "ws://user:pw@x", "ws://x?token=1", "ws://x#f", "ws://x:0",
        "ws://x:70000", "ws://x:1a", "ws://[::1", "ws://[::1]x", "ws://a b", "ws://x/../y"}) {
    CAPTURE(bad);
    CHECK(parse_gateway_url(bad).error().code == "CONFIG_INVALID");
  }
}

TEST_CASE("fingerprints come in three spellings and one canonical form") {
  const std::string digits = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
  std::string colons;
  for (std::size_t i = 0; i < 64; i += 2) colons += (i != 0 ? ":" : "") + digits.substr(i, 2);
  CHECK(normalize_fingerprint(digits).value() == digits);
  CHECK(normalize_fingerprint("SHA256:" + colons).value() == digits);
  CHECK(normalize_fingerprint(" " + colons + "\n").value() == digits);
  for (const std::string& bad :
       {std::string(), digits.substr(1), digits + "0", "g" + digits.substr(1), std::string(95, 'a')}) {
    CHECK(normalize_fingerprint(bad).error().code == "CONFIG_INVALID");
  }
}

TEST_CASE("plaintext goes to loopback and private hosts only") {
  const auto allowed = [](const char* host, bool environment = false) {
    GatewayEndpoint endpoint;
    endpoint.host = host;
    return check_transport_security(endpoint, environment).has_value();
  };
  for (const char* host :
       {"127.0.0.1", "::1", "localhost", "10.1.2.3", "172.31.0.1", "192.168.0.9", "169.254.1.1", "100.64.0.1",
        "fd00::1", "fe80::1", "box.local", "box.tail.ts.net", "::ffff:127.0.0.1"}) {
    CAPTURE(host);
    CHECK(allowed(host));
  }
  for (const char* host :
       {"8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:db8::1", "0x7f.1", "2130706433", "127.1"}) {
    CAPTURE(host);
    CHECK_FALSE(allowed(host));
    CHECK_FALSE(allowed(host, true));
  }
  CHECK_FALSE(allowed("gateway.example"));
  CHECK(allowed("gateway.example", true));
  CHECK_FALSE(allowed("local"));
}

TEST_CASE("a pin without TLS is a configuration error that says so") {
  GatewayEndpoint endpoint;
  endpoint.tls_fingerprint = std::string(64, 'a');
  const auto checked = check_transport_security(endpoint, false);
  REQUIRE_FALSE(checked.has_value());
  CHECK(checked.error().message.starts_with("SECURITY ERROR"));
  endpoint.tls = true;
  CHECK(check_transport_security(endpoint, false).has_value());
}

TEST_CASE("a context path holds printable ASCII only, and what is accepted is already normal") {
  CHECK_FALSE(normalize_context_path("/gate\xC2\xA0way").has_value());
  CHECK_FALSE(normalize_context_path("\"\xC2\xA0!\xC2\xA0/").has_value());
  CHECK_FALSE(normalize_context_path("/b\xC3\xBCro").has_value());
  CHECK(normalize_context_path("b%C3%BCro/").value() == "/b%C3%BCro");
}
