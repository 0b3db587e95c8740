// SPDX-License-Identifier: Apache-2.0
#include "cli/audit_lines.h"

#include "approvals/shown/shown_text.h"
#include "base/text.h"
#include "cli/command_line.h"

namespace hostclaw::cli {
namespace {

std::string column(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

std::string text_of(const Json& value) {
  if (value.is_string()) return for_terminal(value.get_ref<const std::string&>());
  if (value.is_null()) return "-";
  return for_terminal(dump_json(value));
}

// Members of a row that somebody may have rewritten: nothing about their types is certain.
std::string member(const Json& body, const char* name) {
  const auto found = body.find(name);
  return found == body.end() ? std::string() : text_of(*found);
}

std::vector<std::string> words(const Json& body, const char* name) {
  std::vector<std::string> out;
  const auto found = body.find(name);
  if (found == body.end() || !found->is_array()) return out;
  for (const Json& word : *found) out.push_back(word.is_string() ? word.get<std::string>() : dump_json(word));
  return out;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) {
    if (part.empty()) continue;
    if (!out.empty()) out += "  ";
    out += part;
  }
  return out;
}

std::string writer(const Json& body) {
  const std::string who = member(body, "who");
  return "by " + member(body, "door") + (who.empty() ? "" : " " + who);
}

std::string policy_summary(const Json& body) {
  std::vector<std::string> parts = {writer(body)};
  const auto changes = body.find("changes");
  if (changes == body.end() || !changes->is_object()) return joined(parts);
  const auto list = [&](const char* name) {
    const auto found = changes->find(name);
    return found != changes->end() && found->is_array() ? *found : Json::array();
  };
  const Json scalars = list("policy");
  for (const Json& change : scalars) {
    if (change.is_object())
      parts.push_back(member(change, "where") + " " + member(change, "before") + " -> " +
                      member(change, "after"));
  }
  for (const auto& [name, sign] : {std::pair{"added", "+"}, std::pair{"removed", "-"}}) {
    const Json entries = list(name);
    for (const Json& entry : entries) {
      if (!entry.is_object()) continue;
      const std::string arguments = member(entry, "argPattern");
      parts.push_back(sign + member(entry, "pattern") + (arguments.empty() ? "" : " " + arguments) + " for " +
                      member(entry, "agent"));
    }
  }
  return joined(parts);
}

// "rule allow-git added: allow git"
std::string rule_change(const Json& body) {
  const Json before = body.value("before", Json());
  const Json after = body.value("after", Json());
  const Json& shown = after.is_object() ? after : before;
  const char* what = before.is_null() ? " added: " : after.is_null() ? " removed: " : " changed: ";
  const std::string set = member(shown, "template");
  return "rule " + member(body, "rule") + what + member(shown, "effect") + " " + member(shown, "program") +
         (set.empty() ? "" : " (" + set + ")");
}

std::string summary(const std::string& kind, const Json& body) {
  if (kind == "decision") {
    const std::string stage = member(body, "stage");
    return joined({member(body, "verdict"), member(body, "code"), member(body, "agent"),
                   approvals::shown_command(words(body, "argv")),
                   stage == "run" ? std::string() : "(" + stage + ")"});
  }
  if (kind == "end") {
    const std::string exit = member(body, "exit");
    const std::string signal = member(body, "signal");
    const std::string duration = member(body, "durationMs");
    return joined({"run " + member(body, "run").substr(0, 8), member(body, "state"),
                   exit.empty() ? "" : "exit " + exit, signal.empty() ? "" : "signal " + signal,
                   duration.empty() ? "" : duration + " ms",
                   member(body, "cancelledBy").empty() ? "" : "by " + member(body, "cancelledBy")});
  }
  if (kind == "policy-write") return policy_summary(body);
  if (kind == "setting-write")
    return joined(
        {writer(body), member(body, "key"), member(body, "before") + " -> " + member(body, "after")});
  if (kind == "rule-write") return joined({writer(body), rule_change(body)});
  if (kind == "observed-cleared") return writer(body);
  if (kind == "question")
    return joined({member(body, "question").substr(0, 8), member(body, "agent"), member(body, "shown")});
  if (kind == "answer")
    return joined({member(body, "question").substr(0, 8), member(body, "decision"), writer(body),
                   member(body, "late") == "true" ? "late" : ""});
  if (kind == "question-expired" || kind == "question-withdrawn")
    return member(body, "question").substr(0, 8);
  if (kind == "grant-revoked") return joined({member(body, "grant").substr(0, 8), writer(body)});
  if (kind == "grant")
    return joined({member(body, "grant").substr(0, 8), member(body, "scope"), member(body, "agent"),
                   member(body, "shown")});
  if (kind == "pairing")
    return joined(
        {member(body, "change"), member(body, "gateway"), "device " + member(body, "device").substr(0, 12)});
  if (kind == "start") return joined({member(body, "version"), "pid " + member(body, "pid")});
  if (kind == "stop") return joined({"pid " + member(body, "pid"), member(body, "why")});
  if (kind == "pruned") {
    const auto checkpoint = body.find("checkpoint");
    const std::string through = checkpoint != body.end() && checkpoint->is_object()
                                    ? member(*checkpoint, "sequence")
                                    : std::string("?");
    return joined({"rows " + member(body, "firstSequence") + " to " + through, writer(body)});
  }
  if (kind == "cancel") return joined({"run " + member(body, "run").substr(0, 8), writer(body)});
  if (kind == "attempt")
    return joined({member(body, "code"), writer(body), "hostclaw " + member(body, "verb"),
                   "refused: " + member(body, "because")});
  if (kind == "checkpoint") return "signs row " + member(body, "sequence");
  if (kind == "chain") return member(body, "chain");
  return for_terminal(dump_json(body));
}

void add_details(const std::string& name, const Json& value, std::vector<std::string>& lines) {
  if (value.is_object()) {
    for (const auto& [key, inner] : value.items()) {
      add_details(name.empty() ? key : name + "." + key, inner, lines);
    }
  } else if (value.is_array() && name != "argv") {
    if (value.empty()) return;
    std::size_t index = 0;
    for (const Json& inner : value) add_details(name + "." + std::to_string(index++), inner, lines);
  } else {
    lines.push_back(column(for_terminal(name), 24) + text_of(value));
  }
}

}  // namespace

const std::vector<std::string>& audit_kinds() {
  static const std::vector<std::string> kinds{"decision",
                                              "end",
                                              "question",
                                              "answer",
                                              "grant",
                                              "grant-revoked",
                                              "question-expired",
                                              "question-withdrawn",
                                              "policy-write",
                                              "setting-write",
                                              "rule-write",
                                              "observed-cleared",
                                              "pairing",
                                              "start",
                                              "stop",
                                              "attempt",
                                              "left-behind",
                                              "checkpoint",
                                              "pruned",
                                              "chain",
                                              "cancel",
                                              "hostlink-token"};
  return kinds;
}

std::string audit_summary_line(const approvals::AuditRow& row) {
  const auto body = parse_json(row.body);
  std::string number = std::to_string(row.sequence);
  if (number.size() < 7) number.insert(0, 7 - number.size(), ' ');
  return number + "  " + format_time(row.at_ms) + "  " + column(for_terminal(row.kind), 13) + " " +
         (body && body->is_object() ? summary(row.kind, *body) : std::string("unreadable"));
}

std::vector<std::string> audit_detail_lines(const approvals::AuditRow& row) {
  std::vector<std::string> lines = {column("row", 24) + std::to_string(row.sequence),
                                    column("time", 24) + format_time(row.at_ms),
                                    column("kind", 24) + for_terminal(row.kind)};
  const auto body = parse_json(row.body);
  if (!body || !body->is_object()) {
    lines.push_back("unreadable");
  } else {
    for (const auto& [name, value] : body->items()) {
      if (name == "argv") {
        lines.push_back(column("command", 24) + approvals::shown_command(words(*body, "argv")));
      } else {
        add_details(name, value, lines);
      }
    }
  }
  lines.push_back(column("previous", 24) + row.previous_hash);
  lines.push_back(column("hash", 24) + row.hash);
  return lines;
}

}  // namespace hostclaw::cli
