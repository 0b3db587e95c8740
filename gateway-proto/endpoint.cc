// SPDX-License-Identifier: Apache-2.0
#include "gateway-proto/endpoint.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <optional>

#include "base/text.h"

namespace hostclaw::gateway_proto {
namespace {

Error invalid_endpoint(std::string why) { return make_error("CONFIG_INVALID", std::move(why)); }

bool ends_with(std::string_view text, std::string_view suffix) {
  return text.size() > suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

// The address that `host` writes out. Some systems' own parsers also take `127.1`, `0x7f.1` and `[::1]:80`:
// those are no literals here.
std::optional<boost::asio::ip::address> literal_address(const std::string& host) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(host, error);
  if (error || host.find_first_of("[]") != std::string::npos) return std::nullopt;
  if (address.is_v4() && address.to_string() != host) return std::nullopt;
  return address;
}

bool is_private(const boost::asio::ip::address& address) {
  if (address.is_v6()) {
    const auto v6 = address.to_v6();
    if (v6.is_v4_mapped())
      return is_private(boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, v6));
    const auto bytes = v6.to_bytes();
    return v6.is_link_local() || v6.is_site_local() || (bytes[0] & 0xFE) == 0xFC;
  }
  const std::uint32_t v4 = address.to_v4().to_uint();
  const auto in = [&](std::uint32_t network, int bits) {
    return v4 >> (32 - bits) == network >> (32 - bits);
  };
  return in(0x0A000000, 8) || in(0xAC100000, 12) || in(0xC0A80000, 16) || in(0xA9FE0000, 16) ||
         in(0x64400000, 10);
}

bool is_loopback(const boost::asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6()).is_loopback();
  }
  return address.is_loopback();
}

// `10.1` and `0x7f.1` are names to a parser of literals but addresses to a resolver (WHATWG URL, "ends in a
// number"): they are judged like a public address.
bool ends_in_number(std::string_view host) {
  if (!host.empty() && host.back() == '.') host.remove_suffix(1);
  const std::string_view last = host.substr(host.rfind('.') + 1);
  const auto all = [](std::string_view text, std::string_view allowed) {
    return text.find_first_not_of(allowed) == std::string_view::npos;
  };
  if (last.starts_with("0x")) return all(last.substr(2), "0123456789abcdef");
  return !last.empty() && all(last, "0123456789");
}

}  // namespace

std::string GatewayEndpoint::host_header() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string GatewayEndpoint::target() const { return context_path.empty() ? "/" : context_path; }

std::string GatewayEndpoint::url() const { return (tls ? "wss://" : "ws://") + host_header() + context_path; }

bool GatewayEndpoint::same_address(const GatewayEndpoint& other) const {
  return host == other.host && port == other.port && tls == other.tls && context_path == other.context_path;
}

Result<std::string> normalize_host(std::string_view raw) {
  std::string host(trim(raw));
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host.empty()) return invalid_endpoint("the gateway host is empty");
  if (host.size() > 253) return invalid_endpoint("the gateway host is longer than 253 characters");
  if (literal_address(host)) return host;
  for (const char c : host) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '.' || c == '_';
    if (!good)
      return invalid_endpoint("the gateway host `" + host + "` is neither a host name nor an IP address");
  }
  return to_lower_ascii(host);
}

Result<std::string> normalize_context_path(std::string_view raw) {
  std::string path(trim(raw));
  if (path.empty() || path == "/") return std::string();
  if (path.front() != '/') path.insert(path.begin(), '/');
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7F || c == '?' || c == '#' || c == '\\') {
      return invalid_endpoint(
          "the context path may not hold spaces, control characters, `?`, `#`, `\\` or characters outside "
          "ASCII (write those percent-encoded)");
    }
  }
  for (const std::string& part : split(path, '/')) {
    if (part == "..") return invalid_endpoint("the context path may not hold `..`");
  }
  return path == "/" ? std::string() : path;
}

Result<std::string> normalize_fingerprint(std::string_view raw) {
  std::string text = to_lower_ascii(trim(raw));
  if (text.starts_with("sha256:")) text = text.substr(7);
  const char* help =
      "a TLS fingerprint is the SHA-256 of the certificate: 64 hex digits or 32 pairs with colons";
  if (text.size() == 95) {
    std::string digits;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (i % 3 == 2) {
        if (text[i] != ':') return invalid_endpoint(help);
      } else {
        digits.push_back(text[i]);
      }
    }
    text = digits;
  }
  if (text.size() != 64 || !from_hex(text)) return invalid_endpoint(help);
  return text;
}

Result<GatewayEndpoint> parse_gateway_url(std::string_view raw) {
  const std::string_view url = trim(raw);
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos)
    return invalid_endpoint("a gateway URL starts with ws:// or wss://");
  const std::string scheme = to_lower_ascii(url.substr(0, scheme_end));
  GatewayEndpoint endpoint;
  if (scheme == "wss" || scheme == "https") {
    endpoint.tls = true;
  } else if (scheme != "ws" && scheme != "http") {
    return invalid_endpoint("a gateway URL starts with ws:// or wss://");
  }
  std::string_view rest = url.substr(scheme_end + 3);
  const std::size_t path_at = rest.find_first_of("/?#");
  const std::string_view authority = rest.substr(0, path_at);
  const std::string_view path = path_at == std::string_view::npos ? std::string_view() : rest.substr(path_at);
  if (authority.find('@') != std::string_view::npos)
    return invalid_endpoint("a gateway URL may not hold user or password");
  if (path.find_first_of("?#") != std::string_view::npos) {
    return invalid_endpoint("a gateway URL may not hold a query or a fragment");
  }
  std::string_view host = authority;
  std::string_view port;
  if (!authority.empty() && authority.front() == '[') {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos)
      return invalid_endpoint("the gateway URL has an open bracket without its end");
    host = authority.substr(0, close + 1);
    if (close + 1 < authority.size()) {
      if (authority[close + 1] != ':')
        return invalid_endpoint("the gateway URL has text after the IPv6 address");
      port = authority.substr(close + 2);
    }
  } else if (const std::size_t colon = authority.find(':'); colon != std::string_view::npos) {
    host = authority.substr(0, colon);
    port = authority.substr(colon + 1);
  }
  auto normal_host = normalize_host(host);
  if (!normal_host) return normal_host.error();
  endpoint.host = *normal_host;
  endpoint.port = endpoint.tls ? 443 : 80;
  if (!port.empty()) {
    unsigned value = 0;
    const auto [end, code] = std::from_chars(port.data(), port.data() + port.size(), value);
    if (code != std::errc() || end != port.data() + port.size() || value == 0 || value > 65535) {
      return invalid_endpoint("the port in the gateway URL is not a number from 1 to 65535");
    }
    endpoint.port = static_cast<std::uint16_t>(value);
  }
  auto normal_path = normalize_context_path(path);
  if (!normal_path) return normal_path.error();
  endpoint.context_path = *normal_path;
  return endpoint;
}

HostClass classify_host(std::string_view raw) {
  const std::string host = to_lower_ascii(raw);
  if (const auto address = literal_address(host)) {
    if (is_loopback(*address)) return HostClass::kLoopback;
    return is_private(*address) ? HostClass::kPrivateAddress : HostClass::kPublicAddress;
  }
  if (host == "localhost" || ends_with(host, ".localhost")) return HostClass::kLoopback;
  if (ends_with(host, ".local") || ends_with(host, ".ts.net")) return HostClass::kLocalName;
  return ends_in_number(host) ? HostClass::kPublicAddress : HostClass::kOtherName;
}

Result<void> check_transport_security(const GatewayEndpoint& endpoint, bool allow_insecure_names) {
  if (endpoint.tls) return {};
  if (!endpoint.tls_fingerprint.empty()) {
    return make_error("CONFIG_INVALID",
                      "SECURITY ERROR: a TLS fingerprint is set but the gateway URL is not wss://",
                      "hostclaw node run --tls --tls-fingerprint <sha256> ...");
  }
  switch (classify_host(endpoint.host)) {
    case HostClass::kLoopback:
    case HostClass::kPrivateAddress:
    case HostClass::kLocalName:
      return {};
    case HostClass::kOtherName:
      if (allow_insecure_names) return {};
      break;
    case HostClass::kPublicAddress:
      break;
  }
  return make_error("CONFIG_INVALID",
                    "SECURITY ERROR: refusing to speak plaintext ws:// to " + endpoint.host +
                        "; tokens and commands would cross the network in the clear",
                    "hostclaw node run --tls --host " + endpoint.host + " ...");
}

}  // namespace hostclaw::gateway_proto
