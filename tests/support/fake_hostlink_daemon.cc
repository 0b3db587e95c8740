// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_hostlink_daemon.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include "base/sha256.h"
#include "base/text.h"
#include "hostlink/proto/base64.h"
#include "hostlink/proto/frame.h"
#include "hostlink/proto/v2_hello.h"

namespace hostclaw::hostlink {
namespace {

const std::string kJob = "0123456789ab";
constexpr std::uint32_t kFakeIterations = 4096;

bool starts(const std::string& path, const std::string& folder) { return path.starts_with(folder + "/"); }

}  // namespace

// A connection that ends as soon as the daemon is told to stop.
struct FakeHostLinkDaemon::Connection {
  OwnedFd fd;
  int stop = -1;
  FrameDecoder decoder;
  std::string bytes;
  std::string* seen = nullptr;
  std::mutex* mutex = nullptr;

  // False at the end.
  bool read_more() {
    pollfd waited[2] = {{fd.get(), POLLIN, 0}, {stop, POLLIN, 0}};
    while (::poll(waited, 2, -1) < 0) {
    }
    if (waited[1].revents != 0) return false;
    char buffer[65536];
    const ssize_t got = ::read(fd.get(), buffer, sizeof(buffer));
    if (got <= 0) return false;
    bytes.append(buffer, static_cast<std::size_t>(got));
    const std::lock_guard lock(*mutex);
    if (seen->size() < 1'000'000) seen->append(buffer, static_cast<std::size_t>(got));
    return true;
  }
  std::optional<std::string> frame() {
    for (;;) {
      const FrameStep step = decoder.feed(bytes);
      bytes.erase(0, step.consumed);
      if (step.event == FrameEvent::kFrame) return std::string(decoder.payload());
      if (step.event != FrameEvent::kNeedMore || !read_more()) return std::nullopt;
    }
  }
  void send_bytes(std::string_view out) {
    while (!out.empty()) {
      const ssize_t done = ::send(fd.get(), out.data(), out.size(), MSG_NOSIGNAL);
      if (done <= 0) return;
      out.remove_prefix(static_cast<std::size_t>(done));
    }
  }
  void send(std::string_view payload) { send_bytes(encode_frame(payload)); }
};

FakeHostLinkDaemon::FakeHostLinkDaemon(FakeDaemonNature nature) : nature_(std::move(nature)) {
  std::string folder = "/tmp/hostlink-fake-XXXXXX";
  if (nature_.folder.empty() && ::mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no folder");
  if (!nature_.folder.empty()) folder = nature_.folder;
  if (nature_.folder.empty()) folder_ = folder;
  socket_ = folder + "/hostlink.sock";
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
  stop_read_ = OwnedFd(ends[0]);
  stop_write_ = OwnedFd(ends[1]);
  listener_ = OwnedFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket_.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(listener_.get(), 64) != 0)
    throw std::runtime_error("cannot listen");
  acceptor_ = std::thread([this] { accept_all(); });
}

FakeHostLinkDaemon::~FakeHostLinkDaemon() {
  stop_write_.close();
  acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
  ::unlink(socket_.c_str());
  if (!folder_.empty()) ::rmdir(folder_.c_str());
}

void FakeHostLinkDaemon::accept_all() {
  for (;;) {
    pollfd waited[2] = {{listener_.get(), POLLIN, 0}, {stop_read_.get(), POLLIN, 0}};
    if (::poll(waited, 2, -1) < 0) continue;
    if (waited[1].revents != 0) return;
    OwnedFd accepted(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!accepted) continue;
    threads_.emplace_back([this, fd = std::move(accepted)]() mutable {
      Connection connection;
      connection.fd = std::move(fd);
      connection.stop = stop_read_.get();
      connection.seen = &seen_;
      connection.mutex = &mutex_;
      serve(connection);
    });
  }
}

void FakeHostLinkDaemon::happened(const std::string& word) {
  const std::lock_guard lock(mutex_);
  words_.push_back(word);
  changed_.notify_all();
}

bool FakeHostLinkDaemon::await(const std::string& word) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(20),
                           [&] { return std::find(words_.begin(), words_.end(), word) != words_.end(); });
}

std::vector<Request> FakeHostLinkDaemon::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::vector<v2::OpenRun> FakeHostLinkDaemon::runs() const {
  const std::lock_guard lock(mutex_);
  return runs_;
}

std::optional<std::string> FakeHostLinkDaemon::file(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto found = nature_.files.find(path);
  return found == nature_.files.end() ? std::nullopt : std::optional(found->second);
}

std::uint32_t FakeHostLinkDaemon::mode(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto found = modes_.find(path);
  return found == modes_.end() ? 0 : found->second;
}

bool FakeHostLinkDaemon::token_crossed() const {
  const std::lock_guard lock(mutex_);
  return seen_.find(nature_.token) != std::string::npos;
}

ReplyHead FakeHostLinkDaemon::head(const Request& request) const {
  return {request.id, "box", ReplyStatus::kOk, {}, {}, {}, {}, {}};
}

void FakeHostLinkDaemon::serve(Connection& connection) {
  const auto payload = connection.frame();
  if (!payload) return;
  const auto request = parse_request(*payload);
  if (!request) return;
  if (request->type == RequestType::kHello && nature_.speaks_v2) return serve_v2(connection, *request);
  // As the original: who has no token is told nothing else, not even that the type is unknown.
  if (request->token != nature_.token) {
    return connection.send(build_failure(
        {"", "box", ReplyStatus::kAuthFailed, std::string(kAuthenticationFailed), {}, {}, {}, {}}));
  }
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(*request);
  }
  ReplyHead fault = head(*request);
  fault.status = ReplyStatus::kBadRequest;
  fault.error_msg = request_fault(*request).value_or("");
  if (nature_.unknown.contains(request->type)) fault.error_msg = kUnknownMessageType;
  if (!fault.error_msg.empty()) return connection.send(build_failure(fault));
  serve_request(connection, *request);
}

void FakeHostLinkDaemon::serve_request(Connection& connection, const Request& request) {
  ReplyHead missing = head(request);
  missing.status = ReplyStatus::kError;
  missing.error_msg = "cannot open " + request.path;
  switch (request.type) {
    case RequestType::kPing:
      return connection.send(build_pong(head(request), 42));
    case RequestType::kExec:
      return serve_exec(connection, request);
    case RequestType::kJob:
      return serve_job(connection, request);
    case RequestType::kStatFs:
      return connection.send(
          build_space_reply({head(request), request.path, "/", nature_.free_bytes, 2'000'000'000'000, 4096}));
    case RequestType::kPut: {
      const std::string bytes = from_base64(*request.content).value();
      const std::lock_guard lock(mutex_);
      nature_.files[request.path] = bytes;
      modes_[request.path] = request.mode;
      return connection.send(build_put_reply(head(request), request.path, bytes.size()));
    }
    case RequestType::kGet: {
      const auto bytes = file(request.path);
      return connection.send(bytes ? build_get_reply(head(request), request.path, *bytes)
                                   : build_failure(missing));
    }
    case RequestType::kGetStat:
      return serve_get_stat(connection, request);
    case RequestType::kGetStream:
      return serve_get_stream(connection, request);
    case RequestType::kPutStream:
      return serve_put_stream(connection, request);
    default:
      return;
  }
}

// `exit N`, `out TEXT`, `binary`, `slow` (a timeout), `refused`, `busy`, `hangup`, `garbage`.
void FakeHostLinkDaemon::serve_exec(Connection& connection, const Request& request) {
  if (request.detach) {
    return connection.send(nature_.knows_job_ids
                               ? build_detached_reply(head(request), kJob)
                               : R"({"version":1,"id":"","node":"box","status":"ok","detached":true})");
  }
  if (request.command == "hangup") return;
  if (request.command == "garbage") return connection.send_bytes("HTTP/1.1 400 Bad Request\r\n\r\n");
  ExecReply reply;
  reply.head = head(request);
  reply.duration_ms = 12;
  if (request.command == "refused") {
    reply.head.status = ReplyStatus::kError;
    reply.head.error_msg = "not allowed: refused";
    reply.head.code = "RULE_DENIED";
    reply.head.next = "hostclaw policy allow refused";
    reply.exit_code = kExitNotStarted;
  } else if (request.command == "slow") {
    reply.head.status = ReplyStatus::kTimeout;
    reply.exit_code = kExitTimeout;
    reply.out.bytes = "part";
  } else if (request.command == "binary") {
    reply.out.bytes = std::string("a\0\xFF", 3);
  } else if (request.command.starts_with("exit ")) {
    reply.exit_code = std::atoi(request.command.c_str() + 5);
    reply.err.bytes = "complaint\n";
  } else {
    reply.out.bytes = request.command.substr(std::min<std::size_t>(4, request.command.size())) + "\n";
  }
  reply.out.original_bytes = reply.out.bytes.size();
  connection.send(build_exec_reply(reply));
}

// One job, which is running at the first look and has exited with 3 at every later one.
void FakeHostLinkDaemon::serve_job(Connection& connection, const Request& request) {
  JobRecord record;
  record.job_id = kJob;
  record.command = "make all";
  const std::string out = "line one\nline two\n";
  record.stdout_bytes = out.size();
  std::size_t looks = 0;
  for (const Request& one : requests())
    if (one.type == RequestType::kJob) ++looks;
  record.done = looks > 1 && !nature_.job_runs_on;
  record.state = record.done ? "exited" : "running";
  record.exit_code = record.done ? 3 : -1;
  if (request.action == JobAction::kList) return connection.send(build_job_list(head(request), {record}));
  if (request.job_id != kJob) {
    ReplyHead unknown = head(request);
    unknown.status = ReplyStatus::kNotFound;
    unknown.error_msg = "no such job";
    return connection.send(build_failure(unknown));
  }
  if (request.action == JobAction::kTail) {
    TailReply tail;
    tail.head = head(request);
    tail.record = record;
    tail.is_stderr = request.tail_stderr;
    tail.offset = request.offset;
    // A line at a time, so that it has to be followed.
    if (!request.tail_stderr && request.offset < out.size()) tail.data = out.substr(request.offset, 9);
    return connection.send(build_tail_reply(tail));
  }
  if (request.action == JobAction::kCancel) {
    ReplyHead gone = head(request);
    gone.error_msg = record.done ? "job has ended" : "";
    return connection.send(build_cancel_reply(gone, record, !record.done));
  }
  connection.send(build_job_reply(head(request), record));
}

void FakeHostLinkDaemon::serve_get_stat(Connection& connection, const Request& request) {
  StatReply reply;
  reply.head = head(request);
  reply.path = request.path;
  if (const auto bytes = file(request.path)) {
    reply.size = bytes->size();
    return connection.send(build_stat_reply(reply));
  }
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [path, bytes] : nature_.files) {
      if (!starts(path, request.path)) continue;
      reply.files.push_back({path.substr(request.path.size() + 1), bytes.size()});
      reply.is_directory = true;
    }
  }
  if (!nature_.extra_file.empty()) reply.files.push_back({nature_.extra_file, 1});
  if (!reply.is_directory) {
    reply.head.status = ReplyStatus::kError;
    reply.head.error_msg = "cannot stat " + request.path;
    return connection.send(build_failure(reply.head));
  }
  connection.send(build_stat_reply(reply));
}

void FakeHostLinkDaemon::serve_get_stream(Connection& connection, const Request& request) {
  const auto bytes = file(request.path);
  if (!bytes) {
    ReplyHead missing = head(request);
    missing.status = ReplyStatus::kError;
    missing.error_msg = "cannot open " + request.path;
    return connection.send(build_failure(missing));
  }
  connection.send(build_get_stream_begin(head(request), request.path, bytes->size()));
  for (std::size_t from = 0; from < bytes->size(); from += kMaxStreamFramePayload)
    connection.send(std::string_view(*bytes).substr(from, kMaxStreamFramePayload));
  const std::string digest = nature_.breaks_digests ? std::string(64, '0') : sha256_hex(*bytes);
  connection.send(build_get_stream_end(head(request), digest, bytes->size()));
}

void FakeHostLinkDaemon::serve_put_stream(Connection& connection, const Request& request) {
  connection.send(build_put_stream_ready(head(request)));
  std::string bytes;
  while (bytes.size() < static_cast<std::size_t>(*request.size)) {
    const auto data = connection.frame();
    if (!data) return;
    bytes += *data;
  }
  const auto payload = connection.frame();
  if (!payload) return;
  const auto trailer = parse_stream_trailer(*payload);
  ReplyHead answer = head(request);
  if (!trailer || trailer->sha256 != sha256_hex(bytes)) {
    answer.status = ReplyStatus::kError;
    answer.error_msg = "sha256 mismatch";
    return connection.send(build_failure(answer));
  }
  const std::lock_guard lock(mutex_);
  nature_.files[request.path] = bytes;
  modes_[request.path] = request.mode;
  connection.send(build_put_stream_end(answer, request.path, bytes.size(), trailer->sha256));
}

void FakeHostLinkDaemon::serve_v2(Connection& connection, const Request& hello) {
  v2::Challenge challenge;
  challenge.head = head(hello);
  challenge.nonce = hello.nonce + "daemon";
  challenge.salt = "0123456789abcdef";
  const bool generated = v2::is_generated_token(nature_.token);
  challenge.iterations = generated ? v2::kGeneratedIterations : kFakeIterations;
  connection.send(v2::build_challenge(challenge));
  const auto payload = connection.frame();
  if (!payload) return;
  const v2::Exchange exchange{hello.key,      hello.nonce,          challenge.nonce,
                              challenge.salt, challenge.iterations, ""};
  auto signature = v2::check_proof(v2::make_verifier(nature_.token, challenge.salt, challenge.iterations),
                                   exchange, v2::parse_proof(*payload).value());
  if (nature_.lies_about_token) signature = Sha256Digest{};
  if (!nature_.refuses_with.empty()) {
    ReplyHead refused = head(hello);
    refused.status = ReplyStatus::kError;
    refused.error_msg = refused.next = nature_.refuses_with;
    return connection.send(build_failure(refused));
  }
  if (!signature) {
    ReplyHead refused = head(hello);
    refused.status = ReplyStatus::kAuthFailed;
    refused.error_msg = kAuthenticationFailed;
    return connection.send(build_failure(refused));
  }
  connection.send(v2::build_welcome(head(hello), std::string(signature->begin(), signature->end())));
  serve_run(connection);
}

// One run of the connection: `cat`, `words A B…` (each in brackets), `status N`, `signal` (waits for one and
// ends by it), `flood N` (so many bytes on stdout, as credit allows), `both`, `refused`, `slow`, `drop`.
void FakeHostLinkDaemon::serve_run(Connection& connection) {
  v2::Decoder decoder(v2::Side::kDaemon);
  decoder.append(std::exchange(connection.bytes, {}));
  std::optional<v2::OpenRun> open;
  std::string program;
  v2::SendWindow window;
  v2::ReceiveWindow input;
  std::uint64_t flood = 0;
  std::string echo;  // of cat, as far as there is no credit for it yet
  bool input_ended = false;
  const auto send = [&](v2::Kind kind, std::string_view payload = {}) {
    std::string out;
    v2::append_frame(out, kind, 1, payload);
    connection.send_bytes(out);
  };
  const auto end = [&](const v2::Exit& exit) { send(v2::Kind::kExit, v2::build_exit(exit)); };
  const auto end_with = [&](std::int64_t status) {
    v2::Exit exit;
    exit.exit_code = status;
    end(exit);
  };
  const auto flood_more = [&] {
    while (flood > 0 && window.available() > 0) {
      const std::size_t bytes = std::min<std::uint64_t>({flood, window.available(), v2::kMaxDataPayload});
      send(v2::Kind::kStdout, std::string(bytes, 'f'));
      window.sent(bytes);
      flood -= bytes;
      if (flood == 0) end_with(0);
    }
  };
  const auto echo_more = [&] {
    while (!echo.empty() && window.available() > 0) {
      const std::size_t bytes = std::min({echo.size(), window.available(), v2::kMaxDataPayload});
      send(v2::Kind::kStdout, std::string_view(echo).substr(0, bytes));
      echo.erase(0, bytes);
      window.sent(bytes);
      if (const auto credit = input.consumed(bytes)) {
        std::string out;
        v2::append_credit(out, 1, {v2::Channel::kStdin, credit});
        connection.send_bytes(out);
      }
    }
    if (echo.empty() && input_ended) end_with(0);
  };
  for (;;) {
    const auto frame = decoder.next();
    if (!frame) {
      if (!connection.read_more()) return happened("gone");
      decoder.append(std::exchange(connection.bytes, {}));
      continue;
    }
    if (frame->kind == v2::Kind::kOpen) {
      open = v2::parse_open_run(frame->payload).value();
      {
        const std::lock_guard lock(mutex_);
        runs_.push_back(*open);
      }
      const std::vector<std::string> words = open->argv.empty() ? split(open->command, ' ') : open->argv;
      program = words[0];
      happened("started");
      if (program == "words") {
        std::string out;
        for (std::size_t i = 1; i < words.size(); ++i) out += "[" + words[i] + "]";
        send(v2::Kind::kStdout, out);
        end_with(0);
      } else if (program == "status") {
        end_with(std::atoi(words[1].c_str()));
      } else if (program == "both") {
        send(v2::Kind::kStdout, "to out\n");
        send(v2::Kind::kStderr, "to err\n");
        end_with(0);
      } else if (program == "flood") {
        flood = std::strtoull(words[1].c_str(), nullptr, 10);
        flood_more();
      } else if (program == "refused") {
        v2::Exit exit;
        exit.head = {"",
                     "box",
                     ReplyStatus::kError,
                     "not allowed: refused",
                     "RULE_DENIED",
                     "rules",
                     "a rule says no",
                     "hostclaw policy allow refused"};
        end(exit);
      } else if (program == "slow") {
        v2::Exit exit;
        exit.head.status = ReplyStatus::kTimeout;
        end(exit);
      } else if (program == "drop") {
        return;
      }
    } else if (frame->kind == v2::Kind::kStdin && program == "cat") {
      if (!input.received(frame->payload.size())) return;
      echo += frame->payload;
      echo_more();
    } else if (frame->kind == v2::Kind::kStdinEnd && program == "cat") {
      input_ended = true;
      echo_more();
    } else if (frame->kind == v2::Kind::kSignal && program == "signal") {
      v2::Exit exit;
      exit.signal = frame->payload;
      exit.signal_number = exit.signal == "TERM" ? 15 : 2;
      end(exit);
    } else if (frame->kind == v2::Kind::kSignal) {
      happened("signal " + std::string(frame->payload));
      if (frame->payload == "PIPE") {
        flood = 0;
        end_with(141);
      }
    } else if (frame->kind == v2::Kind::kCancel) {
      happened("cancelled");
      v2::Exit exit;
      exit.signal = "KILL";
      exit.signal_number = 9;
      exit.cancelled = true;
      end(exit);
    } else if (frame->kind == v2::Kind::kCredit) {
      const auto credit = v2::credit_from(frame->payload).value();
      if (credit.channel == v2::Channel::kStdout && !window.add(credit.bytes)) return;
      flood_more();
      if (program == "cat" && !echo.empty()) echo_more();
    }
  }
}

}  // namespace hostclaw::hostlink
