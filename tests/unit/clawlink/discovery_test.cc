// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "base/utf8.h"
#include "clawlink/discovery/relay_names.h"

namespace hostclaw::clawlink {
namespace {

using Records = std::vector<std::string>;

Sighting seen(const std::string& name = "ClawLink Relay (box)") {
  return {name, "box.local", "192.168.7.5", 9077, {"version=1.0.2", "hostname=box", "auth=no"}, false};
}

FoundRelays of(const std::vector<Sighting>& sightings) {
  FoundRelays found;
  for (const Sighting& sighting : sightings) found.add(sighting);
  return found;
}

Sighting at(const std::string& address, bool this_machine = false) {
  Sighting sighting = seen();
  sighting.address = address;
  sighting.this_machine = this_machine;
  return sighting;
}

Sighting protected_relay() {
  Sighting sighting = seen();
  sighting.txt = {"auth=yes", "tls=yes"};
  return sighting;
}

}  // namespace

TEST_CASE("a relay is announced under the original's name, which fits into a label of DNS") {
  CHECK(instance_name("box") == "ClawLink Relay (box)");
  const std::string of_long = instance_name(std::string(200, 'a'));
  CHECK(of_long.size() == 63);
  CHECK(of_long.ends_with("a)"));
  // Never half a character.
  std::string umlauts;
  for (int i = 0; i < 60; ++i) umlauts += "\xC3\xBC";
  const std::string cut = instance_name("a" + umlauts);
  CHECK(cut.size() <= 63);
  CHECK(is_valid_utf8(cut));
  CHECK(is_valid_utf8(instance_name("\xFF\xFE")));
}

TEST_CASE("what is announced are the original's records and whether TLS is spoken") {
  CHECK(txt_records({"box", "0.1.0", "0.0.0.0", 9077, true, false}) ==
        Records{"version=0.1.0", "hostname=box", "auth=yes", "tls=no"});
  CHECK(txt_records({"box", "0.1.0", "::", 9077, false, true}) ==
        Records{"version=0.1.0", "hostname=box", "auth=no", "tls=yes"});
  for (const std::string& record :
       txt_records({std::string(900, 'x'), std::string(900, '1'), "::", 1, true, true}))
    CHECK(record.size() <= 255);
}

TEST_CASE("a relay of the original is read, and one that says nothing of itself") {
  const auto relay = read_sighting(seen());
  REQUIRE(relay);
  CHECK(relay->url == "http://192.168.7.5:9077");
  CHECK(relay->hostname == "box");
  CHECK(relay->version == "1.0.2");
  CHECK_FALSE(relay->needs_token);
  CHECK_FALSE(relay->tls);

  Sighting bare = seen();
  bare.txt = {};
  const auto unsaid = read_sighting(bare);
  REQUIRE(unsaid);
  CHECK(unsaid->hostname == "box.local");
  CHECK(unsaid->version.empty());
  CHECK_FALSE(unsaid->needs_token);
}

TEST_CASE("of records with one key the first counts, in whatever case, and only so many are read") {
  Sighting sighting = seen();
  sighting.txt = {"AUTH=Yes", "auth=no", "tls", "version", "=x", "", "hostname=a=b"};
  const auto relay = read_sighting(sighting);
  REQUIRE(relay);
  CHECK(relay->needs_token);
  CHECK_FALSE(relay->tls);
  CHECK(relay->version.empty());
  CHECK(relay->hostname == "a=b");

  sighting.txt.assign(kMostTxtRecords, "x=y");
  sighting.txt.emplace_back("auth=yes");
  CHECK_FALSE(read_sighting(sighting)->needs_token);
}

TEST_CASE("with TLS a relay is named as a certificate names it, and only by a name that is one") {
  CHECK(read_sighting(protected_relay())->url == "https://box.local:9077");
  for (const char* host : {"", "localhost", "a.LOCALHOST", "127.0.0.1", "0x7f.1", "0x7f000001", "a b",
                           "x;reboot", "-x.local", "b\xC3\xBCx.local", "x@y.local", "x/y"}) {
    CAPTURE(host);
    Sighting sighting = protected_relay();
    sighting.host = host;
    CHECK(read_sighting(sighting)->url == "https://192.168.7.5:9077");
  }
  Sighting dotted = protected_relay();
  dotted.host = "box.local.";
  CHECK(read_sighting(dotted)->url == "https://box.local:9077");
}

TEST_CASE("no announcement sends a client to its own machine, to everybody or nowhere") {
  for (const char* address :
       {"127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "224.0.0.251", "ff02::fb", "255.255.255.255",
        "::ffff:127.0.0.1", "fe80::1", "", "box.local", "1.2.3.4; id"}) {
    CAPTURE(address);
    CHECK_FALSE(read_sighting(at(address)));
  }
  CHECK(read_sighting(at("127.0.0.1", true))->this_machine);
  CHECK(read_sighting(at("10.0.0.1")));
  CHECK(read_sighting(at("2001:db8::5"))->url == "http://[2001:db8::5]:9077");
  Sighting nowhere = seen();
  nowhere.port = 0;
  CHECK_FALSE(read_sighting(nowhere));
}

TEST_CASE("what a peer announces is one short line that a terminal can show") {
  Sighting sighting = seen(
      "a\x1B]0;b\x07\n\xE2\x80\xAE"
      "c\xFF");
  sighting.txt = {"version=\x1B[2J", "hostname=\r\nerror: x"};
  const auto relay = read_sighting(sighting);
  REQUIRE(relay);
  for (const std::string& text : {relay->name, relay->version, relay->hostname}) {
    CAPTURE(text);
    CHECK(is_valid_utf8(text));
    CHECK(text.find_first_of("\x1B\x07\r\n") == std::string::npos);
    CHECK(text == show_unseen(text));
  }
  CHECK(relay->version == "\\u{1b}[2J");

  Sighting huge = seen(std::string(100'000, 'n'));
  huge.txt = {"version=" + std::string(100'000, '1'), "hostname=" + std::string(100'000, 'h')};
  const auto cut = read_sighting(huge);
  REQUIRE(cut);
  CHECK(cut->name.size() == 63);
  CHECK(cut->version.size() == 32);
  CHECK(cut->hostname.size() == 63);
}

TEST_CASE("a relay that is seen on several ways is listed once, by the address that every client reaches") {
  const FoundRelays found = of({at("2001:db8::5"), at("192.168.7.5"), at("2001:db8::6")});
  REQUIRE(found.relays().size() == 1);
  CHECK(found.relays()[0].address == "192.168.7.5");
  Sighting other = seen();
  other.port = 9078;
  CHECK(of({seen(), other, seen("another")}).relays().size() == 3);
}

TEST_CASE("however many announce themselves, so many are kept, and it is said that there are more") {
  FoundRelays found;
  for (std::size_t i = 0; i < kMostFoundRelays; ++i) found.add(seen("relay " + std::to_string(i)));
  CHECK_FALSE(found.more());
  found.add(seen("relay 0"));
  CHECK_FALSE(found.more());
  found.add(seen("one more"));
  CHECK(found.more());
  CHECK(found.relays().size() == kMostFoundRelays);
}

TEST_CASE("the one relay that was found is asked when nothing is shown to it and nothing relied on") {
  const auto none = choose_relay({}, RelayUse::kTrusts, true);
  REQUIRE(none.has_value());
  CHECK_FALSE(none->has_value());
  const auto asked = choose_relay(of({seen()}), RelayUse::kLooks, false);
  REQUIRE(asked.has_value());
  CHECK(asked->value() == "http://192.168.7.5:9077");
}

TEST_CASE("a relay that was only found gets no token, no agent, and no client that takes its files") {
  const auto refused = [](const FoundRelays& found, RelayUse use, bool token) {
    const auto chosen = choose_relay(found, use, token);
    REQUIRE_FALSE(chosen.has_value());
    CHECK(chosen.error().code == "RELAY_NOT_NAMED");
    CHECK(chosen.error().message.find("192.168.7.5:9077") != std::string::npos);
    return chosen.error().next;
  };
  const FoundRelays one = of({seen()});
  const std::string command = "hostclaw clawlink --relay http://192.168.7.5:9077 ...";
  CHECK(refused(one, RelayUse::kLooks, true) == command);
  CHECK(refused(one, RelayUse::kTrusts, true) == command);
  CHECK(refused(one, RelayUse::kTrusts, false) == command);
  Sighting by_address = protected_relay();
  by_address.host.clear();
  for (const bool token : {true, false})
    CHECK(refused(of({by_address}), RelayUse::kLooks, token) ==
          "CLAWLINK_TOKEN=... hostclaw clawlink --relay https://192.168.7.5:9077 ...");
  // Whoever announces a second one does not choose.
  CHECK(refused(of({seen(), seen("another")}), RelayUse::kLooks, false) ==
        "hostclaw clawlink --relay URL ...");
}

TEST_CASE("a refusal names a few of those that were found, however many and long they are") {
  FoundRelays found;
  for (int i = 0; i < 200; ++i) found.add(seen(std::to_string(i) + std::string(500, '\x1B')));
  const auto chosen = choose_relay(found, RelayUse::kLooks, false);
  REQUIRE_FALSE(chosen.has_value());
  CHECK(chosen.error().message.size() < 2000);
  CHECK(chosen.error().message.find('\x1B') == std::string::npos);
}

}  // namespace hostclaw::clawlink
