// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/text.h"
#include "hostlink/proto/base64.h"
#include "hostlink/proto/messages.h"
#include "hostlink/proto/v2_frame.h"
#include "hostlink/proto/v2_hello.h"
#include "hostlink/proto/v2_messages.h"
#include "hostlink/proto/v2_scram.h"

using namespace hostclaw;
using namespace hostclaw::hostlink;
using namespace hostclaw::hostlink::v2;

namespace {

std::string text_of(const Sha256Digest& digest) { return {digest.begin(), digest.end()}; }

const std::string kSecret = std::string(43, 'A');
const std::string kGenerated = "hlt_ci-1_" + kSecret;

// The exchange of RFC 7677, section 3.
Exchange rfc_exchange() {
  return {"user",
          "rOprNGfwEbeRWgbNEkqO",
          "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
          from_base64("W22ZaJ0SNY7soEsUEjb6gQ==").value(),
          4096,
          ""};
}

struct Read {
  std::vector<std::pair<Kind, std::string>> frames;
  FrameProblem problem = FrameProblem::kNone;
};

Read read_all(const std::string& bytes, Side reader, std::size_t piece = 1000) {
  Decoder decoder(reader);
  Read read;
  for (std::size_t from = 0; from < bytes.size(); from += piece) {
    decoder.append(std::string_view(bytes).substr(from, piece));
    while (const auto frame = decoder.next()) read.frames.emplace_back(frame->kind, frame->payload);
  }
  read.problem = decoder.problem();
  return read;
}

std::string one(Kind kind, std::uint32_t stream, std::string_view payload = {}) {
  std::string out;
  append_frame(out, kind, stream, payload);
  return out;
}

}  // namespace

TEST_CASE("the proof is the one of RFC 7677, at both ends") {
  const Exchange exchange = rfc_exchange();
  const auto client = client_proof("pencil", exchange);
  REQUIRE(client);
  CHECK(to_base64(text_of(client->proof)) == "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  CHECK(to_base64(text_of(client->server_signature)) == "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
  const Verifier verifier = make_verifier("pencil", exchange.salt, 4096);
  const auto server = check_proof(verifier, exchange, text_of(client->proof));
  REQUIRE(server);
  CHECK(*server == client->server_signature);
}

TEST_CASE("HMAC is the one of RFC 4231, for short and for long keys") {
  CHECK(to_hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")) ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(to_hex(hmac_sha256(std::string(131, '\xaa'),
                           "Test Using Larger Than Block-Size Key - Hash Key First")) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_CASE("a proof holds for its token, its exchange and its channel alone") {
  Exchange exchange{"ci-1", "abc", "abcdef", "salt", kGeneratedIterations, "channel"};
  const Verifier verifier = make_verifier(kGenerated, "salt", kGeneratedIterations);
  const std::string proof = text_of(client_proof(kGenerated, exchange)->proof);
  CHECK(check_proof(verifier, exchange, proof));
  CHECK_FALSE(check_proof(make_verifier(kGenerated + "x", "salt", 1), exchange, proof));
  CHECK_FALSE(check_proof(make_verifier(kGenerated, "sale", 1), exchange, proof));
  CHECK_FALSE(check_proof(verifier, exchange, proof.substr(1)));
  CHECK_FALSE(check_proof(verifier, exchange, ""));
  CHECK_FALSE(check_proof(verifier, exchange, text_of(verifier.stored_key)));
  for (std::string Exchange::*member :
       {&Exchange::key_id, &Exchange::client_nonce, &Exchange::nonce, &Exchange::salt, &Exchange::channel}) {
    Exchange other = exchange;
    other.*member += "x";
    CHECK_FALSE(check_proof(verifier, other, proof));
  }
  Exchange without = exchange;
  without.channel.clear();
  CHECK_FALSE(check_proof(verifier, without, proof));
}

TEST_CASE("a client proves nothing to a daemon that makes guessing cheap or waiting long") {
  Exchange exchange{"default", "abc", "abcdef", "salt", 4096, ""};
  CHECK(client_proof("chosen", exchange));
  exchange.iterations = 4095;
  CHECK_FALSE(client_proof("chosen", exchange));
  exchange.iterations = kMaxIterations + 1;
  CHECK_FALSE(client_proof("chosen", exchange));
  exchange.iterations = 1;
  CHECK(client_proof(kGenerated, exchange));
  exchange.nonce = "abc";
  CHECK_FALSE(client_proof(kGenerated, exchange));
  exchange.nonce = "xbcdef";
  CHECK_FALSE(client_proof(kGenerated, exchange));
  exchange.nonce = "abc" + std::string(kMaxNonceText, 'x');
  CHECK_FALSE(client_proof(kGenerated, exchange));
}

TEST_CASE("a generated token says its key id, every other text is the default's") {
  CHECK(token_key_id(kGenerated) == "ci-1");
  CHECK(token_key_id("hlt_a_" + std::string(42, 'A') + "_") == "a");
  for (const std::string& token : {std::string("s3cret"), "hlt__" + kSecret, "hlt_a" + kSecret,
                                   kGenerated + "=", "hlt_a_" + kSecret.substr(1), "hlt_a/b_" + kSecret,
                                   std::string("hlt_"), "hlt_" + std::string(33, 'k') + "_" + kSecret}) {
    INFO(token);
    CHECK(token_key_id(token) == "default");
  }
}

TEST_CASE("the opening frames say what they were given, and no token") {
  const auto hello = parse_request(build_hello({"7", "ci-1", "abc"}));
  REQUIRE(hello.has_value());
  CHECK(hello->type == RequestType::kHello);
  CHECK(hello->key == "ci-1");
  CHECK(hello->nonce == "abc");
  CHECK(hello->token.empty());
  CHECK(hello->other_members.empty());
  Challenge challenge;
  challenge.head = {"7", "box", ReplyStatus::kOk, {}, {}, {}, {}, {}};
  challenge.nonce = "abcdef";
  challenge.salt = std::string("\0\xFF", 2);
  challenge.iterations = 4096;
  challenge.features = {"requests"};
  const auto read = challenge_from(*parse_reply(build_challenge(challenge)));
  REQUIRE(read.has_value());
  REQUIRE(*read);
  CHECK((*read)->salt == challenge.salt);
  CHECK((*read)->iterations == 4096);
  CHECK((*read)->features == challenge.features);
  CHECK((*read)->head.node == "box");
  CHECK(*parse_proof(build_proof("7", "\x01\x02")) == "\x01\x02");
  CHECK(signature_from(*parse_reply(build_welcome(challenge.head, "sig"))) == "sig");
}

TEST_CASE("an older daemon's answer to a hello is no challenge, and a broken one is an error") {
  for (const char* old : {R"({"status":"auth_failed","error_msg":"authentication failed"})",
                          R"({"status":"bad_request","error_msg":"unknown message type"})",
                          R"({"status":"ok","uptime_s":5})"}) {
    const auto read = challenge_from(*parse_reply(old));
    REQUIRE(read.has_value());
    CHECK_FALSE(*read);
  }
  for (const char* broken : {R"({"status":"ok","protocol":2})",
                             R"({"status":"ok","protocol":2,"nonce":"x","salt":"","iterations":1})",
                             R"({"status":"ok","protocol":2,"nonce":"x","salt":"?","iterations":1})",
                             R"({"status":"ok","protocol":2,"nonce":"x","salt":"AAAA","iterations":0})",
                             R"({"status":"ok","protocol":2,"nonce":"x","salt":"AAAA","iterations":1e12})"}) {
    INFO(broken);
    CHECK_FALSE(challenge_from(*parse_reply(broken)).has_value());
  }
  CHECK_FALSE(parse_proof(R"({"type":"ping"})").has_value());
  CHECK_FALSE(parse_proof(R"({"type":"proof","proof":"x"})").has_value());
  CHECK(unknown_key_salt("s", "a") == unknown_key_salt("s", "a"));
  CHECK(unknown_key_salt("s", "a") != unknown_key_salt("s", "b"));
  CHECK(unknown_key_salt("s", "a").size() == kSaltBytes);
}

TEST_CASE("a frame of protocol 2 has the bytes that the document gives") {
  CHECK(to_hex(one(Kind::kStdin, 1, "hi")) == "02000002000000016869");
  CHECK(to_hex(one(Kind::kStdoutEnd, 0x01020304)) == "2400000001020304");
  std::string out;
  append_credit(out, 2, {Channel::kStderr, 0x10000});
  append_resize(out, 2, {80, 24, 0, 1});
  CHECK(to_hex(out) ==
        "420000050000000202000100000500000800000002"
        "0050001800000001");
}

TEST_CASE("frames of protocol 2 are read whatever the pieces they come in") {
  const std::string bytes = one(Kind::kStdout, 1, "abc") + one(Kind::kStderrEnd, 1) +
                            one(static_cast<Kind>(0x90), 0, "later") + one(Kind::kExit, 1, "{}");
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    CAPTURE(piece);
    const Read read = read_all(bytes, Side::kClient, piece);
    CHECK(read.frames == std::vector<std::pair<Kind, std::string>>{
                             {Kind::kStdout, "abc"}, {Kind::kStderrEnd, ""}, {Kind::kExit, "{}"}});
    CHECK(read.problem == FrameProblem::kNone);
  }
}

TEST_CASE("each fault of a frame is told by its header alone, and its sound twin passes") {
  struct Row {
    Kind kind;
    std::uint32_t stream;
    std::size_t length;
    Side reader;
    FrameProblem problem;
  };
  for (const Row& row : {
           Row{Kind::kStdout, 1, 5, Side::kDaemon, FrameProblem::kWrongSide},
           Row{Kind::kStdin, 1, 5, Side::kClient, FrameProblem::kWrongSide},
           Row{Kind::kStdin, 1, 5, Side::kDaemon, FrameProblem::kNone},
           Row{Kind::kStdin, 1, 0, Side::kDaemon, FrameProblem::kWrongLength},
           Row{Kind::kStdin, 1, kMaxDataPayload, Side::kDaemon, FrameProblem::kNone},
           Row{Kind::kStdin, 1, kMaxDataPayload + 1, Side::kDaemon, FrameProblem::kTooLong},
           Row{Kind::kOpen, 1, kMaxJsonPayload + 1, Side::kDaemon, FrameProblem::kTooLong},
           Row{Kind::kOpen, 0, 5, Side::kDaemon, FrameProblem::kWrongStream},
           Row{Kind::kPing, 1, 8, Side::kDaemon, FrameProblem::kWrongStream},
           Row{Kind::kPing, 0, 8, Side::kDaemon, FrameProblem::kNone},
           Row{Kind::kPing, 0, 7, Side::kDaemon, FrameProblem::kWrongLength},
           Row{Kind::kStdinEnd, 1, 1, Side::kDaemon, FrameProblem::kWrongLength},
           Row{Kind::kSignal, 1, 17, Side::kDaemon, FrameProblem::kTooLong},
           Row{static_cast<Kind>(0x50), 1, 1, Side::kDaemon, FrameProblem::kUnknownKind},
           Row{static_cast<Kind>(0xF0), 1, kMaxJsonPayload + 1, Side::kDaemon, FrameProblem::kTooLong},
           Row{static_cast<Kind>(0xF0), 0, 1, Side::kDaemon, FrameProblem::kNone},
       }) {
    CAPTURE(static_cast<int>(row.kind), row.stream, row.length);
    const auto head = header(row.kind, row.stream, row.length);
    const Read read = read_all({head.data(), head.size()}, row.reader);
    CHECK(read.problem == row.problem);
    CHECK(read.frames.empty());
  }
  // Final: nothing behind it is read.
  CHECK(read_all(one(static_cast<Kind>(0x50), 1) + one(Kind::kPing, 0, "12345678"), Side::kClient)
            .frames.empty());
}

TEST_CASE("credit and window sizes are read back, and nothing else is") {
  Decoder decoder(Side::kDaemon);
  std::string out;
  append_credit(out, 1, {Channel::kStdout, 5});
  append_resize(out, 1, {80, 24, 640, 480});
  decoder.append(out);
  const auto credit = credit_from(decoder.next()->payload);
  REQUIRE(credit);
  CHECK(credit->channel == Channel::kStdout);
  CHECK(credit->bytes == 5);
  CHECK(window_size_from(decoder.next()->payload) == WindowSize{80, 24, 640, 480});
  CHECK(decoder.between_frames());
  CHECK_FALSE(credit_from(std::string("\3\0\0\0\1", 5)));
  CHECK_FALSE(credit_from("x"));
  CHECK_FALSE(window_size_from("x"));
}

TEST_CASE("windows count what may be sent, and notice a peer that does not") {
  SendWindow send;
  send.sent(send.available());
  CHECK(send.available() == 0);
  CHECK(send.add(10));
  CHECK(send.available() == 10);
  CHECK_FALSE(send.add(kMaxCredit));
  CHECK_FALSE(send.add(kMaxCredit + 1U));
  ReceiveWindow receive;
  CHECK(receive.received(kInitialCredit));
  CHECK_FALSE(receive.received(1));
  CHECK(receive.consumed(10) == 0);
  CHECK(receive.consumed(kInitialCredit - 10) == kInitialCredit);
  CHECK(receive.received(kInitialCredit));
}

TEST_CASE("a run is asked for byte by byte") {
  OpenRun open;
  open.id = "1";
  open.argv = {"printf", "%s", "a b\"$(x)", "\xFF\xFE", ""};
  open.env = {{"A", "\xFF"}, {"B", "2"}};
  open.workdir = "/srv/\xE9";
  open.timeout_ms = 7;
  open.has_stdin = true;
  open.keep = true;
  open.terminal = OpenTerminal{"xterm", {80, 24, 1, 2}};
  const auto read = parse_open_run(build_open_run(open));
  REQUIRE(read.has_value());
  CHECK(read->argv == open.argv);
  CHECK(read->env == open.env);
  CHECK(read->workdir == open.workdir);
  CHECK(read->timeout_ms == 7);
  CHECK(read->has_stdin);
  CHECK(read->keep);
  REQUIRE(read->terminal);
  CHECK(read->terminal->term == "xterm");
  CHECK(read->terminal->size == open.terminal->size);
  CHECK(read->other_members.empty());
  OpenRun text;
  text.command = "echo hi";
  CHECK(build_open_run(text) == R"({"type":"exec","id":"","command":"echo hi"})");
  CHECK(parse_open_run(build_open_run(text))->command == "echo hi");
  CHECK(open_type(build_open_run(text)) == "exec");
  CHECK(open_type(R"({"type":"get_stat","path":"/"})") == "get_stat");
  CHECK(open_type("[") == "");
}

TEST_CASE("a run that cannot be is refused with its reason, and claims of authority are named") {
  for (const char* wrong :
       {R"({"type":"exec"})", R"({"type":"ping","command":"x"})",
        R"({"type":"exec","command":"x","argv":["x"]})", R"({"type":"exec","argv":[]})",
        R"({"type":"exec","argv":"x"})", R"({"type":"exec","argv":[1]})", R"({"type":"exec","argv":[""]})",
        R"({"type":"exec","argv":["a\u0000"]})", R"({"type":"exec","argv_base64":["?"]})",
        R"({"type":"exec","command":"a\u0000b"})", R"({"type":"exec","command_base64":"?"})",
        R"({"type":"exec","command":"x","env":["A=1"]})", R"({"type":"exec","command":"x","env":{"A":1}})",
        R"({"type":"exec","command":"x","env":{"A=":"1"}})",
        R"({"type":"exec","command":"x","env_base64":{"A":"?"}})", "[]", "{"}) {
    INFO(wrong);
    CHECK_FALSE(parse_open_run(wrong).has_value());
  }
  const auto claims = parse_open_run(R"({"type":"exec","command":"x","agentId":"main","terminal":7})");
  REQUIRE(claims.has_value());
  CHECK(claims->other_members == std::vector<std::string>{"agentId"});
  CHECK_FALSE(claims->terminal);
}

TEST_CASE("an end is read as it was said: a status, a signal, a refusal") {
  Exit signalled;
  signalled.signal = "TERM";
  signalled.signal_number = 15;
  signalled.cancelled = true;
  signalled.duration_ms = 3;
  signalled.run_id = "r1";
  const auto read = parse_exit(build_exit(signalled));
  REQUIRE(read.has_value());
  CHECK(read->signal == "TERM");
  CHECK(read->signal_number == 15);
  CHECK(read->cancelled);
  CHECK_FALSE(read->exit_code);
  CHECK(read->run_id == "r1");
  Exit status;
  status.exit_code = 7;
  CHECK(build_exit(status) == R"({"status":"ok","exit_code":7,"duration_ms":0})");
  Exit refused;
  refused.head = {"", "box", ReplyStatus::kError, "no", "RULE_DENIED", "rules", "why", "type"};
  CHECK(parse_exit(build_exit(refused))->head.next == "type");
  CHECK_FALSE(parse_exit("{}").has_value());
  CHECK(parse_started(build_started({"r1", 5}))->pid == 5);
  CHECK(parse_goodbye(build_goodbye({"A", "b"})).message == "b");
  CHECK(parse_goodbye("x").code.empty());
}
