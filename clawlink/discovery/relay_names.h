// SPDX-License-Identifier: Apache-2.0
// What a relay says of itself by mDNS, and what is made of what others say. Everybody on the network may
// announce what he likes: what is read here is text that a terminal can show, bounded in number and length,
// and an address that a client may be sent to. It proves nothing about who announced it.
//
// Pure functions and values, safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hostclaw::clawlink {

inline constexpr const char* kServiceType = "_clawlink._tcp";
inline constexpr std::size_t kMostFoundRelays = 64;
inline constexpr std::size_t kMostTxtRecords = 64;

// ---- what is announced ----

struct AnnouncedRelay {
  std::string hostname;
  std::string version;
  std::string address;  // that it listens on, never a loopback one
  std::uint16_t port = 0;
  bool needs_token = false;
  bool tls = false;
};

// "ClawLink Relay (HOSTNAME)"; of a long host name its beginning, so that it is a label of DNS (63 bytes).
std::string instance_name(std::string_view hostname);
// "key=value", each at most 255 bytes. No secret is among them.
std::vector<std::string> txt_records(const AnnouncedRelay& relay);

// ---- what is found ----

// As it came from the network.
struct Sighting {
  std::string name;     // of the instance
  std::string host;     // that the service is on: "box.local"
  std::string address;  // one of that host's
  std::uint16_t port = 0;
  std::vector<std::string> txt;
  bool this_machine = false;  // announced by this machine itself
};

// Every text of it is UTF-8 of one line, shortened, and shows what a terminal would obey as \u{1b}.
struct FoundRelay {
  std::string name;
  std::string hostname;
  std::string version;
  std::string address;
  std::string url;  // scheme, host and port; with TLS by name, as a certificate has it
  std::uint16_t port = 0;
  bool needs_token = false;
  bool tls = false;
  bool this_machine = false;
};

// nullopt: no client could use it, or should: without a port, at a loopback address of another machine, ...
std::optional<FoundRelay> read_sighting(const Sighting& sighting);

// The relays of a search, each once, however many ways to it were seen; at most kMostFoundRelays.
class FoundRelays {
 public:
  void add(const Sighting& sighting);
  void more_exist() { more_ = true; }
  const std::vector<FoundRelay>& relays() const { return relays_; }
  bool more() const { return more_; }  // than are listed

 private:
  std::vector<FoundRelay> relays_;
  bool more_ = false;
};

// ---- whether a client uses what it found ----

enum class RelayUse {
  kLooks,  // asks what is there
  kTrusts  // registers, or takes what it gets for its own side's
};

// The relay of a client that was told of none. nullopt: nothing was found. RELAY_NOT_NAMED, with what was
// found: a token is never shown to one, nobody registers with one, and of several none is preferred.
Result<std::optional<std::string>> choose_relay(const FoundRelays& found, RelayUse use, bool has_token);

}  // namespace hostclaw::clawlink
