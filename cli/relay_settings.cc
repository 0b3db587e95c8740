// SPDX-License-Identifier: Apache-2.0
#include "cli/relay_settings.h"

#include <array>
#include <cstdlib>
#include <filesystem>

#include "approvals/platform/private_files.h"
#include "base/file_names.h"
#include "base/text.h"
#include "clawlink/http/request.h"
#include "clawlink/store/schema.h"

namespace hostclaw::cli {
namespace {

constexpr std::size_t kMostTokenBytes = 4096;
// By TokenSource.
constexpr std::array<const char*, 5> kTokenSources{"none", "command-line", "file", "environment", "service"};

// Flags that take a number and are written down where it is not the usual one.
struct NumberFlag {
  const char* name;
  int RelaySettings::*member;
};
constexpr std::array kNumbers{NumberFlag{"--forget-agents-days", &RelaySettings::forget_agents_days},
                              NumberFlag{"--keep-tasks-days", &RelaySettings::keep_tasks_days},
                              NumberFlag{"--keep-tasks", &RelaySettings::keep_tasks},
                              NumberFlag{"--keep-record-days", &RelaySettings::keep_record_days},
                              NumberFlag{"--keep-record-rows", &RelaySettings::keep_record_rows}};

// "30 days, 100000 at most"
std::string kept_for(int days, int most) {
  const std::string time = days == 0 ? "for ever" : std::to_string(days) + (days == 1 ? " day" : " days");
  return most == 0 ? time : time + ", " + std::to_string(most) + " at most";
}

std::string served_path(const std::string& state_directory) {
  return state_directory + "/clawlink.served.json";
}

void make_absolute(std::string& path) {
  if (!path.empty() && path != "-")
    path = to_text(std::filesystem::absolute(to_path(path)).lexically_normal());
}

}  // namespace

bool RelaySettings::only_this_machine() const { return clawlink::is_loopback_name(host); }

std::string RelaySettings::url() const {
  const bool six = host.find(':') != std::string::npos;
  return std::string(tls() ? "https://" : "http://") + (six ? "[" : "") + host + (six ? "]" : "") + ":" +
         std::to_string(port);
}

std::string RelaySettings::kept() const {
  return "tasks that have ended are kept " + kept_for(keep_tasks_days, keep_tasks) + "; rows of the record " +
         kept_for(keep_record_days, keep_record_rows);
}

void add_relay_flags(CLI::App& verb, RelaySettings& settings) {
  verb.add_option("--host", settings.host, "Address to listen on; other machines need --tls-cert and a token")
      ->capture_default_str();
  verb.add_option("--token-file", settings.token_file, "A file with the shared token (- for stdin)");
  verb.add_option("--tls-cert", settings.tls_certificate, "Certificate chain, PEM");
  verb.add_option("--tls-key", settings.tls_key, "Its key, PEM");
  verb.add_flag("--insecure", settings.insecure,
                "Plain HTTP for other machines: everybody on the network reads along");
  verb.add_flag("--no-mdns", settings.no_mdns,
                "Do not announce it on the network by mDNS (on loopback it never is)");
  verb.add_flag("--require-credentials", settings.require_credentials,
                "The shared token registers only; who speaks needs the agent_token of its registration");
  verb.add_option("--public-url", settings.public_url, "How others reach it, for the cards of agents");
  verb.add_option("--keep-tasks-days", settings.keep_tasks_days,
                  "Tasks that have ended, and dead letters, go after so many days; 0: never")
      ->check(CLI::Range(0, 3650))
      ->capture_default_str();
  verb.add_option("--keep-tasks", settings.keep_tasks,
                  "Of tasks that have ended so many are kept, the newest; 0: any number")
      ->check(CLI::Range(0, 100'000'000))
      ->capture_default_str();
  verb.add_option("--keep-record-days", settings.keep_record_days,
                  "Rows of the relay's record go after so many days; 0: never")
      ->check(CLI::Range(0, 3650))
      ->capture_default_str();
  verb.add_option("--keep-record-rows", settings.keep_record_rows,
                  "Of the relay's record so many rows are kept, the newest; 0: any number")
      ->check(CLI::Range(0, 1'000'000'000))
      ->capture_default_str();
  verb.add_option("--forget-agents-days", settings.forget_agents_days,
                  "Agents that were not heard of for so long leave")
      ->check(CLI::Range(1, 3650))
      ->capture_default_str();
  verb.add_option("--push-to", settings.push_to,
                  "[http://]HOST[:PORT] that A2A push notifications may go to although its addresses are not "
                  "of the internet; http:// in front: by plain HTTP too. May be given several times")
      ->allow_extra_args(false);
  verb.add_flag("--no-push", settings.no_push, "No A2A push notifications: the relay connects to nobody");
}

Result<clawlink::PushRules> push_rules(const RelaySettings& settings) {
  clawlink::PushRules rules;
  rules.enabled = !settings.no_push;
  for (const std::string& text : settings.push_to) {
    auto one = clawlink::read_push_exception(text);
    if (!one) return one.error();
    rules.exceptions.push_back(std::move(*one));
  }
  return rules;
}

std::vector<std::string> serve_words(const RelaySettings& settings) {
  const RelaySettings usual;
  std::vector<std::string> words{"--host", settings.host, "--port", std::to_string(settings.port)};
  if (settings.no_mdns) words.emplace_back("--no-mdns");
  const auto add = [&words](const char* name, const std::string& value) {
    if (!value.empty()) words.insert(words.end(), {name, value});
  };
  add("--tls-cert", settings.tls_certificate);
  add("--tls-key", settings.tls_key);
  if (settings.insecure) words.emplace_back("--insecure");
  if (settings.require_credentials) words.emplace_back("--require-credentials");
  add("--public-url", settings.public_url);
  for (const auto& [name, member] : kNumbers)
    if (settings.*member != usual.*member) add(name, std::to_string(settings.*member));
  if (settings.no_push) words.emplace_back("--no-push");
  for (const std::string& host : settings.push_to) add("--push-to", host);
  return words;
}

RelaySettings settings_from_words(const std::vector<std::string>& words) {
  RelaySettings settings;
  for (std::size_t at = 0; at < words.size(); ++at) {
    const std::string& word = words[at];
    const std::string value = at + 1 < words.size() ? words[at + 1] : "";
    if (word == "--host") settings.host = value;
    if (word == "--port") settings.port = std::atoi(value.c_str());
    if (word == "--tls-cert") settings.tls_certificate = value;
    if (word == "--tls-key") settings.tls_key = value;
    for (const auto& [name, member] : kNumbers)
      if (word == name) settings.*member = std::atoi(value.c_str());
    if (word == "--insecure") settings.insecure = true;
    if (word == "--no-mdns") settings.no_mdns = true;
    if (word == "--require-credentials") settings.require_credentials = true;
    if (word == "--public-url") settings.public_url = value;
    if (word == "--no-push") settings.no_push = true;
    if (word == "--push-to") settings.push_to.push_back(value);
  }
  return settings;
}

void make_paths_absolute(RelaySettings& settings) {
  for (std::string* path : {&settings.token_file, &settings.tls_certificate, &settings.tls_key})
    make_absolute(*path);
}

Result<std::string> relay_state_directory() {
  auto directory = state_directory();
  if (directory) return directory;
  auto own = approvals::default_state_directory();
  if (own && approvals::file_exists(clawlink::database_path(*own))) return own;
  return directory;
}

Result<std::string> token_in_file(const std::string& path) {
  const Result<std::string> text = read_input(path, kMostTokenBytes);
  if (!text) return text.error();
  std::string token(trim(*text));
  if (token.empty()) return make_error("CONFIG_INVALID", path + " holds no token");
  return token;
}

Result<void> keep_settings(const std::string& state_directory, const RelaySettings& settings) {
  const std::string path = served_path(state_directory);
  const std::string text =
      dump_json(Json{{"words", serve_words(settings)},
                     {"tokenFile", settings.token_file},
                     {"tokenFrom", kTokenSources.at(static_cast<std::size_t>(settings.token_source))}}) +
      "\n";
  if (const auto there = read_input(path); there && *there == text) return {};
  const std::string fresh = path + ".new";
  std::error_code failed;
  std::filesystem::remove(to_path(fresh), failed);
  if (auto written = approvals::create_private_file(fresh, text); !written) return written;
  std::filesystem::rename(to_path(fresh), to_path(path), failed);
  if (failed) return make_error("FILE_UNWRITABLE", "cannot write " + path + ": " + failed.message());
  return {};
}

std::optional<RelaySettings> kept_settings(const std::string& state_directory) {
  const std::string path = served_path(state_directory);
  if (!approvals::file_exists(path)) return std::nullopt;
  const auto text = read_input(path);
  const auto body = text ? parse_json(*text) : Result<Json>(text.error());
  if (!body || !body->is_object()) return std::nullopt;
  std::vector<std::string> words;
  if (const auto list = body->find("words"); list != body->end() && list->is_array()) {
    for (const Json& word : *list)
      words.push_back(word.is_string() ? word.get<std::string>() : std::string());
  }
  RelaySettings settings = settings_from_words(words);
  const auto member = [&body](const char* name) {
    const auto found = body->find(name);
    return found != body->end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  settings.token_file = member("tokenFile");
  for (std::size_t at = 0; at < kTokenSources.size(); ++at)
    if (member("tokenFrom") == kTokenSources[at]) settings.token_source = static_cast<TokenSource>(at);
  return settings;
}

}  // namespace hostclaw::cli
