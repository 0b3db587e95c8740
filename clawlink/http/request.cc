// SPDX-License-Identifier: Apache-2.0
#include "clawlink/http/request.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <charconv>

#include "base/text.h"

namespace hostclaw::clawlink {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decoded(std::string_view text, bool plus_is_space) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_value(text[i + 2]) : -1;
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

}  // namespace

void read_target(std::string_view target, HttpRequest& request) {
  request.target = std::string(target);
  const std::size_t mark = target.find('?');
  std::string_view path = target.substr(0, mark);
  if (path.starts_with('/')) path.remove_prefix(1);
  if (!path.empty()) {
    for (const std::string& segment : split(path, '/'))
      request.path.push_back(percent_decoded(segment, false));
  }
  if (mark == std::string_view::npos) return;
  for (const std::string& pair : split(target.substr(mark + 1), '&')) {
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    std::string name = percent_decoded(std::string_view(pair).substr(0, equals), true);
    std::string value =
        equals == std::string::npos ? "" : percent_decoded(std::string_view(pair).substr(equals + 1), true);
    request.query.emplace(std::move(name), std::move(value));
  }
}

std::optional<std::int64_t> query_number(const HttpRequest& request, const std::string& name,
                                         std::int64_t least, std::int64_t most, std::int64_t otherwise) {
  const auto found = request.query.find(name);
  if (found == request.query.end()) return otherwise;
  const std::string& text = found->second;
  std::int64_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end != text.data() + text.size() || value < least || value > most)
    return std::nullopt;
  return value;
}

std::optional<std::string> bearer_token(std::string_view authorization) {
  constexpr std::string_view kScheme = "Bearer ";
  if (!authorization.starts_with(kScheme)) return std::nullopt;
  return std::string(authorization.substr(kScheme.size()));
}

std::string host_of(std::string_view authority) {
  std::string_view rest;  // ":port"
  std::string_view host = authority;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return {};
    host = authority.substr(1, end - 1);
    rest = authority.substr(end + 1);
  } else if (const std::size_t colon = authority.find(':'); authority.rfind(':') == colon) {
    host = authority.substr(0, colon);
    if (colon != std::string_view::npos) rest = authority.substr(colon);
  }
  const auto is_port = [&rest] {
    return rest.front() == ':' && std::all_of(rest.begin() + 1, rest.end(), is_ascii_digit);
  };
  if (!rest.empty() && !is_port()) return {};
  return to_lower_ascii(host);
}

bool is_loopback_name(std::string_view host) {
  if (host == "localhost") return true;
  boost::system::error_code failed;
  const auto address = boost::asio::ip::make_address(std::string(host), failed);
  return !failed && address.is_loopback();
}

}  // namespace hostclaw::clawlink
