// SPDX-License-Identifier: Apache-2.0
// Files that agents share.
#include "base/utf8.h"
#include "clawlink/http/route_calls.h"
#include "clawlink/model/wire_text.h"
#include "clawlink/store/files.h"
#include "clawlink/store/rules.h"

namespace hostclaw::clawlink {
namespace {

constexpr std::size_t kMostKeyBytes = 512;

Json info_json(const FileInfo& info) {
  return {{"file_key", info.file_key},
          {"file_type", info.file_type},
          {"last_editor", info.last_editor},
          {"version", info.version},
          {"updated_at", iso_time(info.updated_at_ms)},
          {"bytes", info.bytes},
          {"sha256", info.sha256}};
}

std::string entity_tag(std::int64_t version) { return "\"" + std::to_string(version) + "\""; }

// Text as it is; `encoding: base64` for what is no text. Another type than text is kept as its JSON.
Result<std::string> read_content(const Json& body) {
  const Json& content = body["content"];
  if (text_member(body, "encoding") == "base64") {
    const std::optional<std::string> bytes =
        content.is_string() ? from_base64(content.get_ref<const std::string&>()) : std::nullopt;
    if (!bytes) return bad_request("content is not base64");
    return *bytes;
  }
  return content.is_string() ? content.get<std::string>() : dump_json(content);
}

// `expected_version`, or If-Match: "3". `If-Match: *` wants any version to be there.
Result<std::optional<std::int64_t>> expected_version(const RouteCall& call, const std::string& file_key) {
  using Version = std::optional<std::int64_t>;
  if (const Json* const wanted = find_member(call.body, "expected_version"); wanted && !wanted->is_null()) {
    if (!wanted->is_number_integer() || wanted->get<std::int64_t>() < 0)
      return bad_request("expected_version is the number of a version; 0: there must be none");
    return Version(wanted->get<std::int64_t>());
  }
  std::string_view tag = call.request.if_match;
  if (tag.empty()) return Version();
  if (tag == "*") {
    const auto there = get_file(call.session, file_key);
    if (!there) return there.error();
    return Version(*there ? (*there)->info.version : std::int64_t{-1});
  }
  if (tag.size() < 3 || !tag.starts_with('"') || !tag.ends_with('"'))
    return bad_request("If-Match is the ETag of a file");
  tag = tag.substr(1, tag.size() - 2);
  std::int64_t version = 0;
  for (const char c : tag) {
    if (c < '0' || c > '9' || tag.size() > 15) return Version(-1);
    version = version * 10 + (c - '0');
  }
  return Version(version);
}

// Who reads: the credential, else nobody in particular.
Asker reader(const RouteCall& call) { return {call.caller.has_credential() ? call.caller.agent : "-", true}; }

Result<void> may_read(const RouteCall& call, const std::string& file_key) {
  if (call.config.access.require_credentials && !call.caller.has_credential())
    return make_error("FORBIDDEN", "this relay wants the agent_token of the agent that reads");
  return check_rules(call.session, kReadFile, reader(call), file_key);
}

Error unknown_file() { return make_error("FILE_UNKNOWN", "file not found"); }

}  // namespace

Result<Reply> save_file(RouteCall& call) {
  const Result<Sender> sender = sender_of(call, "agent_id");
  if (!sender) return sender.error();
  FilePut put;
  put.file_key = text_member(call.body, "file_key");
  put.editor = sender->agent;
  const Json* const content = find_member(call.body, "content");
  if (put.file_key.empty() || put.editor.empty() || content == nullptr || content->is_null())
    return bad_request("file_key, content, and agent_id required");
  if (put.file_key.size() > kMostKeyBytes || !is_valid_utf8(put.file_key))
    return bad_request("file_key is a text of at most 512 bytes");
  if (Result<void> may =
          check_rules(call.session, kWriteFile, {sender->agent, sender->verified}, put.file_key);
      !may)
    return may.error();
  Result<std::string> bytes = read_content(call.body);
  if (!bytes) return bytes.error();
  put.content = std::move(*bytes);
  put.file_type = text_member(call.body, "file_type", "text").substr(0, 128);
  const auto expected = expected_version(call, put.file_key);
  if (!expected) return expected.error();
  put.expected_version = *expected;
  const Result<FilePutResult> done = put_file(call.session, put);
  if (!done) return done.error();
  Reply reply;
  if (done->saved) {
    reply = json_reply({{"status", "saved"}, {"file_key", put.file_key}, {"version", done->version}});
  } else {
    reply = json_reply({{"error", "another version is there"},
                        {"code", "FILE_CONFLICT"},
                        {"current_version", done->version}},
                       409);
  }
  reply.headers.emplace_back("ETag", entity_tag(done->version));
  return reply;
}

Result<Reply> show_files(RouteCall& call) {
  const Result<std::vector<FileInfo>> files = list_files(call.session);
  if (!files) return files.error();
  Json list = Json::array();
  for (const FileInfo& info : *files) {
    if (may_read(call, info.file_key)) list.push_back(info_json(info));
  }
  return json_reply({{"files", list}, {"count", list.size()}});
}

Result<Reply> show_file(RouteCall& call) {
  const std::string& file_key = call.captured[0];
  const auto version = query_number(call.request, "version", 1, 1'000'000'000'000, 0);
  if (!version) return bad_request("version is the number of a version");
  if (Result<void> may = may_read(call, file_key); !may) return may.error();
  const auto file = get_file(call.session, file_key, *version);
  if (!file) return file.error();
  if (!*file) return unknown_file();
  Json body = info_json((*file)->info);
  const bool is_text = is_valid_utf8((*file)->content);
  body["content"] = is_text ? (*file)->content : to_base64((*file)->content);
  body["encoding"] = is_text ? "utf-8" : "base64";
  Reply reply = json_reply(body);
  reply.headers.emplace_back("ETag", entity_tag((*file)->info.version));
  return reply;
}

Result<Reply> show_file_history(RouteCall& call) {
  const std::string& file_key = call.captured[0];
  if (Result<void> may = may_read(call, file_key); !may) return may.error();
  const Result<std::vector<FileInfo>> versions = file_history(call.session, file_key);
  if (!versions) return versions.error();
  if (versions->empty()) return unknown_file();
  Json list = Json::array();
  for (const FileInfo& info : *versions) list.push_back(info_json(info));
  return json_reply({{"file_key", file_key}, {"versions", list}, {"count", list.size()}});
}

}  // namespace hostclaw::clawlink
