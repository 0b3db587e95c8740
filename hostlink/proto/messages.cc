// SPDX-License-Identifier: Apache-2.0
#include "hostlink/proto/messages.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/json.h"
#include "base/json_shape.h"
#include "base/text.h"
#include "hostlink/proto/frame.h"
#include "hostlink/proto/members.h"

namespace hostclaw::hostlink {
namespace {

constexpr std::size_t kMaxOtherMembers = 64;

constexpr std::array<std::pair<std::string_view, RequestType>, 10> kRequestTypes{{
    {"ping", RequestType::kPing},
    {"exec", RequestType::kExec},
    {"put", RequestType::kPut},
    {"get", RequestType::kGet},
    {"get_stat", RequestType::kGetStat},
    {"stat_fs", RequestType::kStatFs},
    {"get_stream", RequestType::kGetStream},
    {"put_stream", RequestType::kPutStream},
    {"job", RequestType::kJob},
    {"hello", RequestType::kHello},
}};

constexpr std::array<std::pair<std::string_view, JobAction>, 4> kJobActions{{
    {"list", JobAction::kList},
    {"status", JobAction::kStatus},
    {"tail", JobAction::kTail},
    {"cancel", JobAction::kCancel},
}};

constexpr std::string_view kRequestMembers[] = {
    "version", "type",           "id",
    "token",   "command",        "timeout_ms",
    "workdir", "job_timeout_ms", "max_stdout_bytes",
    "env",     "output_to_file", "max_stderr_bytes",
    "detach",  "path",           "content",
    "mode",    "mkdir",          "size",
    "action",  "job_id",         "stream",
    "offset",  "max_bytes",      "signal",
    "key",     "nonce",          "resume",
};

template <class Table, class Value>
Value value_named(const Table& table, std::string_view name, Value unknown) {
  for (const auto& [known, value] : table)
    if (known == name) return value;
  return unknown;
}

template <class Table, class Value>
std::string_view name_of(const Table& table, Value value) {
  for (const auto& [name, known] : table)
    if (known == value) return name;
  return {};
}

std::optional<std::int64_t> positive(const Json& object, const char* name) {
  const auto value = integer_member(object, name);
  return value && *value > 0 ? value : std::nullopt;
}

void read_env(const Json& object, Request& request) {
  const auto env = object.find("env");
  if (env == object.end() || !env->is_object()) return;
  for (const auto& [name, value] : env->items())
    if (value.is_string()) request.env.emplace(name, value.get_ref<const std::string&>());
}

void read_exec(Json& object, Request& request) {
  request.command = take_text_member(object, "command").value_or("");
  request.timeout_ms = positive(object, "timeout_ms");
  request.job_timeout_ms = positive(object, "job_timeout_ms");
  request.max_stdout_bytes = positive(object, "max_stdout_bytes");
  request.max_stderr_bytes = positive(object, "max_stderr_bytes");
  request.output_to_file = true_member(object, "output_to_file");
  request.detach = true_member(object, "detach");
  request.workdir = take_text_member(object, "workdir");
  if (request.workdir && request.workdir->empty()) request.workdir.reset();
  read_env(object, request);
}

void read_file(Json& object, Request& request) {
  request.path = take_text_member(object, "path").value_or("");
  request.content = take_text_member(object, "content");
  const auto mode = positive(object, "mode");
  request.mode_given = mode.has_value();
  if (mode) request.mode = static_cast<std::uint32_t>(*mode & 0777);
  request.mkdir = true_member(object, "mkdir");
  const auto size = integer_member(object, "size");
  if (size && *size >= 0) request.size = size;
  request.offset = static_cast<std::uint64_t>(positive(object, "offset").value_or(0));
  request.resume = take_text_member(object, "resume").value_or("");
  if (request.resume.size() > kMaxResumeName) request.resume.clear();
}

void read_job(Json& object, Request& request) {
  request.action =
      value_named(kJobActions, take_text_member(object, "action").value_or(""), JobAction::kUnknown);
  request.job_id = take_text_member(object, "job_id").value_or("");
  request.tail_stderr = take_text_member(object, "stream") == "stderr";
  request.offset = static_cast<std::uint64_t>(positive(object, "offset").value_or(0));
  const auto most = positive(object, "max_bytes");
  if (most) request.max_bytes = std::min(static_cast<std::uint64_t>(*most), kMaxTailBytes);
  request.kill = is_one_of(take_text_member(object, "signal").value_or(""), {"KILL", "SIGKILL"});
}

std::vector<std::string> other_members(const Json& object) {
  std::vector<std::string> out;
  for (const auto& [name, value] : object.items()) {
    if (out.size() < kMaxOtherMembers && !is_one_of(name, std::span<const std::string_view>(kRequestMembers)))
      out.push_back(name);
  }
  return out;
}

std::optional<std::string> exec_fault(const Request& request) {
  if (request.command.empty()) return "command is required";
  if (request.command.size() > kMaxCommandBytes)
    return "command too long: " + std::to_string(request.command.size()) + " bytes (max " +
           std::to_string(kMaxCommandBytes) + ")";
  // Neither a command nor a variable can hold it, and what stands behind it would be another command.
  if (request.command.find('\0') != std::string::npos) return "command holds a NUL byte";
  if (request.workdir && request.workdir->find('\0') != std::string::npos) return "workdir holds a NUL byte";
  if (request.env.size() > kMaxEnvironmentEntries)
    return "env has more than " + std::to_string(kMaxEnvironmentEntries) + " entries";
  for (const auto& [name, value] : request.env) {
    if (name.empty() || name.find('=') != std::string::npos || name.find('\0') != std::string::npos ||
        value.find('\0') != std::string::npos)
      return "env has an entry that is no NAME=VALUE";
  }
  return std::nullopt;
}

std::optional<std::string> file_fault(const Request& request) {
  if (request.path.empty()) return "path is required";
  if (request.path.size() > kMaxPathBytes) return "path too long";
  if (request.path.find('\0') != std::string::npos) return "path holds a NUL byte";
  if (request.type == RequestType::kPut && !request.content) return "content is required";
  if (request.type == RequestType::kPutStream && !request.size) return "size is required";
  return std::nullopt;
}

std::optional<std::string> job_fault(const Request& request) {
  if (request.action == JobAction::kUnknown) return "unknown job action";
  if (request.action != JobAction::kList && !is_job_id(request.job_id)) return "invalid job_id";
  return std::nullopt;
}

void build_exec(const Request& request, JsonObjectText& out) {
  out.add("command", request.command);
  if (request.timeout_ms) out.add("timeout_ms", *request.timeout_ms);
  if (request.max_stdout_bytes) out.add("max_stdout_bytes", *request.max_stdout_bytes);
  if (request.max_stderr_bytes) out.add("max_stderr_bytes", *request.max_stderr_bytes);
  if (request.output_to_file) out.add("output_to_file", true);
  if (request.workdir) out.add("workdir", *request.workdir);
  if (!request.env.empty()) {
    JsonObjectText env;
    for (const auto& [name, value] : request.env) env.add(name, value);
    out.add("env", std::move(env));
  }
  if (request.detach) out.add("detach", true);
  if (request.job_timeout_ms) out.add("job_timeout_ms", *request.job_timeout_ms);
}

void build_file(const Request& request, JsonObjectText& out) {
  out.add("path", request.path);
  if (request.content) out.add("content", *request.content);
  if (request.size) out.add("size", *request.size);
  if (request.offset > 0) out.add("offset", static_cast<std::int64_t>(request.offset));
  if (!request.resume.empty()) out.add("resume", request.resume);
  if (request.type != RequestType::kPut && request.type != RequestType::kPutStream) return;
  out.add("mode", static_cast<std::int64_t>(request.mode));
  if (request.mkdir) out.add("mkdir", true);
}

void build_job(const Request& request, JsonObjectText& out) {
  out.add("action", name_of(kJobActions, request.action));
  if (request.action != JobAction::kList) out.add("job_id", request.job_id);
  if (request.action == JobAction::kTail) {
    out.add("stream", request.tail_stderr ? "stderr" : "stdout");
    out.add("offset", static_cast<std::int64_t>(request.offset));
    out.add("max_bytes", static_cast<std::int64_t>(request.max_bytes));
  }
  if (request.action == JobAction::kCancel) out.add("signal", request.kill ? "KILL" : "TERM");
}

// Where the JSON string that begins at `from` (at its quote) ends, behind its quote; npos when it is not
// whole.
std::size_t end_of_string(std::string_view text, std::size_t from) {
  for (std::size_t i = from + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

bool is_json_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

}  // namespace

std::string_view request_type_name(RequestType type) { return name_of(kRequestTypes, type); }

bool is_job_id(std::string_view text) {
  return text.size() == 12 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<Request> parse_request(std::string_view payload) {
  if (holds_more_values_than(payload, kMaxValues))
    return make_error("REQUEST_INVALID", "the request holds too many values");
  Result<Json> parsed = parse_json(payload, {.max_bytes = kMaxFramePayload, .max_depth = 16});
  if (!parsed) return parsed.error();
  Json& object = *parsed;
  if (!object.is_object()) return make_error("REQUEST_INVALID", "the request is no JSON object");
  Request request;
  request.other_members = other_members(object);
  request.id = take_text_member(object, "id").value_or("");
  request.token = take_text_member(object, "token").value_or("");
  request.type =
      value_named(kRequestTypes, take_text_member(object, "type").value_or(""), RequestType::kUnknown);
  switch (request.type) {
    case RequestType::kUnknown:
    case RequestType::kPing:
      break;
    case RequestType::kExec:
      read_exec(object, request);
      break;
    case RequestType::kJob:
      read_job(object, request);
      break;
    case RequestType::kHello:
      request.key = take_text_member(object, "key").value_or("");
      request.nonce = take_text_member(object, "nonce").value_or("");
      break;
    default:
      read_file(object, request);
  }
  return request;
}

std::optional<std::string> request_fault(const Request& request) {
  switch (request.type) {
    case RequestType::kUnknown:
    case RequestType::kHello:  // it is the first of a connection and needs no token
      return "unknown message type";
    case RequestType::kPing:
      return std::nullopt;
    case RequestType::kExec:
      return exec_fault(request);
    case RequestType::kJob:
      return job_fault(request);
    default:
      return file_fault(request);
  }
}

std::optional<std::string> peek_text_member(std::string_view prefix, std::string_view name) {
  std::size_t depth = 0;
  bool name_may_come = false;
  for (std::size_t i = 0; i < prefix.size(); ++i) {
    const char c = prefix[i];
    if (c == '{' || c == '[') {
      if (depth == 0 && c == '[') return std::nullopt;
      ++depth;
      name_may_come = depth == 1;
    } else if (c == '}' || c == ']') {
      if (depth <= 1) return std::nullopt;
      --depth;
    } else if (c == ',') {
      name_may_come = depth == 1;
    } else if (c == '"') {
      const std::size_t end = end_of_string(prefix, i);
      if (end == std::string_view::npos) return std::nullopt;
      const bool wanted = name_may_come && prefix.substr(i + 1, end - i - 2) == name;
      name_may_come = false;
      i = end - 1;
      if (!wanted) continue;
      std::size_t from = end;
      while (from < prefix.size() && (is_json_space(prefix[from]) || prefix[from] == ':')) ++from;
      if (from >= prefix.size() || prefix[from] != '"') return std::nullopt;
      const std::size_t to = end_of_string(prefix, from);
      if (to == std::string_view::npos) return std::nullopt;
      const Result<Json> value = parse_json(prefix.substr(from, to - from));
      if (!value) return std::nullopt;
      return value->get<std::string>();
    }
  }
  return std::nullopt;
}

std::string build_request(const Request& request) {
  JsonObjectText out;
  out.add("version", std::int64_t{1});
  out.add("type", request_type_name(request.type));
  out.add("id", request.id);
  out.add("token", request.token);
  switch (request.type) {
    case RequestType::kUnknown:
    case RequestType::kPing:
    case RequestType::kHello:
      break;
    case RequestType::kExec:
      build_exec(request, out);
      break;
    case RequestType::kJob:
      build_job(request, out);
      break;
    default:
      build_file(request, out);
  }
  return out.take();
}

Result<StreamTrailer> parse_stream_trailer(std::string_view payload) {
  Result<Json> object = parse_json(payload, {.max_bytes = kMaxUnauthenticatedPayload, .max_depth = 16});
  if (!object) return object.error();
  if (!object->is_object()) return make_error("REQUEST_INVALID", "the trailer is no JSON object");
  StreamTrailer trailer;
  trailer.id = take_text_member(*object, "id").value_or("");
  trailer.sha256 = take_text_member(*object, "sha256").value_or("");
  trailer.stream_end = true_member(*object, "stream_end");
  return trailer;
}

std::string build_stream_trailer(const StreamTrailer& trailer) {
  JsonObjectText out;
  out.add("version", std::int64_t{1});
  out.add("id", trailer.id);
  out.add("sha256", trailer.sha256);
  out.add("stream_end", trailer.stream_end);
  return out.take();
}

}  // namespace hostclaw::hostlink
