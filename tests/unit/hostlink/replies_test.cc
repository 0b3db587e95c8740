// SPDX-License-Identifier: Apache-2.0
#include "hostlink/proto/replies.h"

#include <catch2/catch.hpp>
#include <string>

#include "base/utf8.h"
#include "hostlink/proto/base64.h"
#include "hostlink/proto/frame.h"

using namespace hostclaw;
using namespace hostclaw::hostlink;

namespace {

const ReplyHead kOk{"1", "box", ReplyStatus::kOk, {}, {}, {}, {}, {}};
const std::string kBegin = R"({"version":1,"id":"1","node":"box","status":"ok")";

Reply read(const std::string& payload) {
  const auto reply = parse_reply(payload);
  REQUIRE(reply.has_value());
  return *reply;
}

ExecReply with_output(std::string out, std::string err = {}) {
  ExecReply reply;
  reply.head = kOk;
  reply.out.bytes = std::move(out);
  reply.out.original_bytes = reply.out.bytes.size();
  reply.err.bytes = std::move(err);
  reply.err.original_bytes = reply.err.bytes.size();
  return reply;
}

JobRecord record() {
  JobRecord job;
  job.job_id = "0123456789ab";
  job.state = "exited";
  job.done = true;
  job.command = "make all";
  job.created_at = 1700000000;
  job.ended_at = 1700000005;
  job.exit_code = 2;
  job.duration_ms = 5000;
  job.stdout_bytes = 10;
  job.stderr_bytes = 11;
  job.stdout_original_bytes = 12;
  job.stderr_original_bytes = 13;
  job.stderr_truncated = true;
  job.timeout_ms = 86400000;
  job.pid = 77;
  job.workdir = "/srv";
  return job;
}

}  // namespace

TEST_CASE("each reply has the members that the contract names") {
  CHECK(build_pong(kOk, 5) == kBegin + R"(,"uptime_s":5})");
  CHECK(build_detached_reply(kOk, "0123456789ab") ==
        kBegin +
            R"(,"detached":true,"job_id":"0123456789ab","stdout_truncated":false,"stderr_truncated":false,)"
            R"("stdout_original_bytes":0,"stderr_original_bytes":0})");
  CHECK(build_put_reply(kOk, "/a", 3) == kBegin + R"(,"path":"/a","bytes_written":3})");
  CHECK(build_get_reply(kOk, "/a", "hi") == kBegin + R"(,"path":"/a","size":2,"content":"aGk="})");
  CHECK(build_get_stream_begin(kOk, "/a", 9) == kBegin + R"(,"path":"/a","size":9,"stream":true})");
  CHECK(build_get_stream_end(kOk, "ab", 9) == kBegin + R"(,"sha256":"ab","size":9,"stream_end":true})");
  CHECK(build_put_stream_ready(kOk) == kBegin + R"(,"ready":true})");
  CHECK(build_put_stream_ready(kOk, 5) == kBegin + R"(,"ready":true,"offset":5})");
  CHECK(build_get_stream_begin(kOk, "/a", 9, 5) ==
        kBegin + R"(,"path":"/a","size":9,"stream":true,"offset":5})");
  CHECK(build_put_stream_end(kOk, "/a", 9, "ab") == kBegin + R"(,"path":"/a","size":9,"sha256":"ab"})");
  StatReply stat;
  stat.head = kOk;
  stat.path = "/d";
  stat.is_directory = true;
  stat.size = 3;
  stat.files = {{"a/b", 1}, {"c", 2}};
  CHECK(build_stat_reply(stat) ==
        kBegin +
            R"(,"path":"/d","isdir":true,"size":3,"files":[{"path":"a/b","size":1},{"path":"c","size":2}]})");
  SpaceReply space{kOk, "/a/b", "/a", 1, 2, 4096};
  CHECK(build_space_reply(space) ==
        kBegin + R"(,"path":"/a/b","resolved":"/a","free_bytes":1,"total_bytes":2,"block_size":4096})");
  ExecReply exec = with_output("o", "e");
  exec.exit_code = 3;
  exec.duration_ms = 12;
  const std::string sizes =
      R"(,"stdout_truncated":false,"stderr_truncated":false,"stdout_original_bytes":1,"stderr_original_bytes":1)";
  CHECK(build_exec_reply(exec) ==
        kBegin + R"(,"exit_code":3,"stdout":"o","stderr":"e")" + sizes + R"(,"duration_ms":12})");
  exec.out.file = "/run/o";
  exec.err.file = "/run/e";
  exec.timeout_requested_ms = 900000;
  exec.timeout_effective_ms = 300000;
  CHECK(build_exec_reply(exec) ==
        kBegin + R"(,"exit_code":3,"stdout_file":"/run/o","stderr_file":"/run/e")" + sizes +
            R"(,"duration_ms":12,"timeout_requested_ms":900000,"timeout_effective_ms":300000})");
}

TEST_CASE("a refusal says more than the original, in members that older peers leave alone") {
  const ReplyHead refused{"",       "box", ReplyStatus::kError, "not allowed: rm", "RULE_DENIED", "rules",
                          "a rule", "type"};
  CHECK(build_failure(refused) ==
        R"({"version":1,"id":"","node":"box","status":"error","error_msg":"not allowed: rm",)"
        R"("code":"RULE_DENIED","layer":"rules","explanation":"a rule","next":"type"})");
  const Reply back = read(build_failure(refused));
  CHECK(back.head.status == ReplyStatus::kError);
  CHECK(back.head.code == "RULE_DENIED");
  CHECK(back.head.next == "type");
}

TEST_CASE("output that is text has no base64 beside it") {
  const std::string text =
      "gr\xC3\xBC\xC3\x9F"
      "e\x1b[0m\n";
  const Reply reply = read(build_exec_reply(with_output(text)));
  CHECK_FALSE(reply.object.contains("stdout_base64"));
  CHECK(exec_reply_from(reply).out.bytes == text);
}

TEST_CASE("output that is no text arrives whole, and older peers see what stands behind a NUL") {
  const std::string bytes(
      "a\0b\xFF"
      "c",
      5);
  const Reply reply = read(build_exec_reply(with_output("plain", bytes)));
  CHECK_FALSE(reply.object.contains("stdout_base64"));
  CHECK(reply.object["stderr_base64"] == to_base64(bytes));
  CHECK(reply.object["stderr"] ==
        "a\xEF\xBF\xBD"
        "b\xEF\xBF\xBD"
        "c");
  CHECK(exec_reply_from(reply).err.bytes == bytes);
  CHECK_FALSE(exec_reply_from(reply).err.truncated);
}

TEST_CASE("a reply fits into a frame whatever the output is") {
  constexpr std::size_t kFrame = 1'048'576;
  constexpr std::size_t kMost = kFrame / 2;
  for (const char c : {'\x01', '\0', '\xFF', '"'}) {
    CAPTURE(static_cast<int>(c));
    const ExecReply reply = with_output(std::string(kMost, c), std::string(kMost, 'e'));
    const std::string payload = build_exec_reply(reply, kFrame);
    CHECK(payload.size() <= kFrame);
    CHECK(payload.size() > kFrame / 2);
    CHECK(payload.find(R"("stdout_truncated":true)") != std::string::npos);
  }
  const ExecReply fitting = with_output(std::string(kMost, 'x'), std::string(1000, '\x01'));
  CHECK(build_exec_reply(fitting, kFrame).find(R"("stdout_truncated":false)") != std::string::npos);
}

TEST_CASE("a job's record is read as it was built, in a reply and in a list") {
  CHECK(job_record_from(read(build_job_reply(kOk, record())).object) == record());
  JobRecord lost = record();
  lost.state = "lost";
  lost.error_msg = "supervisor gone";
  const Reply list = read(build_job_list(kOk, {lost, record()}));
  REQUIRE(list.object["jobs"].size() == 2);
  CHECK(job_record_from(list.object["jobs"][0]) == lost);
  CHECK(job_record_from(list.object["jobs"][1]) == record());
  const Reply cancel = read(build_cancel_reply(kOk, record(), true));
  CHECK(cancel.object["signalled"] == true);
  CHECK(read(build_job_list(kOk, {})).object["jobs"].empty());
}

TEST_CASE("a tail never splits a character, and never stands still") {
  TailReply tail;
  tail.head = kOk;
  tail.record = record();
  tail.offset = 10;
  tail.data = "ab\xE2\x82";
  TailReply back = tail_reply_from(read(build_tail_reply(tail)));
  CHECK(back.data == "ab");
  CHECK(back.next_offset == 12);
  tail.data = "\xE2\x82";
  back = tail_reply_from(read(build_tail_reply(tail)));
  CHECK(back.data == "\xE2\x82");
  CHECK(back.next_offset == 12);
  tail.data = "a\xE2\x82\xAC";
  CHECK(tail_reply_from(read(build_tail_reply(tail))).data == tail.data);
  tail.data = std::string("a\0b", 3);
  const Reply binary = read(build_tail_reply(tail));
  CHECK(binary.object["binary"] == true);
  CHECK(tail_reply_from(binary).data == tail.data);
}

TEST_CASE("what is no reply is told") {
  for (const char* text : {"", "[]", "{}", R"({"status":"fine"})", R"({"status":1})"}) {
    INFO(text);
    CHECK_FALSE(parse_reply(text).has_value());
  }
  // An older daemon's, without what came later.
  const Reply old = read(R"({"status":"ok","exit_code":7,"stdout":"x","later":[1]})");
  CHECK(exec_reply_from(old).exit_code == 7);
  CHECK(exec_reply_from(old).out.bytes == "x");
  CHECK(exec_reply_from(read(R"({"status":"timeout"})")).exit_code == -1);
}

TEST_CASE("base64 is that of RFC 4648, and strict where it matters") {
  for (const auto& [bytes, text] : {std::pair{"", ""}, std::pair{"f", "Zg=="}, std::pair{"fo", "Zm8="},
                                    std::pair{"foo", "Zm9v"}, std::pair{"foobar", "Zm9vYmFy"}}) {
    CHECK(to_base64(bytes) == text);
    CHECK(from_base64(text) == bytes);
  }
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  for (std::size_t size = 0; size <= all.size(); ++size)
    CHECK(from_base64(to_base64(all.substr(0, size))) == all.substr(0, size));
  for (const char* wrong : {"Zg", "Zg=", "Zg==x", "Z===", "====", "Zm9v\n", "Zm-_", "Zg==Zg==", "=Zg="}) {
    INFO(wrong);
    CHECK_FALSE(from_base64(wrong));
  }
}
