// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor_clawlink.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>

#include "approvals/platform/private_files.h"
#include "base/clock.h"
#include "base/file_names.h"
#include "base/text.h"
#include "clawlink/store/schema.h"
#include "cli/clawlink_probe.h"
#include "cli/relay_service.h"
#include "cli/this_system.h"

namespace hostclaw::cli {
namespace {

using ClawlinkResults = std::vector<CheckResult>;

constexpr std::int64_t kRelayClockMayDifferMs = 60'000;
constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kExpiresSoonMs = 14 * kDayMs;
constexpr std::uintmax_t kLittleSpace = 256 * 1024 * 1024;

// What is known of the relay of this state, from its service, else from its last start.
struct RelayFacts {
  std::string state_directory;
  RelaySettings settings;
  std::optional<RelayServiceLook> service;

  std::string restart() const {
    return service ? service->restart_command : "hostclaw clawlink serve " + join(serve_words(settings), " ");
  }
  // How other settings come into force.
  std::string with(const std::string& words) const {
    return std::string("hostclaw clawlink ") + (service ? "enable " : "serve ") + words;
  }
};

CheckResult answer_result(const RelayFacts& facts, const RelayAnswer& answer) {
  using Kind = RelayAnswer::Kind;
  const std::string where = for_terminal(facts.settings.url());
  switch (answer.kind) {
    case Kind::kRelay:
      return {"clawlink", "CLAWLINK_SERVED", CheckVerdict::kOk,
              answer.wants_token
                  ? "a relay answers at " + where + "; it says more to those with a token alone"
                  : "a relay, " + for_terminal(answer.version) + ", answers at " + where +
                        "; agents online: " + std::to_string(answer.agents_online),
              ""};
    case Kind::kOther:
      return {"clawlink", "CLAWLINK_OTHER", CheckVerdict::kFailure, where + ": " + answer.detail,
              facts.with("--port ANOTHER")};
    case Kind::kSilent:
      return {"clawlink", "CLAWLINK_SILENT", CheckVerdict::kFailure,
              "something listens at " + where + " and does not answer: " + for_terminal(answer.detail),
              facts.restart()};
    case Kind::kNobody:
      break;
  }
  const std::string nobody = "nobody answers at " + where + ": " + for_terminal(answer.detail);
  if (!facts.service)
    return {"clawlink", "CLAWLINK_STOPPED", CheckVerdict::kWarning,
            nobody + "; the relay was served there last", facts.restart()};
  const bool failed = facts.service->status == "failed" || facts.service->configuration_error;
  return {"clawlink", "CLAWLINK_NOT_SERVED", CheckVerdict::kFailure,
          nobody + "; its service is " + facts.service->status +
              (facts.service->configuration_error ? " (its configuration must change)" : ""),
          failed ? facts.service->log_command : facts.service->start_command};
}

CheckResult relay_clock_result(const RelayAnswer& answer) {
  if (!answer.clock_ahead_ms)
    return {"clawlink-clock", "CLAWLINK_CLOCK_UNKNOWN", CheckVerdict::kSkipped, "no relay has told its time",
            ""};
  const std::int64_t ahead = *answer.clock_ahead_ms;
  const std::int64_t apart = std::max(ahead, -ahead);
  if (apart <= kRelayClockMayDifferMs)
    return {"clawlink-clock", "CLAWLINK_CLOCK_OK", CheckVerdict::kOk,
            "the clocks differ by less than " + std::to_string(kRelayClockMayDifferMs / 1000) + " s", ""};
  return {"clawlink-clock", "CLAWLINK_CLOCK_OFF", CheckVerdict::kWarning,
          "this machine's clock is " + std::to_string(apart / 1000) + " s " +
              (ahead > 0 ? "ahead of" : "behind") +
              " the relay's; deadlines and leases end at the wrong time",
          "timedatectl status"};
}

// ---- the certificate

using AddResult = std::function<void(const char*, CheckVerdict, std::string, std::string)>;

void add_certificate_times(const AddResult& add, const RelayFacts& facts, const CertificateLook& look) {
  const std::string file = for_terminal(facts.settings.tls_certificate);
  const std::string renew = "put a new certificate there, then: " + facts.restart();
  const std::int64_t now = unix_ms_now();
  if (look.ends_ms <= now)
    return add("CLAWLINK_CERT_EXPIRED", CheckVerdict::kFailure,
               file + " has expired at " + format_time(look.ends_ms), renew);
  if (look.begins_ms > now)
    return add("CLAWLINK_CERT_EARLY", CheckVerdict::kFailure,
               file + " is not valid before " + format_time(look.begins_ms), "timedatectl status");
  if (look.ends_ms - now < kExpiresSoonMs)
    add("CLAWLINK_CERT_EXPIRES", CheckVerdict::kWarning,
        file + " expires at " + format_time(look.ends_ms) + ", in " +
            std::to_string((look.ends_ms - now) / kDayMs) + " days",
        renew);
}

void add_certificate(ClawlinkResults& out, const RelayFacts& facts, const RelayAnswer& answer) {
  const RelaySettings& settings = facts.settings;
  const AddResult add = [&out](const char* code, CheckVerdict verdict, std::string message,
                               std::string next) {
    out.push_back({"clawlink-cert", code, verdict, std::move(message), std::move(next)});
  };
  if (!settings.tls() && settings.only_this_machine())
    return add("CLAWLINK_TLS_NOT_NEEDED", CheckVerdict::kOk, "plain HTTP, and it does not leave this machine",
               "");
  if (!settings.tls())
    return add("CLAWLINK_INSECURE", CheckVerdict::kWarning,
               "--insecure: whoever is on the network reads and changes what is said on " +
                   for_terminal(settings.url()) + ", tokens too",
               facts.with("--host " + settings.host + " --tls-cert FILE --tls-key FILE"));
  const auto look = look_at_certificate(settings.tls_certificate);
  if (!look)
    return add("CLAWLINK_CERT_UNREADABLE", CheckVerdict::kFailure,
               look.error().message + "; the relay does not start again",
               facts.with("--tls-cert FILE --tls-key FILE"));
  const std::size_t before = out.size();
  add_certificate_times(add, facts, *look);
  if (const auto key = check_key_of(settings.tls_certificate, settings.tls_key); !key)
    add("CLAWLINK_KEY_UNREADABLE", CheckVerdict::kFailure,
        key.error().message + "; the relay does not start again",
        facts.with("--tls-cert FILE --tls-key FILE"));
  if (everybody_may_read(settings.tls_key))
    add("CLAWLINK_KEY_OPEN", CheckVerdict::kFailure,
        "every account of this machine may read the key " + for_terminal(settings.tls_key),
        "chmod o= " + approvals::shell_word(settings.tls_key));
  if (!answer.certificate_sha256.empty() && answer.certificate_sha256 != look->sha256)
    add("CLAWLINK_CERT_OLD", CheckVerdict::kWarning,
        "the relay still shows another certificate than the one in " + for_terminal(settings.tls_certificate),
        facts.restart());
  if (out.size() == before)
    add("CLAWLINK_CERT_OK", CheckVerdict::kOk, "valid until " + format_time(look->ends_ms) + ", with its key",
        "");
}

// ---- the token

CheckResult token_result(const RelayFacts& facts) {
  const RelaySettings& settings = facts.settings;
  const std::string path = for_terminal(settings.token_file);
  const auto result = [](const char* code, CheckVerdict verdict, std::string message, std::string next = {}) {
    return CheckResult{"clawlink-token", code, verdict, std::move(message), std::move(next)};
  };
  const bool in_file = (settings.token_source == TokenSource::kFile && settings.token_file != "-") ||
                       (settings.token_source == TokenSource::kService && !settings.token_file.empty());
  if (in_file && everybody_may_read(settings.token_file))
    return result("CLAWLINK_TOKEN_OPEN", CheckVerdict::kFailure,
                  "every account of this machine may read the token in " + path,
                  "chmod o= " + approvals::shell_word(settings.token_file));
  switch (settings.token_source) {
    case TokenSource::kNone:
      return result("CLAWLINK_TOKEN_NONE", CheckVerdict::kOk,
                    "no token is needed: every program on this machine can register and delegate");
    case TokenSource::kCommandLine:
      return result("CLAWLINK_TOKEN_SHOWN", CheckVerdict::kWarning,
                    "the token stands in the command line of the relay, which every account can read",
                    facts.with("--token-file FILE"));
    case TokenSource::kFile:
      if (settings.token_file == "-") break;
      if (const auto token = token_in_file(settings.token_file); !token)
        return result("CLAWLINK_TOKEN_UNREADABLE", CheckVerdict::kFailure,
                      token.error().message + "; the relay does not start again",
                      facts.with("--token-file FILE"));
      return result("CLAWLINK_TOKEN_OK", CheckVerdict::kOk, "a token is needed, and " + path + " is closed");
    case TokenSource::kService:
    case TokenSource::kEnvironment:
      break;
  }
  return result("CLAWLINK_TOKEN_OK", CheckVerdict::kOk,
                "a token is needed, and no file that others read has it");
}

// ---- the store

// How much there is of what the relay keeps for a while.
Result<std::string> kept_result(approvals::Database& database, const RelaySettings& settings) {
  const auto ended = database.integer(
      "SELECT count(*) FROM tasks WHERE state IN ('completed', 'failed', 'rejected', 'cancelled')");
  if (!ended) return ended.error();
  const auto letters = database.integer("SELECT count(*) FROM dead_letters");
  if (!letters) return letters.error();
  return settings.kept() + "; there are " + std::to_string(*ended) + " such tasks, and " +
         std::to_string(*letters) + " dead letters";
}

CheckResult relay_store_result(const std::string& directory, const RelaySettings& settings) {
  const std::string path = clawlink::database_path(directory);
  const auto result = [](const char* code, CheckVerdict verdict, std::string message, std::string next = {}) {
    return CheckResult{"clawlink-store", code, verdict, std::move(message), std::move(next)};
  };
  const auto unusable = [&](const Error& error) {
    const bool damaged = error.code == "STORE_CORRUPT" || error.code == "STORE_FOREIGN";
    return result(damaged ? "CLAWLINK_STORE_DAMAGED" : "CLAWLINK_STORE_UNUSABLE", CheckVerdict::kFailure,
                  error.message, error.next.empty() ? "hostclaw clawlink audit verify" : error.next);
  };
  if (!approvals::file_exists(path))
    return result("CLAWLINK_STORE_MISSING", CheckVerdict::kSkipped,
                  "the relay makes " + path + " at its first start");
  auto closed = approvals::check_private_directory(directory);
  for (const char* suffix : {"", "-wal", "-shm"})
    if (closed) closed = approvals::check_private_file(path + suffix);
  if (!closed)
    return result("CLAWLINK_STORE_OPEN", CheckVerdict::kFailure, closed.error().message, closed.error().next);
  const auto database = clawlink::open_relay_database_for_reading(directory);
  if (!database) return unusable(database.error());
  {
    approvals::Statement query = (*database)->statement("PRAGMA quick_check(1)");
    const Result<bool> found = query.step();
    if (!found) return unusable(found.error());
    if (const std::string verdict = *found ? query.text(0) : "no answer"; verdict != "ok")
      return unusable(make_error("STORE_CORRUPT", "the database " + path + " is damaged: " + verdict,
                                 approvals::command_to_rename(path, path + ".damaged")));
  }
  if (const auto space = approvals::check_space(directory); !space && space.error().code == "STORE_FULL")
    return result("CLAWLINK_STORE_FULL", CheckVerdict::kFailure, space.error().message, space.error().next);
  std::error_code failed;
  const auto disk = std::filesystem::space(to_path(directory), failed);
  if (!failed && disk.available < kLittleSpace)
    return result("CLAWLINK_STORE_LOW", CheckVerdict::kWarning,
                  "only " + std::to_string(disk.available / (1024 * 1024)) + " MiB are free for " + path,
                  approvals::command_for_free_space(directory));
  const Result<std::string> kept = kept_result(**database, settings);
  if (!kept) return unusable(kept.error());
  return result("CLAWLINK_STORE_OK", CheckVerdict::kOk,
                path + " is sound and closed, and there is room to write; " + *kept);
}

}  // namespace

const std::vector<std::string>& clawlink_checks() {
  static const std::vector<std::string> names{"clawlink", "clawlink-clock", "clawlink-cert", "clawlink-token",
                                              "clawlink-store"};
  return names;
}

std::vector<CheckResult> examine_clawlink(const std::string& state_directory) {
  RelayFacts facts;
  facts.state_directory = state_directory;
  facts.service = look_at_relay_service();
  const auto kept = kept_settings(state_directory);
  if (kept) facts.settings = *kept;
  if (facts.service) facts.settings = facts.service->settings;
  ClawlinkResults out;
  if (!facts.service && !kept && !approvals::file_exists(clawlink::database_path(state_directory))) {
    for (const std::string& name : clawlink_checks())
      out.push_back(
          {name, kClawlinkOff, CheckVerdict::kSkipped, "no relay for agents was ever served here", ""});
    return out;
  }
  const RelayAnswer answer = ask_relay(facts.settings);
  out.push_back(answer_result(facts, answer));
  out.push_back(relay_clock_result(answer));
  add_certificate(out, facts, answer);
  out.push_back(token_result(facts));
  out.push_back(relay_store_result(state_directory, facts.settings));
  return out;
}

}  // namespace hostclaw::cli
