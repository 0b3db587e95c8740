// SPDX-License-Identifier: Apache-2.0
#include "clawlink/push/push_target.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "clawlink/push/address_kind.h"

namespace hostclaw::clawlink {
namespace {

constexpr std::size_t kMostUrlBytes = 2048;
constexpr std::size_t kMostHostBytes = 253;

struct HostAndPort {
  std::string host;
  std::optional<std::uint16_t> port;
  std::optional<boost::asio::ip::address> address;
};

bool is_host_sign(char c) {
  return is_ascii_letter(c) || is_ascii_digit(c) || c == '-' || c == '.' || c == '_';
}

// "host", "host:8443", "[::1]:8443".
std::optional<HostAndPort> read_host_and_port(std::string_view text) {
  HostAndPort out;
  const bool bracketed = text.starts_with('[');
  const std::size_t end = bracketed ? text.find(']') : text.rfind(':');
  if (bracketed && end == std::string_view::npos) return std::nullopt;
  std::string_view host = bracketed ? text.substr(1, end - 1) : text.substr(0, end);
  std::string_view rest;
  if (end != std::string_view::npos) rest = text.substr(bracketed ? end + 1 : end);
  if (!rest.empty()) {
    std::uint16_t port = 0;
    const char* const last = rest.data() + rest.size();
    const auto [read, failed] = std::from_chars(rest.data() + 1, last, port);
    if (rest.front() != ':' || failed != std::errc() || read != last || port == 0) return std::nullopt;
    out.port = port;
  }
  if (!bracketed && host.ends_with('.')) host.remove_suffix(1);
  if (host.empty() || host.size() > kMostHostBytes) return std::nullopt;
  boost::system::error_code failed;
  const auto address = boost::asio::ip::make_address(std::string(host), failed);
  if (!failed) out.address = address;
  if (bracketed != (out.address && out.address->is_v6())) return std::nullopt;
  if (!bracketed && !std::all_of(host.begin(), host.end(), is_host_sign)) return std::nullopt;
  out.host = out.address ? out.address->to_string() : to_lower_ascii(host);
  return out;
}

Error invalid_url(const std::string& why) {
  return make_error("PUSH_URL_INVALID", "a push notification goes to a URL like https://HOST/PATH: " + why);
}

const PushException* exception_for(const PushRules& rules, const PushUrl& url) {
  for (const PushException& one : rules.exceptions) {
    const bool same = one.host == url.host && (one.port == 0 || one.port == url.port);
    if (same && (url.tls || one.plain)) return &one;
  }
  return nullptr;
}

std::string owners_command(const PushUrl& url) {
  return "hostclaw clawlink serve --push-to " + std::string(url.tls ? "" : "http://") + url.where();
}

Error address_refused(const PushUrl& url, AddressKind kind) {
  return make_error("PUSH_ADDRESS_REFUSED",
                    url.host + " is " + std::string(to_string(kind)) +
                        ", where push notifications do not go unless the relay's owner lists it",
                    owners_command(url));
}

bool is_loopback_host(std::string_view host) { return host == "localhost" || host.ends_with(".localhost"); }

}  // namespace

std::string PushUrl::where() const {
  const bool six = address && address->is_v6();
  return (six ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<PushUrl> read_push_url(std::string_view url) {
  if (url.empty() || url.size() > kMostUrlBytes) return invalid_url("it has 1 to 2048 characters");
  if (!std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < 0x7F && c != '\\'; }))
    return invalid_url("it holds visible characters of ASCII alone");
  PushUrl out;
  const std::string scheme = to_lower_ascii(url.substr(0, url.find(':')));
  if (!is_one_of(scheme, {"http", "https"}) || !url.substr(scheme.size()).starts_with("://"))
    return invalid_url("it is absolute, and of https");
  out.tls = scheme == "https";
  url.remove_prefix(scheme.size() + 3);
  const std::size_t end = url.find_first_of("/?#");
  const std::string_view authority = url.substr(0, end);
  const std::string_view target = end == std::string_view::npos ? std::string_view() : url.substr(end);
  if (authority.find('@') != std::string_view::npos)
    return invalid_url("it names no account; credentials belong into `authentication`");
  if (target.find('#') != std::string_view::npos) return invalid_url("it has no fragment");
  const std::optional<HostAndPort> host = read_host_and_port(authority);
  if (!host) return invalid_url("its host or port is none");
  out.host = host->host;
  out.address = host->address;
  out.port = host->port.value_or(out.tls ? 443 : 80);
  out.authority = std::string(authority);
  out.target = (target.starts_with('/') ? "" : "/") + std::string(target);
  return out;
}

Result<PushException> read_push_exception(std::string_view text) {
  PushException out;
  constexpr std::string_view kPlain = "http://";
  out.plain = text.starts_with(kPlain);
  const std::optional<HostAndPort> host = read_host_and_port(text.substr(out.plain ? kPlain.size() : 0));
  if (!host)
    return make_error("CONFIG_INVALID",
                      "--push-to takes [http://]HOST[:PORT], not `" + std::string(text) + "`",
                      "hostclaw clawlink serve --push-to hooks.internal:8443");
  out.host = host->host;
  out.port = host->port.value_or(0);
  return out;
}

Result<void> check_push_url(const PushRules& rules, const PushUrl& url) {
  if (exception_for(rules, url) != nullptr) return {};
  if (!url.tls)
    return make_error("PUSH_PLAIN_REFUSED",
                      "push notifications go by https unless the relay's owner lists the host with http://",
                      owners_command(url));
  if (is_loopback_host(url.host)) return address_refused(url, AddressKind::kLoopback);
  if (!url.address) return {};
  const AddressKind kind = kind_of(*url.address);
  if (kind != AddressKind::kPublic) return address_refused(url, kind);
  return {};
}

Result<std::vector<boost::asio::ip::address>> check_push_addresses(
    const PushRules& rules, const PushUrl& url, const std::vector<boost::asio::ip::address>& addresses) {
  if (Result<void> may = check_push_url(rules, url); !may) return may.error();
  if (exception_for(rules, url) != nullptr) return addresses;
  std::vector<boost::asio::ip::address> allowed;
  AddressKind refused = AddressKind::kUnspecified;
  for (const auto& address : addresses) {
    const AddressKind kind = kind_of(address);
    if (kind == AddressKind::kPublic) {
      allowed.push_back(address);
    } else {
      refused = kind;
    }
  }
  if (allowed.empty()) return address_refused(url, refused);
  return allowed;
}

bool is_header_text(std::string_view text) {
  if (text.empty() || text.front() == ' ' || text.back() == ' ') return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7F; });
}

}  // namespace hostclaw::clawlink
