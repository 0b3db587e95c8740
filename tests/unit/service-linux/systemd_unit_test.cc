// SPDX-License-Identifier: Apache-2.0
#include "service-linux/systemd_unit.h"

#include <catch2/catch.hpp>

#include "service-linux/accounts.h"

namespace hostclaw::service_linux {
namespace {

using node_host::ServiceScope;

UnitPlan plan_of(ServiceScope scope) {
  UnitPlan plan;
  plan.scope = scope;
  plan.program_arguments = {"/usr/bin/hostclaw", "node", "run", "--display-name",
                            "build box 100% \"$HOME\" \\ 1"};
  plan.account = "hostclaw";
  plan.own_account = true;
  plan.groups = {"docker", "video"};
  plan.state_directory = "/var/lib/hostclaw";
  plan.standard_state = scope == ServiceScope::kSystem;
  plan.environment = {{"PATH", "/usr/bin"}, {"NODE_EXTRA_CA_CERTS", "/etc/my ca/100%.pem"}};
  plan.credentials = {{"gateway-token", "/etc/hostclaw/credentials/gateway-token"}};
  plan.systemd_version = 252;
  return plan;
}

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE(
    "the unit of a profile has a name and a state directory of its own, so that two stand side by side") {
  CHECK(unit_name() == "hostclaw.service");
  use_profile("work");
  CHECK(unit_name() == "hostclaw-work.service");
  CHECK(system_state() == "/var/lib/hostclaw-work");
  CHECK(own_account() == "hostclaw-work");
  UnitPlan plan = plan_of(ServiceScope::kSystem);
  plan.state_directory = system_state();
  use_profile("");
  CHECK(has_line(render_unit(plan), "StateDirectory=hostclaw-work hostclaw-work/home"));
  CHECK(has_line(render_unit(plan_of(ServiceScope::kSystem)), "StateDirectory=hostclaw hostclaw/home"));
}

TEST_CASE("what a unit says is read back as it was meant") {
  const UnitPlan plan = plan_of(ServiceScope::kSystem);
  const UnitFacts facts = read_unit(render_unit(plan));
  CHECK(facts.ours);
  CHECK(facts.program_arguments == plan.program_arguments);
  CHECK(facts.account == "hostclaw");
  CHECK(facts.groups == plan.groups);
  CHECK(facts.state_directory == "/var/lib/hostclaw");
  REQUIRE(facts.environment.size() == 3);
  CHECK(facts.environment[2] == plan.environment[1]);
}

TEST_CASE("words with bytes that systemd would expand stay one word") {
  for (const std::string word : {"", "a b", "%n", "$HOME", "${X}", "tab\there", "line\nbreak", "quote\"'",
                                 "\\x41", "\xC3\xA9", "-v", ";", "#"}) {
    INFO(word);
    UnitPlan plan = plan_of(ServiceScope::kUser);
    plan.program_arguments = {"/bin/x", word, "end"};
    CHECK(read_unit(render_unit(plan)).program_arguments == plan.program_arguments);
  }
}

TEST_CASE("a unit without our marker is not ours") {
  CHECK_FALSE(read_unit("[Service]\nExecStart=/usr/bin/hostclaw node run\n").ours);
  CHECK_FALSE(read_unit("").ours);
}

TEST_CASE("a unit never starts again on a configuration error and always otherwise") {
  const std::string text = render_unit(plan_of(ServiceScope::kSystem));
  CHECK(has_line(text, "Type=notify"));
  CHECK(has_line(text, "Restart=always"));
  CHECK(has_line(text, "RestartPreventExitStatus=78"));
  CHECK(has_line(text, "StartLimitIntervalSec=0"));
  CHECK(has_line(text, "WatchdogSec=120"));
}

TEST_CASE("the delay between starts grows where systemd can do that") {
  UnitPlan plan = plan_of(ServiceScope::kSystem);
  CHECK(has_line(render_unit(plan), "RestartSec=5"));
  CHECK(render_unit(plan).find("RestartSteps") == std::string::npos);
  plan.systemd_version = 254;
  CHECK(has_line(render_unit(plan), "RestartSteps=8"));
  CHECK(has_line(render_unit(plan), "RestartMaxDelaySec=60"));
}

TEST_CASE("an account of its own is confined, a person's account keeps what it can do") {
  UnitPlan plan = plan_of(ServiceScope::kSystem);
  CHECK(has_line(render_unit(plan), "NoNewPrivileges=yes"));
  plan.own_account = false;
  CHECK(render_unit(plan).find("NoNewPrivileges") == std::string::npos);
}

TEST_CASE("the control group is delegated, and nothing makes it read-only") {
  for (const ServiceScope scope : {ServiceScope::kSystem, ServiceScope::kUser}) {
    const std::string text = render_unit(plan_of(scope));
    CHECK(has_line(text, "Delegate=memory"));
    CHECK(text.find("ProtectControlGroups") == std::string::npos);
  }
}

TEST_CASE("a user's unit names no account and waits for no network") {
  const std::string text = render_unit(plan_of(ServiceScope::kUser));
  CHECK(text.find("User=") == std::string::npos);
  CHECK(text.find("Wants=network-online.target") == std::string::npos);
  CHECK(has_line(text, "WantedBy=default.target"));
}

TEST_CASE("a unit names the file of a secret and never holds one") {
  const std::string text = render_unit(plan_of(ServiceScope::kSystem));
  CHECK(has_line(text, "LoadCredential=gateway-token:/etc/hostclaw/credentials/gateway-token"));
  CHECK(text.find("OPENCLAW_GATEWAY_TOKEN") == std::string::npos);
}

namespace {

RelayUnitPlan relay_plan_of(ServiceScope scope) {
  RelayUnitPlan plan;
  plan.scope = scope;
  plan.program_arguments = {"/usr/bin/hostclaw", "clawlink", "serve", "--public-url", "https://a/100%$X"};
  plan.account = "hostclaw";
  plan.state_directory =
      scope == ServiceScope::kSystem ? "/var/lib/hostclaw" : "/home/a b/.local/state/hostclaw";
  plan.standard_state = scope == ServiceScope::kSystem;
  plan.token_file = "/etc/hostclaw/clawlink/100%";
  plan.systemd_version = 252;
  return plan;
}

}  // namespace

TEST_CASE("the relay's unit is known as the relay's, and is read back as it was meant") {
  const RelayUnitPlan plan = relay_plan_of(ServiceScope::kSystem);
  const UnitFacts facts = read_unit(render_relay_unit(plan));
  CHECK(facts.of_relay);
  CHECK_FALSE(facts.ours);
  CHECK_FALSE(read_unit(render_unit(plan_of(ServiceScope::kSystem))).of_relay);
  CHECK(facts.program_arguments == plan.program_arguments);
  CHECK(facts.account == "hostclaw");
  CHECK(facts.state_directory == "/var/lib/hostclaw");
  REQUIRE(facts.credentials.size() == 1);
  CHECK(facts.credentials[0].first == "clawlink-token");
  CHECK(facts.credentials[0].second == plan.token_file);
  CHECK(relay_unit_name() == "hostclaw-clawlink.service");
}

TEST_CASE("the relay's unit names the file of its token, or none") {
  RelayUnitPlan plan = relay_plan_of(ServiceScope::kSystem);
  CHECK(has_line(render_relay_unit(plan), "LoadCredential=clawlink-token:/etc/hostclaw/clawlink/100%%"));
  plan.token_file.clear();
  CHECK(render_relay_unit(plan).find("LoadCredential") == std::string::npos);
}

TEST_CASE("the relay's unit starts again always, but not on a configuration error") {
  const std::string text = render_relay_unit(relay_plan_of(ServiceScope::kUser));
  CHECK(has_line(text, "Type=notify"));
  CHECK(has_line(text, "Restart=always"));
  CHECK(has_line(text, "RestartPreventExitStatus=78"));
}

TEST_CASE("the relay runs no commands, so it is closed in on what it needs") {
  RelayUnitPlan plan = relay_plan_of(ServiceScope::kSystem);
  const std::string text = render_relay_unit(plan);
  for (const char* line :
       {"NoNewPrivileges=yes", "CapabilityBoundingSet=", "AmbientCapabilities=", "ProtectSystem=strict",
        "ProtectHome=read-only", "PrivateTmp=yes", "PrivateDevices=yes", "ProtectKernelTunables=yes",
        "ProtectControlGroups=yes", "RestrictSUIDSGID=yes", "RestrictNamespaces=yes", "LockPersonality=yes",
        "MemoryDenyWriteExecute=yes", "SystemCallFilter=@system-service", "UMask=0077",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX"}) {
    INFO(line);
    CHECK(has_line(text, line));
  }
  CHECK(text.find("ReadWritePaths") == std::string::npos);
  plan.standard_state = false;
  plan.state_directory = "/srv/relay 1";
  CHECK(has_line(render_relay_unit(plan), "ReadWritePaths=\"/srv/relay 1\""));
}

TEST_CASE("a user's relay asks for nothing that needs a namespace, and names no account") {
  const std::string text = render_relay_unit(relay_plan_of(ServiceScope::kUser));
  for (const char* name : {"User=", "ProtectSystem", "ProtectHome", "PrivateTmp", "CapabilityBoundingSet"}) {
    INFO(name);
    CHECK(text.find(name) == std::string::npos);
  }
  CHECK(has_line(text, "NoNewPrivileges=yes"));
  CHECK(has_line(text, "SystemCallFilter=@system-service"));
  CHECK(has_line(text, "WantedBy=default.target"));
}

}  // namespace hostclaw::service_linux
