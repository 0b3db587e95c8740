// SPDX-License-Identifier: Apache-2.0
#include "hostlink/proto/messages.h"

#include <catch2/catch.hpp>
#include <string>

#include "base/json.h"

using namespace hostclaw;
using namespace hostclaw::hostlink;

namespace {

Request parsed(std::string_view text) {
  const auto request = parse_request(text);
  INFO(text);
  REQUIRE(request.has_value());
  return *request;
}

Request of_type(RequestType type) {
  Request request;
  request.type = type;
  request.id = "cli-1-7";
  request.token = "t";
  return request;
}

std::string head(std::string_view type) {
  return R"({"version":1,"type":")" + std::string(type) + R"(","id":"cli-1-7","token":"t")";
}

}  // namespace

TEST_CASE("each request is built as the original's members say, defaults left out") {
  CHECK(build_request(of_type(RequestType::kPing)) == head("ping") + "}");
  Request exec = of_type(RequestType::kExec);
  exec.command = "echo \"hi\"";
  CHECK(build_request(exec) == head("exec") + R"(,"command":"echo \"hi\""})");
  exec.timeout_ms = 5000;
  exec.max_stdout_bytes = 10;
  exec.max_stderr_bytes = 20;
  exec.output_to_file = true;
  exec.workdir = "/srv";
  exec.env = {{"A", "1"}, {"B", ""}};
  exec.detach = true;
  exec.job_timeout_ms = 60000;
  CHECK(build_request(exec) ==
        head("exec") +
            R"(,"command":"echo \"hi\"","timeout_ms":5000,"max_stdout_bytes":10,"max_stderr_bytes":20,)"
            R"("output_to_file":true,"workdir":"/srv","env":{"A":"1","B":""},"detach":true,)"
            R"("job_timeout_ms":60000})");
  Request put = of_type(RequestType::kPut);
  put.path = "/tmp/a";
  put.content = "aGk=";
  put.mode = 0600;
  put.mkdir = true;
  CHECK(build_request(put) == head("put") + R"(,"path":"/tmp/a","content":"aGk=","mode":384,"mkdir":true})");
  Request put_stream = of_type(RequestType::kPutStream);
  put_stream.path = "/tmp/a";
  put_stream.size = 0;
  CHECK(build_request(put_stream) == head("put_stream") + R"(,"path":"/tmp/a","size":0,"mode":420})");
  for (const auto& [type, name] :
       {std::pair{RequestType::kGet, "get"}, std::pair{RequestType::kGetStat, "get_stat"},
        std::pair{RequestType::kStatFs, "stat_fs"}, std::pair{RequestType::kGetStream, "get_stream"}}) {
    Request file = of_type(type);
    file.path = "/x";
    CHECK(build_request(file) == head(name) + R"(,"path":"/x"})");
  }
  Request job = of_type(RequestType::kJob);
  job.action = JobAction::kList;
  CHECK(build_request(job) == head("job") + R"(,"action":"list"})");
  job.action = JobAction::kTail;
  job.job_id = "0123456789ab";
  job.tail_stderr = true;
  job.offset = 9;
  CHECK(build_request(job) ==
        head("job") +
            R"(,"action":"tail","job_id":"0123456789ab","stream":"stderr","offset":9,"max_bytes":65536})");
  job.action = JobAction::kCancel;
  CHECK(build_request(job) == head("job") + R"(,"action":"cancel","job_id":"0123456789ab","signal":"TERM"})");
}

TEST_CASE("what is built is read back") {
  Request exec = of_type(RequestType::kExec);
  exec.command = "true";
  exec.env = {{"A", "ä"}};
  exec.workdir = "/srv";
  exec.timeout_ms = 1;
  const Request back = parsed(build_request(exec));
  CHECK(back.type == RequestType::kExec);
  CHECK(back.id == "cli-1-7");
  CHECK(back.token == "t");
  CHECK(back.command == "true");
  CHECK(back.env == exec.env);
  CHECK(back.workdir == "/srv");
  CHECK(back.timeout_ms == 1);
  CHECK(back.other_members.empty());
  CHECK_FALSE(request_fault(back));
}

TEST_CASE("version is never looked at, and id and token may be absent or of another kind") {
  CHECK(parsed(R"({"version":99,"type":"ping"})").type == RequestType::kPing);
  CHECK(parsed(R"({"type":"ping","id":7,"token":[]})").id.empty());
  CHECK(parsed(R"({"type":"ping","id":7,"token":[]})").token.empty());
  CHECK(parsed(R"({"type":"ping","id":"../x"})").id == "../x");
  CHECK(parsed("{}").type == RequestType::kUnknown);
  CHECK(request_fault(parsed(R"({"type":"reboot"})")) == "unknown message type");
  CHECK(request_fault(parsed(R"({"type":7})")) == "unknown message type");
}

TEST_CASE("a timeout or limit that is no number above zero is the default") {
  for (const char* value : {"0", "-5", "\"5000\"", "null", "true", "[]", "0.2", "-1e300"}) {
    CAPTURE(value);
    const Request request =
        parsed(R"({"type":"exec","command":"x","timeout_ms":)" + std::string(value) +
               R"(,"max_stdout_bytes":)" + value + R"(,"max_stderr_bytes":)" + value + "}");
    CHECK_FALSE(request.timeout_ms);
    CHECK_FALSE(request.max_stdout_bytes);
    CHECK_FALSE(request.max_stderr_bytes);
  }
  CHECK(parsed(R"({"type":"exec","command":"x","timeout_ms":1500.7})").timeout_ms == 1500);
  CHECK(parsed(R"({"type":"exec","command":"x","timeout_ms":1e300})").timeout_ms ==
        std::numeric_limits<std::int64_t>::max());
  CHECK(parsed(R"({"type":"exec","command":"x","timeout_ms":18446744073709551615})").timeout_ms ==
        std::numeric_limits<std::int64_t>::max());
}

TEST_CASE("an environment keeps its texts and leaves the rest") {
  const Request request =
      parsed(R"({"type":"exec","command":"x","env":{"A":"1","B":2,"C":null,"D":"4"},"workdir":""})");
  CHECK(request.env == std::map<std::string, std::string>{{"A", "1"}, {"D", "4"}});
  CHECK_FALSE(request.workdir);
  CHECK(parsed(R"({"type":"exec","command":"x","env":["A=1"]})").env.empty());
}

TEST_CASE("only a true is a yes") {
  CHECK(parsed(R"({"type":"exec","command":"x","detach":true})").detach);
  CHECK_FALSE(parsed(R"({"type":"exec","command":"x","detach":1,"output_to_file":"true"})").detach);
  CHECK_FALSE(parsed(R"({"type":"exec","command":"x","detach":1,"output_to_file":"true"})").output_to_file);
}

TEST_CASE("a mode that is none is 0644, and bits beyond permissions are dropped") {
  CHECK(parsed(R"({"type":"put","path":"/a","content":"","mode":384})").mode == 0600);
  CHECK(parsed(R"({"type":"put","path":"/a","content":"","mode":0})").mode == 0644);
  CHECK(parsed(R"({"type":"put","path":"/a","content":"","mode":-1})").mode == 0644);
  CHECK(parsed(R"({"type":"put","path":"/a","content":"","mode":"0600"})").mode == 0644);
  CHECK(parsed(R"({"type":"put","path":"/a","content":"","mode":33188})").mode == 0644);
}

TEST_CASE("each fault of an authenticated request is said, and its sound twin has none") {
  struct Row {
    const char* text;
    std::optional<std::string> fault;
  };
  const std::string id = R"("job_id":"0123456789ab")";
  for (const Row& row : {
           Row{R"({"type":"ping"})", std::nullopt},
           Row{R"({"type":"exec"})", "command is required"},
           Row{R"({"type":"exec","command":""})", "command is required"},
           Row{R"({"type":"exec","command":5})", "command is required"},
           Row{R"({"type":"exec","command":"a\u0000b"})", "command holds a NUL byte"},
           Row{R"({"type":"exec","command":"a","workdir":"/\u0000"})", "workdir holds a NUL byte"},
           Row{R"({"type":"exec","command":"a","env":{"A=B":"1"}})",
               "env has an entry that is no NAME=VALUE"},
           Row{R"({"type":"exec","command":"a","env":{"":"1"}})", "env has an entry that is no NAME=VALUE"},
           Row{R"({"type":"exec","command":"a","env":{"A":"1"}})", std::nullopt},
           Row{R"({"type":"get"})", "path is required"},
           Row{R"({"type":"get","path":"/a\u0000b"})", "path holds a NUL byte"},
           Row{R"({"type":"get","path":"/a"})", std::nullopt},
           Row{R"({"type":"put","path":"/a"})", "content is required"},
           Row{R"({"type":"put","path":"/a","content":""})", std::nullopt},
           Row{R"({"type":"put_stream","path":"/a","size":-1})", "size is required"},
           Row{R"({"type":"put_stream","path":"/a","size":0})", std::nullopt},
           Row{R"({"type":"job"})", "unknown job action"},
           Row{R"({"type":"job","action":"list"})", std::nullopt},
           Row{R"({"type":"job","action":"status","job_id":"../../x"})", "invalid job_id"},
           Row{R"({"type":"job","action":"status","job_id":"0123456789AB"})", "invalid job_id"},
           Row{R"({"type":"job","action":"status","job_id":"0123456789ab"})", std::nullopt},
       }) {
    INFO(row.text);
    CHECK(request_fault(parsed(row.text)) == row.fault);
  }
  Request longest = of_type(RequestType::kExec);
  longest.command = std::string(kMaxCommandBytes, 'x');
  CHECK_FALSE(request_fault(longest));
  longest.command += 'x';
  CHECK(request_fault(longest)->starts_with("command too long: "));
}

TEST_CASE("a tail has bounds of its own") {
  const Request plain = parsed(R"({"type":"job","action":"tail","job_id":"0123456789ab"})");
  CHECK(plain.max_bytes == 65536);
  CHECK(plain.offset == 0);
  CHECK_FALSE(plain.tail_stderr);
  const Request large =
      parsed(R"({"type":"job","action":"tail","stream":"stderr","offset":5,"max_bytes":99999999})");
  CHECK(large.max_bytes == 4194304);
  CHECK(large.offset == 5);
  CHECK(large.tail_stderr);
  CHECK(parsed(R"({"type":"job","action":"cancel","signal":"KILL"})").kill);
  CHECK_FALSE(parsed(R"({"type":"job","action":"cancel","signal":"STOP"})").kill);
}

TEST_CASE("members that protocol 1 does not know are named for whoever judges them") {
  const Request request = parsed(R"({"type":"ping","agentId":"main","zeta":1,"token":"t"})");
  CHECK(request.other_members == std::vector<std::string>{"agentId", "zeta"});
  Json many = Json::object();
  for (int i = 0; i < 500; ++i) many["m" + std::to_string(i)] = i;
  CHECK(parsed(dump_json(many)).other_members.size() == 64);
}

TEST_CASE("what is no JSON object is no request") {
  for (const char* text : {"", "{", "[]", "7", "\"ping\"", "{\"type\":\"ping\"", "{\"a\":\"\xFF\"}"}) {
    INFO(text);
    CHECK_FALSE(parse_request(text).has_value());
  }
  CHECK(parse_request("{\"a\":" + std::string(100, '[')).error().code == "JSON_TOO_DEEP");
}

TEST_CASE("a request of more values than a command could have is none") {
  const auto with = [](std::size_t count) {
    std::string text = R"({"type":"ping","id":"p","x":[0)";
    for (std::size_t i = 1; i < count; ++i) text += ",0";
    return text + "]}";
  };
  CHECK(parse_request(with(kMaxValues - 10)).has_value());
  CHECK_FALSE(parse_request(with(kMaxValues)).has_value());
}

TEST_CASE("a token is found in the beginning of a request that has not arrived yet") {
  const std::string begin = R"({"version":1,"type":"put","id":"a\"b","token":"se\u0063ret","content":"aGk)";
  CHECK(peek_text_member(begin, "token") == "secret");
  CHECK(peek_text_member(begin, "type") == "put");
  CHECK_FALSE(peek_text_member(begin, "content"));
  CHECK_FALSE(peek_text_member(begin, "mode"));
  for (std::size_t size = 0; size < begin.find(R"(,"content)"); ++size) {
    CAPTURE(size);
    CHECK_FALSE(peek_text_member(begin.substr(0, size), "token"));
  }
}

TEST_CASE("only a member of the outer object is a token") {
  CHECK_FALSE(peek_text_member(R"({"env":{"token":"x"},"a":["token","y"])", "token"));
  CHECK(peek_text_member(R"({"env":{"token":"x"},"token":"y","b":)", "token") == "y");
  CHECK_FALSE(peek_text_member(R"({"a":"token","b":"x"})", "token"));
  CHECK_FALSE(peek_text_member(R"({"token":7,"a":"x"})", "token"));
  CHECK_FALSE(peek_text_member(R"([{"token":"x"}])", "token"));
  CHECK_FALSE(peek_text_member(R"({"a":1}{"token":"x"})", "token"));
  CHECK_FALSE(peek_text_member(R"({"token":"\q"})", "token"));
}

TEST_CASE("a trailer without a digest is read, for the daemon to refuse") {
  const auto whole = parse_stream_trailer(build_stream_trailer({"1", std::string(64, 'a'), true}));
  REQUIRE(whole.has_value());
  CHECK(whole->sha256 == std::string(64, 'a'));
  CHECK(whole->stream_end);
  CHECK(parse_stream_trailer(R"({"stream_end":true})")->sha256.empty());
  CHECK_FALSE(parse_stream_trailer("[]").has_value());
}
