// SPDX-License-Identifier: Apache-2.0
#include "node-host/record/record_mirror_text.h"

#include <chrono>
#include <cstdio>

#include "approvals/shown/shown_text.h"
#include "base/json.h"

namespace hostclaw::node_host {
namespace {

constexpr int kAuthPriv = 10;
constexpr int kNotice = 5;
constexpr int kInformational = 6;
constexpr const char* kIdentifier = "hostclaw-audit";
constexpr const char* kBodyLeftOut = "{\"leftOut\":\"too long; hostclaw audit show\"}";

Json body_of(const approvals::AuditRow& row) {
  auto body = parse_json(row.body);
  return body && body->is_object() ? std::move(*body) : Json::object();
}

std::string body_text(const Json& body, const char* name) {
  const auto found = body.find(name);
  return found != body.end() && found->is_string() ? found->get<std::string>() : std::string();
}

int severity_of(const Json& body) {
  const std::string verdict = body_text(body, "verdict");
  return verdict.empty() || verdict == "allow" ? kInformational : kNotice;
}

// A value with a line feed goes behind its length; the field could not be told from the next one otherwise.
void add_field(std::string& out, const std::string& name, const std::string& value) {
  out += name;
  if (value.find('\n') == std::string::npos) {
    out += '=';
  } else {
    out += '\n';
    for (int shift = 0; shift < 64; shift += 8)
      out.push_back(static_cast<char>(static_cast<std::uint64_t>(value.size()) >> shift & 0xFF));
  }
  out += value;
  out += '\n';
}

std::string message_of(const approvals::AuditRow& row, const Json& body) {
  std::string text = row.kind;
  for (const char* name : {"verdict", "code", "decision", "change", "key", "shown", "door", "who", "state"}) {
    if (const std::string value = body_text(body, name); !value.empty()) text += " " + value;
  }
  std::vector<std::string> words;
  if (const auto argv = body.find("argv"); argv != body.end() && argv->is_array()) {
    for (const Json& word : *argv) words.push_back(word.is_string() ? word.get<std::string>() : "?");
  }
  if (!words.empty()) text += ": " + approvals::shown_command(words);
  return text;
}

std::string utc_text(std::int64_t at_ms) {
  using namespace std::chrono;
  const sys_time<milliseconds> at{milliseconds(at_ms)};
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss time(at - day);
  char text[80];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
  return text;
}

// A header field of RFC 5424: printable ASCII without spaces, "-" for nothing.
std::string header_word(const std::string& text, std::size_t longest) {
  std::string out;
  for (const char c : text) {
    if (c > ' ' && c < 0x7F && out.size() < longest) out.push_back(c);
  }
  return out.empty() ? "-" : out;
}

}  // namespace

std::string journal_datagram(const approvals::AuditRow& row, bool whole) {
  const Json body = body_of(row);
  std::string out;
  add_field(out, "MESSAGE", whole ? message_of(row, body) : row.kind);
  add_field(out, "PRIORITY", std::to_string(severity_of(body)));
  add_field(out, "SYSLOG_IDENTIFIER", kIdentifier);
  add_field(out, "SYSLOG_FACILITY", std::to_string(kAuthPriv));
  add_field(out, "HOSTCLAW_SEQUENCE", std::to_string(row.sequence));
  add_field(out, "HOSTCLAW_KIND", row.kind);
  add_field(out, "HOSTCLAW_AT_MS", std::to_string(row.at_ms));
  for (const auto& [field, member] :
       {std::pair{"HOSTCLAW_VERDICT", "verdict"}, std::pair{"HOSTCLAW_CODE", "code"},
        std::pair{"HOSTCLAW_RUN", "run"}, std::pair{"HOSTCLAW_AGENT", "agent"},
        std::pair{"HOSTCLAW_SESSION", "session"}, std::pair{"HOSTCLAW_DOOR", "door"},
        std::pair{"HOSTCLAW_PRINCIPAL", "principal"}, std::pair{"HOSTCLAW_WHO", "who"},
        std::pair{"HOSTCLAW_QUESTION", "question"}}) {
    if (const std::string value = body_text(body, member); !value.empty()) add_field(out, field, value);
  }
  add_field(out, "HOSTCLAW_PREVIOUS", row.previous_hash);
  add_field(out, "HOSTCLAW_HASH", row.hash);
  add_field(out, "HOSTCLAW_BODY", whole ? row.body : kBodyLeftOut);
  return out;
}

std::string syslog_datagram(const approvals::AuditRow& row, const std::string& host, int process,
                            bool whole) {
  // sequenceId of RFC 5424 counts from 1 to 2147483647 and then begins again.
  const std::int64_t id = (row.sequence - 1) % 2'147'483'647 + 1;
  approvals::AuditRow sent = row;
  if (!whole) sent.body = kBodyLeftOut;
  return "<" + std::to_string(kAuthPriv * 8 + severity_of(body_of(row))) + ">1 " + utc_text(row.at_ms) + " " +
         header_word(host, 255) + " " + kIdentifier + " " + std::to_string(process) + " " +
         header_word(row.kind, 32) + " [meta sequenceId=\"" + std::to_string(id) + "\"] " +
         approvals::audit_line(sent);
}

}  // namespace hostclaw::node_host
