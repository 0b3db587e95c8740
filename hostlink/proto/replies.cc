// SPDX-License-Identifier: Apache-2.0
#include "hostlink/proto/replies.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "base/utf8.h"
#include "hostlink/proto/base64.h"
#include "hostlink/proto/frame.h"
#include "hostlink/proto/members.h"

namespace hostclaw::hostlink {
namespace {

constexpr std::array<std::pair<std::string_view, ReplyStatus>, 6> kReplyStatuses{{
    {"ok", ReplyStatus::kOk},
    {"error", ReplyStatus::kError},
    {"timeout", ReplyStatus::kTimeout},
    {"auth_failed", ReplyStatus::kAuthFailed},
    {"bad_request", ReplyStatus::kBadRequest},
    {"not_found", ReplyStatus::kNotFound},
}};

std::int64_t number(std::uint64_t value) { return static_cast<std::int64_t>(value); }

std::uint64_t unsigned_member(const Json& object, const char* name) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(integer_member(object, name).value_or(0), 0));
}

JsonObjectText begin_reply(const ReplyHead& head) {
  JsonObjectText out;
  out.add("version", std::int64_t{1});
  out.add("id", head.id);
  out.add("node", head.node);
  out.add("status", reply_status_name(head.status));
  if (!head.error_msg.empty()) out.add("error_msg", head.error_msg);
  if (!head.code.empty()) out.add("code", head.code);
  if (!head.layer.empty()) out.add("layer", head.layer);
  if (!head.explanation.empty()) out.add("explanation", head.explanation);
  if (!head.next.empty()) out.add("next", head.next);
  return out;
}

bool needs_base64(std::string_view bytes) {
  return bytes.find('\0') != std::string_view::npos || !is_valid_utf8(bytes);
}

std::string without_nul(std::string_view bytes) {
  const std::string valid = to_valid_utf8(bytes);
  std::string out;
  out.reserve(valid.size());
  for (const char c : valid) {
    if (c == '\0') {
      out += "\xEF\xBF\xBD";
    } else {
      out += c;
    }
  }
  return out;
}

// How many bytes of JSON one byte of output takes at most.
std::size_t cost_of_byte(char c, bool twice) {
  const auto byte = static_cast<unsigned char>(c);
  if (twice)
    return (byte == 0 || byte >= 0x80 ? 3U : byte < 0x20 ? 6U : 2U) + 2U;  // and its part of the base64
  if (byte >= 0x20) return byte == '"' || byte == '\\' ? 2U : 1U;
  return is_one_of(std::string_view(&c, 1), {"\b", "\f", "\n", "\r", "\t"}) ? 2U : 6U;
}

struct Fitting {
  std::size_t bytes = 0;
  std::size_t cost = 0;
};

Fitting fitting(std::string_view bytes, bool twice, std::size_t room) {
  if (bytes.size() <= room / 8) return {bytes.size(), bytes.size() * 8};
  Fitting fits;
  for (const char c : bytes) {
    const std::size_t cost = cost_of_byte(c, twice);
    if (fits.cost + cost > room) break;
    fits.cost += cost;
    ++fits.bytes;
  }
  return fits;
}

struct OutputText {
  std::string_view bytes;
  bool twice = false;
  bool cut = false;
};

OutputText fit(const std::string& bytes, std::size_t room, std::size_t& cost) {
  OutputText text{bytes, needs_base64(bytes), false};
  const Fitting fits = fitting(bytes, text.twice, room);
  cost = fits.cost;
  if (fits.bytes == bytes.size()) return text;
  text.cut = true;
  text.bytes = text.twice ? std::string_view(bytes).substr(0, fits.bytes) : utf8_prefix(bytes, fits.bytes);
  return text;
}

void add_output(JsonObjectText& out, const std::string& name, const OutputText& text) {
  if (!text.twice) {
    out.add(name, text.bytes);
    return;
  }
  out.add(name, without_nul(text.bytes));
  out.add(name + "_base64", to_base64(text.bytes));
}

void add_sizes(JsonObjectText& out, const OutputOfStream& std_out, const OutputOfStream& std_err) {
  out.add("stdout_truncated", std_out.truncated);
  out.add("stderr_truncated", std_err.truncated);
  out.add("stdout_original_bytes", number(std_out.original_bytes));
  out.add("stderr_original_bytes", number(std_err.original_bytes));
}

void add_record(JsonObjectText& out, const JobRecord& record) {
  out.add("job_id", record.job_id);
  out.add("state", record.state);
  out.add("done", record.done);
  out.add("command", record.command);
  if (!record.workdir.empty()) out.add("workdir", record.workdir);
  out.add("created_at", record.created_at);
  out.add("ended_at", record.ended_at);
  out.add("exit_code", record.exit_code);
  out.add("duration_ms", record.duration_ms);
  out.add("stdout_bytes", number(record.stdout_bytes));
  out.add("stderr_bytes", number(record.stderr_bytes));
  out.add("stdout_original_bytes", number(record.stdout_original_bytes));
  out.add("stderr_original_bytes", number(record.stderr_original_bytes));
  out.add("stdout_truncated", record.stdout_truncated);
  out.add("stderr_truncated", record.stderr_truncated);
  out.add("timeout_ms", record.timeout_ms);
  out.add("pid", record.pid);
}

// With the record's own error_msg, unless the head has one already.
JsonObjectText begin_job_reply(ReplyHead head, const JobRecord& record) {
  if (head.error_msg.empty()) head.error_msg = record.error_msg;
  JsonObjectText out = begin_reply(head);
  add_record(out, record);
  return out;
}

OutputOfStream output_from(const Json& object, const std::string& name) {
  OutputOfStream output;
  output.bytes = bytes_member(object, name);
  output.file = text_member(object, (name + "_file").c_str());
  output.truncated = true_member(object, (name + "_truncated").c_str());
  output.original_bytes = unsigned_member(object, (name + "_original_bytes").c_str());
  return output;
}

// A chunk that ends inside a character is cut before it, so that the next one begins with it: never to
// nothing.
std::string_view whole_characters(std::string_view data) {
  for (std::size_t cut = 1; cut <= 3 && cut < data.size(); ++cut) {
    const auto byte = static_cast<unsigned char>(data[data.size() - cut]);
    if (byte < 0x80) return data;
    if (byte < 0xC0) continue;
    const std::size_t needed = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
    return needed > cut ? data.substr(0, data.size() - cut) : data;
  }
  return data;
}

}  // namespace

std::string_view reply_status_name(ReplyStatus status) {
  for (const auto& [name, known] : kReplyStatuses)
    if (known == status) return name;
  return "error";
}

std::string build_failure(const ReplyHead& head) { return begin_reply(head).take(); }

std::string build_pong(const ReplyHead& head, std::int64_t uptime_s) {
  return begin_reply(head).add("uptime_s", uptime_s).take();
}

std::string build_exec_reply(const ExecReply& reply, std::size_t max_payload) {
  // The other members are short, but for texts of a refusal.
  const std::size_t room = max_payload - max_payload / 128;
  std::size_t cost_out = 0;
  std::size_t cost_err = 0;
  // Each stream has a half, and what the other does not need.
  OutputText err = fit(reply.err.bytes, room / 2, cost_err);
  const OutputText std_out = fit(reply.out.bytes, room - cost_err, cost_out);
  if (err.cut) err = fit(reply.err.bytes, room - cost_out, cost_err);
  OutputOfStream sizes_out{{}, {}, reply.out.truncated || std_out.cut, reply.out.original_bytes};
  OutputOfStream sizes_err{{}, {}, reply.err.truncated || err.cut, reply.err.original_bytes};

  JsonObjectText out = begin_reply(reply.head);
  out.add("exit_code", reply.exit_code);
  if (reply.out.file.empty()) {
    add_output(out, "stdout", std_out);
  } else {
    out.add("stdout_file", reply.out.file);
  }
  if (reply.err.file.empty()) {
    add_output(out, "stderr", err);
  } else {
    out.add("stderr_file", reply.err.file);
  }
  add_sizes(out, sizes_out, sizes_err);
  out.add("duration_ms", reply.duration_ms);
  if (reply.timeout_requested_ms && reply.timeout_effective_ms) {
    out.add("timeout_requested_ms", *reply.timeout_requested_ms);
    out.add("timeout_effective_ms", *reply.timeout_effective_ms);
  }
  if (!reply.run_id.empty()) out.add("run_id", reply.run_id);
  return out.take();
}

std::string build_detached_reply(const ReplyHead& head, std::string_view job_id) {
  JsonObjectText out = begin_reply(head);
  out.add("detached", true);
  out.add("job_id", job_id);
  add_sizes(out, {}, {});
  return out.take();
}

std::string build_put_reply(const ReplyHead& head, std::string_view path, std::uint64_t bytes_written) {
  return begin_reply(head).add("path", path).add("bytes_written", number(bytes_written)).take();
}

std::string build_get_reply(const ReplyHead& head, std::string_view path, std::string_view bytes) {
  JsonObjectText out = begin_reply(head);
  out.add("path", path).add("size", number(bytes.size()));
  // Base64 needs no look for escapes.
  out.add_json("content", "\"" + to_base64(bytes) + "\"");
  return out.take();
}

std::string build_stat_reply(const StatReply& reply) {
  JsonObjectText out = begin_reply(reply.head);
  out.add("path", reply.path).add("isdir", reply.is_directory).add("size", number(reply.size));
  if (reply.is_directory) {
    std::string files = "[";
    for (const StatFile& file : reply.files) {
      if (files.size() > 1) files += ',';
      files += JsonObjectText().add("path", file.path).add("size", number(file.size)).take();
    }
    out.add_json("files", files + "]");
  }
  if (reply.truncated) out.add("truncated", true);
  return out.take();
}

std::string build_space_reply(const SpaceReply& reply) {
  return begin_reply(reply.head)
      .add("path", reply.path)
      .add("resolved", reply.resolved)
      .add("free_bytes", number(reply.free_bytes))
      .add("total_bytes", number(reply.total_bytes))
      .add("block_size", number(reply.block_size))
      .take();
}

std::string build_get_stream_begin(const ReplyHead& head, std::string_view path, std::uint64_t size,
                                   std::uint64_t offset) {
  JsonObjectText reply = begin_reply(head);
  reply.add("path", path).add("size", number(size)).add("stream", true);
  if (offset > 0) reply.add("offset", number(offset));
  return reply.take();
}

std::string build_get_stream_end(const ReplyHead& head, std::string_view sha256, std::uint64_t size) {
  return begin_reply(head).add("sha256", sha256).add("size", number(size)).add("stream_end", true).take();
}

std::string build_put_stream_ready(const ReplyHead& head, std::uint64_t offset) {
  JsonObjectText reply = begin_reply(head);
  reply.add("ready", true);
  if (offset > 0) reply.add("offset", number(offset));
  return reply.take();
}

std::string build_put_stream_end(const ReplyHead& head, std::string_view path, std::uint64_t size,
                                 std::string_view sha256) {
  return begin_reply(head).add("path", path).add("size", number(size)).add("sha256", sha256).take();
}

std::string build_job_reply(const ReplyHead& head, const JobRecord& record) {
  return begin_job_reply(head, record).take();
}

std::string build_job_list(const ReplyHead& head, const std::vector<JobRecord>& newest_first) {
  std::string jobs = "[";
  for (const JobRecord& record : newest_first) {
    if (jobs.size() > 1) jobs += ',';
    JsonObjectText job;
    add_record(job, record);
    if (!record.error_msg.empty()) job.add("error_msg", record.error_msg);
    jobs += job.take();
  }
  return begin_reply(head).add_json("jobs", jobs + "]").take();
}

std::string build_tail_reply(const TailReply& reply) {
  const std::string_view data = whole_characters(reply.data);
  const bool binary = needs_base64(data);
  JsonObjectText out = begin_job_reply(reply.head, reply.record);
  out.add("stream", reply.is_stderr ? "stderr" : "stdout");
  add_output(out, "data", OutputText{data, binary, false});
  out.add("offset", number(reply.offset));
  out.add("next_offset", number(reply.offset + data.size()));
  out.add("binary", binary);
  return out.take();
}

std::string build_cancel_reply(const ReplyHead& head, const JobRecord& record, bool signalled) {
  return begin_job_reply(head, record).add("signalled", signalled).take();
}

Result<Reply> parse_reply(std::string_view payload) {
  Result<Json> object = parse_json(payload, {.max_bytes = kMaxFramePayload, .max_depth = 16});
  if (!object) return object.error();
  if (!object->is_object()) return make_error("REPLY_INVALID", "the reply is no JSON object");
  const std::string status = text_member(*object, "status");
  const auto* known = std::find_if(kReplyStatuses.begin(), kReplyStatuses.end(),
                                   [&](const auto& entry) { return entry.first == status; });
  if (known == kReplyStatuses.end()) return make_error("REPLY_INVALID", "the reply has no known status");
  Reply reply;
  reply.head.status = known->second;
  reply.head.id = text_member(*object, "id");
  reply.head.node = text_member(*object, "node");
  reply.head.error_msg = text_member(*object, "error_msg");
  reply.head.code = text_member(*object, "code");
  reply.head.layer = text_member(*object, "layer");
  reply.head.explanation = text_member(*object, "explanation");
  reply.head.next = text_member(*object, "next");
  reply.object = std::move(*object);
  return reply;
}

std::string bytes_member(const Json& object, const std::string& name) {
  const std::string text = text_member(object, (name + "_base64").c_str());
  if (!text.empty()) {
    if (auto bytes = from_base64(text)) return std::move(*bytes);
  }
  return text_member(object, name.c_str());
}

ExecReply exec_reply_from(const Reply& reply) {
  const Json& object = reply.object;
  ExecReply out;
  out.head = reply.head;
  out.exit_code = integer_member(object, "exit_code").value_or(kExitNotStarted);
  out.out = output_from(object, "stdout");
  out.err = output_from(object, "stderr");
  out.duration_ms = integer_member(object, "duration_ms").value_or(0);
  out.timeout_requested_ms = integer_member(object, "timeout_requested_ms");
  out.timeout_effective_ms = integer_member(object, "timeout_effective_ms");
  out.run_id = text_member(object, "run_id");
  return out;
}

JobRecord job_record_from(const Json& object) {
  JobRecord record;
  record.job_id = text_member(object, "job_id");
  record.state = text_member(object, "state");
  record.done = true_member(object, "done");
  record.command = text_member(object, "command");
  record.created_at = integer_member(object, "created_at").value_or(0);
  record.ended_at = integer_member(object, "ended_at").value_or(0);
  record.exit_code = integer_member(object, "exit_code").value_or(-1);
  record.duration_ms = integer_member(object, "duration_ms").value_or(0);
  record.stdout_bytes = unsigned_member(object, "stdout_bytes");
  record.stderr_bytes = unsigned_member(object, "stderr_bytes");
  record.stdout_original_bytes = unsigned_member(object, "stdout_original_bytes");
  record.stderr_original_bytes = unsigned_member(object, "stderr_original_bytes");
  record.stdout_truncated = true_member(object, "stdout_truncated");
  record.stderr_truncated = true_member(object, "stderr_truncated");
  record.timeout_ms = integer_member(object, "timeout_ms").value_or(0);
  record.pid = integer_member(object, "pid").value_or(0);
  record.workdir = text_member(object, "workdir");
  record.error_msg = text_member(object, "error_msg");
  return record;
}

StatReply stat_reply_from(const Reply& reply) {
  StatReply out;
  out.head = reply.head;
  out.path = text_member(reply.object, "path");
  out.is_directory = true_member(reply.object, "isdir");
  out.size = unsigned_member(reply.object, "size");
  out.truncated = true_member(reply.object, "truncated");
  const auto files = reply.object.find("files");
  if (files == reply.object.end() || !files->is_array()) return out;
  for (const Json& file : *files)
    if (file.is_object()) out.files.push_back({text_member(file, "path"), unsigned_member(file, "size")});
  return out;
}

SpaceReply space_reply_from(const Reply& reply) {
  SpaceReply out;
  out.head = reply.head;
  out.path = text_member(reply.object, "path");
  out.resolved = text_member(reply.object, "resolved");
  out.free_bytes = unsigned_member(reply.object, "free_bytes");
  out.total_bytes = unsigned_member(reply.object, "total_bytes");
  out.block_size = unsigned_member(reply.object, "block_size");
  return out;
}

TailReply tail_reply_from(const Reply& reply) {
  TailReply out;
  out.head = reply.head;
  out.record = job_record_from(reply.object);
  out.is_stderr = text_member(reply.object, "stream") == "stderr";
  out.data = bytes_member(reply.object, "data");
  out.offset = unsigned_member(reply.object, "offset");
  out.next_offset = unsigned_member(reply.object, "next_offset");
  return out;
}

}  // namespace hostclaw::hostlink
