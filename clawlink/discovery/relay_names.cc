// SPDX-License-Identifier: Apache-2.0
#include "clawlink/discovery/relay_names.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>

#include "base/text.h"
#include "base/utf8.h"

namespace hostclaw::clawlink {
namespace {

constexpr std::size_t kMostLabelBytes = 63;
constexpr std::size_t kMostTxtBytes = 255;
constexpr std::size_t kMostHostBytes = 253;
constexpr std::size_t kMostVersionBytes = 32;
constexpr std::size_t kMostNamedInError = 3;

std::string first_bytes(std::string_view text, std::size_t most_bytes) {
  return std::string(utf8_prefix(text, most_bytes));
}

// Shortened first: what is shown of one byte may be six.
std::string shown_text(std::string_view text, std::size_t most_bytes) {
  return show_unseen(first_bytes(to_valid_utf8(text.substr(0, most_bytes)), most_bytes));
}

// The value of the first record with this key; keys are compared without their case (RFC 6763, 6.4).
std::string txt_value(const std::vector<std::string>& records, std::string_view key) {
  const std::size_t count = std::min(records.size(), kMostTxtRecords);
  for (std::size_t at = 0; at < count; ++at) {
    const std::string& record = records[at];
    const std::size_t equals = std::min(record.find('='), record.size());
    if (to_lower_ascii(std::string_view(record).substr(0, equals)) != key) continue;
    return equals == record.size() ? std::string() : record.substr(equals + 1);
  }
  return {};
}

bool says_yes(const std::vector<std::string>& records, std::string_view key) {
  return to_lower_ascii(txt_value(records, key)) == "yes";
}

// A name that may stand in a URL and in a command that somebody pastes, and that is no address.
bool is_plain_host(std::string_view host) {
  if (host.empty() || host.size() > kMostHostBytes || host.starts_with('-')) return false;
  const std::string lower = to_lower_ascii(host);
  if (lower == "localhost" || lower.ends_with(".localhost")) return false;
  const std::string_view last = std::string_view(lower).substr(lower.rfind('.') + 1);
  return std::any_of(last.begin(), last.end(), is_ascii_letter) && !last.starts_with("0x") &&
         std::all_of(host.begin(), host.end(),
                     [](char c) { return is_ascii_letter(c) || is_ascii_digit(c) || c == '-' || c == '.'; });
}

// As a URL has it; empty when a client should not be sent there.
std::string usable_address(const Sighting& sighting) {
  boost::system::error_code failed;
  const auto address = boost::asio::ip::make_address(sighting.address, failed);
  if (failed || address.is_unspecified() || address.is_multicast()) return {};
  if (address.is_loopback() && !sighting.this_machine) return {};
  if (address.is_v4())
    return address.to_v4() == boost::asio::ip::address_v4::broadcast() ? std::string() : address.to_string();
  // One of a link needs the link's name, which a URL has no place for.
  if (address.to_v6().is_link_local() || address.to_v6().is_v4_mapped()) return {};
  return address.to_string();
}

std::string url_of(const FoundRelay& relay, const std::string& host) {
  const bool by_name = relay.tls && !host.empty();
  const bool six = !by_name && relay.address.find(':') != std::string::npos;
  return std::string(relay.tls ? "https://" : "http://") + (six ? "[" : "") +
         (by_name ? host : relay.address) + (six ? "]" : "") + ":" + std::to_string(relay.port);
}

bool is_same_relay(const FoundRelay& left, const FoundRelay& right) {
  return left.name == right.name && left.port == right.port && left.hostname == right.hostname &&
         left.tls == right.tls;
}

bool is_better_address(const std::string& left, const std::string& right) {
  return left.find(':') == std::string::npos && right.find(':') != std::string::npos;
}

std::string list_of(const FoundRelays& found) {
  std::vector<std::string> parts;
  for (const FoundRelay& relay : found.relays()) {
    if (parts.size() == kMostNamedInError) {
      parts.emplace_back("...");
      break;
    }
    parts.push_back(relay.url + " (" + relay.name + ")");
  }
  return join(parts, ", ");
}

}  // namespace

std::string instance_name(std::string_view hostname) {
  constexpr std::string_view kBefore = "ClawLink Relay (";
  return std::string(kBefore) + first_bytes(to_valid_utf8(hostname), kMostLabelBytes - kBefore.size() - 1) +
         ")";
}

std::vector<std::string> txt_records(const AnnouncedRelay& relay) {
  std::vector<std::string> records{"version=" + relay.version, "hostname=" + to_valid_utf8(relay.hostname),
                                   std::string("auth=") + (relay.needs_token ? "yes" : "no"),
                                   std::string("tls=") + (relay.tls ? "yes" : "no")};
  for (std::string& record : records) record = first_bytes(record, kMostTxtBytes);
  return records;
}

std::optional<FoundRelay> read_sighting(const Sighting& sighting) {
  FoundRelay relay;
  relay.address = usable_address(sighting);
  if (sighting.port == 0 || relay.address.empty()) return std::nullopt;
  relay.name = shown_text(sighting.name, kMostLabelBytes);
  std::string host = sighting.host;
  while (host.ends_with('.')) host.pop_back();
  if (!is_plain_host(host)) host.clear();
  relay.hostname = shown_text(txt_value(sighting.txt, "hostname"), kMostLabelBytes);
  if (relay.hostname.empty()) relay.hostname = host;
  relay.version = shown_text(txt_value(sighting.txt, "version"), kMostVersionBytes);
  relay.port = sighting.port;
  relay.needs_token = says_yes(sighting.txt, "auth");
  relay.tls = says_yes(sighting.txt, "tls");
  relay.this_machine = sighting.this_machine;
  relay.url = url_of(relay, host);
  return relay;
}

void FoundRelays::add(const Sighting& sighting) {
  const std::optional<FoundRelay> relay = read_sighting(sighting);
  if (!relay) return;
  const auto known = std::find_if(relays_.begin(), relays_.end(),
                                  [&relay](const FoundRelay& other) { return is_same_relay(other, *relay); });
  if (known != relays_.end()) {
    if (is_better_address(relay->address, known->address)) *known = *relay;
  } else if (relays_.size() < kMostFoundRelays) {
    relays_.push_back(*relay);
  } else {
    more_ = true;
  }
}

Result<std::optional<std::string>> choose_relay(const FoundRelays& found, RelayUse use, bool has_token) {
  if (found.relays().empty()) return std::optional<std::string>();
  const FoundRelay& first = found.relays().front();
  const bool several = found.relays().size() > 1 || found.more();
  const std::string sentence =
      (several ? "relays announce themselves here by mDNS, but nobody vouches for them: "
               : "a relay announces itself here by mDNS, but nobody vouches for it: ") +
      list_of(found);
  if (several) return make_error("RELAY_NOT_NAMED", sentence, "hostclaw clawlink --relay URL ...");
  const std::string command = "hostclaw clawlink --relay " + first.url + " ...";
  if (first.needs_token)
    return make_error("RELAY_NOT_NAMED",
                      sentence + "; it wants a token, which is shown only to a relay that was named",
                      "CLAWLINK_TOKEN=... " + command);
  if (has_token)
    return make_error("RELAY_NOT_NAMED", sentence + "; a token is shown only to a relay that was named",
                      command);
  if (use == RelayUse::kTrusts)
    return make_error("RELAY_NOT_NAMED", sentence + "; name it to rely on it", command);
  return std::optional<std::string>(first.url);
}

}  // namespace hostclaw::clawlink
