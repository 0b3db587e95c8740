// SPDX-License-Identifier: Apache-2.0
#include "hostlink/proto/v2_messages.h"

#include <algorithm>

#include "base/json.h"
#include "base/text.h"
#include "base/utf8.h"
#include "hostlink/proto/base64.h"
#include "hostlink/proto/members.h"
#include "hostlink/proto/messages.h"

namespace hostclaw::hostlink::v2 {
namespace {

constexpr std::string_view kOpenMembers[] = {
    "type",       "id",      "command",        "command_base64", "argv",  "argv_base64", "env",
    "env_base64", "workdir", "workdir_base64", "timeout_ms",     "stdin", "keep",        "terminal",
};

Error open_invalid(std::string message) { return make_error("OPEN_INVALID", std::move(message)); }

void add_bytes(JsonObjectText& out, const std::string& name, const std::string& bytes) {
  if (is_valid_utf8(bytes)) {
    out.add(name, bytes);
  } else {
    out.add(name + "_base64", to_base64(bytes));
  }
}

void add_argv(JsonObjectText& out, const std::vector<std::string>& argv) {
  const bool text =
      std::all_of(argv.begin(), argv.end(), [](const std::string& one) { return is_valid_utf8(one); });
  std::string list = "[";
  for (const std::string& one : argv) {
    if (list.size() > 1) list += ',';
    list += json_string(text ? one : to_base64(one));
  }
  out.add_json(text ? "argv" : "argv_base64", list + "]");
}

void add_env(JsonObjectText& out, const std::map<std::string, std::string>& env) {
  const bool text = std::all_of(env.begin(), env.end(), [](const auto& entry) {
    return is_valid_utf8(entry.first) && is_valid_utf8(entry.second);
  });
  JsonObjectText object;
  // Names stay texts: one that is not valid UTF-8 gets U+FFFD, as no program reads it anyway.
  for (const auto& [name, value] : env) object.add(name, text ? value : to_base64(value));
  out.add(text ? "env" : "env_base64", std::move(object));
}

// The bytes of a text or of its base64 twin; nothing when that cannot be decoded.
std::optional<std::string> bytes_of(Json& object, const std::string& name) {
  const auto encoded = take_text_member(object, (name + "_base64").c_str());
  if (encoded) return from_base64(*encoded);
  return take_text_member(object, name.c_str()).value_or("");
}

std::optional<std::string> read_argv(const Json& object, OpenRun& open) {
  const bool encoded = object.contains("argv_base64");
  const auto list = object.find(encoded ? "argv_base64" : "argv");
  if (list == object.end()) return std::nullopt;
  if (!list->is_array() || list->empty() || list->size() > kMaxArguments)
    return "argv has to be a list of 1 to " + std::to_string(kMaxArguments) + " texts";
  for (const Json& one : *list) {
    if (!one.is_string()) return "an argument is no text";
    const auto bytes = encoded ? from_base64(one.get_ref<const std::string&>()) : one.get<std::string>();
    if (!bytes || bytes->find('\0') != std::string::npos)
      return "an argument cannot be decoded or holds a NUL byte";
    open.argv.push_back(*bytes);
  }
  return std::nullopt;
}

std::optional<std::string> read_open_env(const Json& object, OpenRun& open) {
  const bool encoded = object.contains("env_base64");
  const auto env = object.find(encoded ? "env_base64" : "env");
  if (env == object.end()) return std::nullopt;
  if (!env->is_object() || env->size() > kMaxEnvironmentEntries)
    return "env has to be an object of at most " + std::to_string(kMaxEnvironmentEntries) + " texts";
  for (const auto& [name, value] : env->items()) {
    if (!value.is_string()) return "a value of env is no text";
    const auto bytes = encoded ? from_base64(value.get_ref<const std::string&>()) : value.get<std::string>();
    if (!bytes || bytes->find('\0') != std::string::npos || name.empty() ||
        name.find('=') != std::string::npos || name.find('\0') != std::string::npos)
      return "env has an entry that is no NAME=VALUE";
    open.env.emplace(name, *bytes);
  }
  return std::nullopt;
}

std::uint16_t cells(const Json& object, const char* name) {
  return static_cast<std::uint16_t>(
      std::clamp<std::int64_t>(integer_member(object, name).value_or(0), 0, 0xFFFF));
}

void read_terminal(Json& object, OpenRun& open) {
  const auto terminal = object.find("terminal");
  if (terminal == object.end() || !terminal->is_object()) return;
  OpenTerminal read;
  read.term = text_member(*terminal, "term");
  read.size = {cells(*terminal, "columns"), cells(*terminal, "rows"), cells(*terminal, "width"),
               cells(*terminal, "height")};
  open.terminal = read;
}

std::optional<std::string> open_fault(const OpenRun& open) {
  if (open.command.empty() == open.argv.empty()) return "exactly one of command and argv is required";
  if (!open.argv.empty() && open.argv.front().empty()) return "the program's name is empty";
  if (open.command.size() > kMaxCommandBytes)
    return "command too long: " + std::to_string(open.command.size());
  for (const std::string* text : {&open.command, &open.workdir})
    if (text->find('\0') != std::string::npos) return "command or workdir holds a NUL byte";
  return std::nullopt;
}

Result<Json> parse_object(std::string_view payload) {
  Result<Json> object = parse_json(payload, {.max_bytes = kMaxJsonPayload, .max_depth = 16});
  if (object && !object->is_object()) return make_error("REPLY_INVALID", "a JSON object was expected");
  return object;
}

}  // namespace

std::string build_open_run(const OpenRun& open) {
  JsonObjectText out;
  out.add("type", "exec").add("id", open.id);
  if (open.argv.empty()) {
    add_bytes(out, "command", open.command);
  } else {
    add_argv(out, open.argv);
  }
  if (!open.env.empty()) add_env(out, open.env);
  if (!open.workdir.empty()) add_bytes(out, "workdir", open.workdir);
  if (open.timeout_ms) out.add("timeout_ms", *open.timeout_ms);
  if (open.has_stdin) out.add("stdin", true);
  if (open.keep) out.add("keep", true);
  if (open.terminal) {
    JsonObjectText terminal;
    terminal.add("term", open.terminal->term);
    terminal.add("columns", std::int64_t{open.terminal->size.columns});
    terminal.add("rows", std::int64_t{open.terminal->size.rows});
    terminal.add("width", std::int64_t{open.terminal->size.width});
    terminal.add("height", std::int64_t{open.terminal->size.height});
    out.add("terminal", std::move(terminal));
  }
  return out.take();
}

Result<OpenRun> parse_open_run(std::string_view payload) {
  Result<Json> parsed = parse_object(payload);
  if (!parsed) return parsed.error();
  Json& object = *parsed;
  if (text_member(object, "type") != "exec") return open_invalid("the stream asks for no run");
  OpenRun open;
  for (const auto& [name, value] : object.items()) {
    if (open.other_members.size() < 64 && !is_one_of(name, std::span<const std::string_view>(kOpenMembers)))
      open.other_members.push_back(name);
  }
  open.id = text_member(object, "id");
  const auto command = bytes_of(object, "command");
  const auto workdir = bytes_of(object, "workdir");
  if (!command || !workdir) return open_invalid("command or workdir cannot be decoded");
  open.command = *command;
  open.workdir = *workdir;
  if (const auto fault = read_argv(object, open)) return open_invalid(*fault);
  if (const auto fault = read_open_env(object, open)) return open_invalid(*fault);
  const auto timeout = integer_member(object, "timeout_ms");
  if (timeout && *timeout > 0) open.timeout_ms = timeout;
  open.has_stdin = true_member(object, "stdin");
  open.keep = true_member(object, "keep");
  read_terminal(object, open);
  if (const auto fault = open_fault(open)) return open_invalid(*fault);
  return open;
}

std::string open_type(std::string_view payload) {
  const Result<Json> object = parse_object(payload);
  return object ? text_member(*object, "type") : std::string();
}

std::string build_started(const Started& started) {
  return JsonObjectText().add("run_id", started.run_id).add("pid", started.pid).take();
}

Result<Started> parse_started(std::string_view payload) {
  const Result<Json> object = parse_object(payload);
  if (!object) return object.error();
  return Started{text_member(*object, "run_id"), integer_member(*object, "pid").value_or(0)};
}

std::string build_exit(const Exit& exit) {
  JsonObjectText out;
  out.add("status", reply_status_name(exit.head.status));
  for (const auto& [name, text] :
       {std::pair{"node", &exit.head.node}, std::pair{"error_msg", &exit.head.error_msg},
        std::pair{"code", &exit.head.code}, std::pair{"layer", &exit.head.layer},
        std::pair{"explanation", &exit.head.explanation}, std::pair{"next", &exit.head.next},
        std::pair{"run_id", &exit.run_id}, std::pair{"signal", &exit.signal}}) {
    if (!text->empty()) out.add(name, *text);
  }
  if (exit.exit_code) out.add("exit_code", *exit.exit_code);
  if (exit.signal_number != 0) out.add("signal_number", exit.signal_number);
  if (exit.cancelled) out.add("cancelled", true);
  out.add("duration_ms", exit.duration_ms);
  return out.take();
}

Result<Exit> parse_exit(std::string_view payload) {
  const Result<Reply> reply = parse_reply(payload);
  if (!reply) return reply.error();
  Exit exit;
  exit.head = reply->head;
  exit.exit_code = integer_member(reply->object, "exit_code");
  exit.signal = text_member(reply->object, "signal");
  exit.signal_number = integer_member(reply->object, "signal_number").value_or(0);
  exit.cancelled = true_member(reply->object, "cancelled");
  exit.duration_ms = integer_member(reply->object, "duration_ms").value_or(0);
  exit.run_id = text_member(reply->object, "run_id");
  return exit;
}

std::string build_goodbye(const Goodbye& goodbye) {
  return JsonObjectText().add("code", goodbye.code).add("message", goodbye.message).take();
}

Goodbye parse_goodbye(std::string_view payload) {
  const Result<Json> object = parse_object(payload);
  if (!object) return {};
  return {text_member(*object, "code"), text_member(*object, "message")};
}

}  // namespace hostclaw::hostlink::v2
