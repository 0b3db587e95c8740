// SPDX-License-Identifier: Apache-2.0
#include "hostlink/client/v2_link.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "base/text.h"
#include "hostlink/client/channel.h"
#include "hostlink/client/local_files.h"
#include "hostlink/client/terminal.h"
#include "hostlink/proto/v2_frame.h"
#include "hostlink/proto/v2_hello.h"
#include "hostlink/proto/v2_scram.h"

namespace hostclaw::hostlink {
namespace {

constexpr std::uint32_t kRunStream = 1;
constexpr std::size_t kReadPiece = 262'144;
constexpr std::size_t kMaxQueued = 262'144;
constexpr int kPatience = 3;  // signals to end, until it is not asked any more but cancelled

std::string bytes_of_digest(const Sha256Digest& digest) { return {digest.begin(), digest.end()}; }

Error not_authenticated(const ReplyHead& head) {
  return make_error(
      "NOT_AUTHENTICATED", head.error_msg.empty() ? std::string(kAuthenticationFailed) : head.error_msg,
      "give the token of this daemon: HOSTLINK_TOKEN, or `hostclaw hostlink token add` for a new one");
}

Error protocol_error(std::string message) { return make_error("PROTOCOL_ERROR", std::move(message)); }

Result<void> prove(FrameChannel& channel, const Session& session, const v2::Challenge& challenge,
                   const std::string& nonce, const Deadline& deadline) {
  v2::Exchange exchange;
  exchange.key_id = v2::token_key_id(session.target.token);
  exchange.client_nonce = nonce;
  exchange.nonce = challenge.nonce;
  exchange.salt = challenge.salt;
  exchange.iterations = challenge.iterations;
  exchange.channel = channel.stream().channel_binding();
  const auto proof = v2::client_proof(session.target.token, exchange);
  if (!proof) return protocol_error("the daemon's challenge is one that must not be answered");
  if (const auto sent =
          channel.send(v2::build_proof(new_request_id(), bytes_of_digest(proof->proof)), deadline);
      !sent)
    return sent;
  const auto reply = channel.receive_reply(deadline);
  if (!reply) return reply.error();
  if (reply->head.status == ReplyStatus::kAuthFailed) return not_authenticated(reply->head);
  if (reply->head.status != ReplyStatus::kOk)
    return make_error("REFUSED", reply->head.error_msg, reply->head.next);
  const auto signature = v2::signature_from(*reply);
  if (!signature || !equal_constant_time(*signature, bytes_of_digest(proof->server_signature)))
    return protocol_error("the daemon cannot prove that it knows the token: it may be somebody else");
  return {};
}

// Signals of this process, as bytes of a pipe that can be waited for with everything else.
class SignalPipe {
 public:
  SignalPipe() {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return;
    read_end_ = OwnedFd(ends[0]);
    write_end_ = OwnedFd(ends[1]);
    written_to = ends[1];
    for (std::size_t i = 0; i < kTaken.size(); ++i) {
      struct sigaction action {};
      action.sa_handler = take;
      action.sa_flags = SA_RESTART;
      ::sigaction(kTaken[i].number, &action, &before_[i]);
      // What the caller has decided not to hear stays unheard: nohup, and background jobs of a plain shell.
      if (before_[i].sa_handler == SIG_IGN) ::sigaction(kTaken[i].number, &before_[i], nullptr);
    }
  }
  ~SignalPipe() {
    if (!read_end_) return;
    for (std::size_t i = 0; i < kTaken.size(); ++i) ::sigaction(kTaken[i].number, &before_[i], nullptr);
    written_to = -1;
  }
  SignalPipe(const SignalPipe&) = delete;
  SignalPipe& operator=(const SignalPipe&) = delete;

  int fd() const { return read_end_.get(); }
  // The next signal that has come; 0 for none.
  int next() const {
    unsigned char number = 0;
    return ::read(fd(), &number, 1) == 1 ? number : 0;
  }
  static std::string_view name_of(int number) {
    for (const Taken& taken : kTaken)
      if (taken.number == number) return taken.name;
    return {};
  }

 private:
  struct Taken {
    int number;
    std::string_view name;
  };
  static constexpr std::array<Taken, 7> kTaken{{{SIGINT, "INT"},
                                                {SIGTERM, "TERM"},
                                                {SIGQUIT, "QUIT"},
                                                {SIGHUP, "HUP"},
                                                {SIGUSR1, "USR1"},
                                                {SIGUSR2, "USR2"},
                                                {SIGWINCH, "WINCH"}}};
  static void take(int number) {
    const int error = errno;
    const auto byte = static_cast<unsigned char>(number);
    // A pipe that is full holds signals enough.
    [[maybe_unused]] const ssize_t done = ::write(written_to, &byte, 1);
    errno = error;
  }

  static inline volatile sig_atomic_t written_to = -1;
  OwnedFd read_end_;
  OwnedFd write_end_;
  std::array<struct sigaction, kTaken.size()> before_{};
};

// One of the two outputs: what has come of it and is not written yet, and what the daemon may send more.
struct Output {
  v2::Channel channel = v2::Channel::kStdout;
  int fd = -1;
  bool is_pipe = false;  // a write that blocks would keep the other output and the signals waiting
  bool gone = false;     // nobody reads it any more
  std::string pending;
  std::size_t written = 0;
  v2::ReceiveWindow window;

  bool waits() const { return written < pending.size(); }
};

// A reader that is slow is given what certainly fits: poll(2) promises that much of a pipe and no more.
constexpr std::size_t kCertainlyFits = 4096;

class LiveLoop {
 public:
  LiveLoop(V2Link link, const LiveRun& run)
      : link_(std::move(link)),
        is_tls_(!link_.stream->channel_binding().empty()),
        run_(run),
        input_(run.input) {
    outputs_[0].channel = v2::Channel::kStdout;
    outputs_[0].fd = run.output;
    outputs_[1].channel = v2::Channel::kStderr;
    outputs_[1].fd = run.error;
    for (Output& output : outputs_) {
      struct stat status {};
      output.is_pipe = ::fstat(output.fd, &status) != 0 || (!S_ISREG(status.st_mode) && !is_null(status));
    }
  }

  Result<v2::Exit> run() {
    v2::append_frame(queued_, v2::Kind::kOpen, kRunStream, v2::build_open_run(run_.open));
    decoder_.append(link_.read_already);
    if (const auto handled = handle_frames(); !handled) return handled.error();
    while (!finished()) {
      if (const auto turned = turn(); !turned) return turned.error();
    }
    return std::move(*exit_);
  }

 private:
  static bool is_null(const struct stat& status) {
    struct stat null {};
    return S_ISCHR(status.st_mode) && ::stat("/dev/null", &null) == 0 && null.st_rdev == status.st_rdev;
  }

  bool finished() const { return exit_ && !outputs_[0].waits() && !outputs_[1].waits(); }

  bool takes_input() const {
    return input_ >= 0 && !exit_ && stdin_window_.available() > 0 && queued_.size() - sent_ < kMaxQueued;
  }

  // Waits until something can be done, and does it.
  Result<void> turn() {
    std::array<pollfd, 5> waited{};
    // A connection whose run has ended has nothing more to say.
    waited[0] = {exit_ ? -1 : link_.stream->fd(), POLLIN, 0};
    if (sent_ < queued_.size()) waited[0].events |= POLLOUT;
    waited[1] = {signals_.fd(), POLLIN, 0};
    waited[2] = {takes_input() ? input_ : -1, POLLIN, 0};
    for (std::size_t i = 0; i < outputs_.size(); ++i)
      waited[3 + i] = {outputs_[i].waits() ? outputs_[i].fd : -1, POLLOUT, 0};
    if (::poll(waited.data(), waited.size(), -1) < 0 && errno != EINTR)
      return protocol_error("cannot wait for the daemon");
    if (waited[1].revents != 0) pass_signals();
    if (waited[2].revents != 0) read_input();
    for (std::size_t i = 0; i < outputs_.size(); ++i)
      if (waited[3 + i].revents != 0) write_output(outputs_[i]);
    if (exit_) return {};
    // What was just put into the queue goes out at once, without another round of waiting.
    if (const auto sent = send_queued(); !sent) return sent;
    return waited[0].revents != 0 ? receive() : Result<void>();
  }

  Result<void> send_queued() {
    while (sent_ < queued_.size()) {
      const IoStep step = link_.stream->write_some(std::string_view(queued_).substr(sent_));
      if (step.state == IoState::kWantRead || step.state == IoState::kWantWrite) return {};
      // What the daemon said before it closed is still to be read.
      if (step.state != IoState::kDone) break;
      sent_ += step.bytes;
    }
    queued_.clear();
    sent_ = 0;
    return {};
  }

  Result<void> receive() {
    for (;;) {
      const IoStep step = link_.stream->read_some(buffer_.data(), buffer_.size());
      if (step.state == IoState::kWantRead || step.state == IoState::kWantWrite) return {};
      if (step.state != IoState::kDone)
        return make_error("CONNECTION_LOST", "the daemon closed the connection before the command ended");
      decoder_.append({buffer_.data(), step.bytes});
      if (const auto handled = handle_frames(); !handled || exit_) return handled;
      // TLS may hold more than poll(2) can see; a plain socket that gave less than was asked for has no more.
      if (step.bytes < buffer_.size() && !is_tls_) return {};
    }
  }

  Result<void> handle_frames() {
    while (const auto frame = decoder_.next()) {
      if (const auto handled = handle(*frame); !handled) return handled;
    }
    if (decoder_.problem() == v2::FrameProblem::kNone) return {};
    return protocol_error("the daemon sent " + std::string(v2::frame_problem_text(decoder_.problem())));
  }

  Result<void> handle(const v2::Frame& frame) {
    switch (frame.kind) {
      case v2::Kind::kStdout:
        return take_output(outputs_[0], frame.payload);
      case v2::Kind::kStderr:
        return take_output(outputs_[1], frame.payload);
      case v2::Kind::kCredit: {
        const auto credit = v2::credit_from(frame.payload);
        if (!credit || credit->channel != v2::Channel::kStdin || !stdin_window_.add(credit->bytes))
          return protocol_error("the daemon gives credit that cannot be");
        return {};
      }
      case v2::Kind::kExit: {
        auto exit = v2::parse_exit(frame.payload);
        if (!exit) return protocol_error("the daemon's last word cannot be read: " + exit.error().message);
        if (exit->head.node.empty()) exit->head.node = link_.node;
        exit_ = std::move(*exit);
        return {};
      }
      case v2::Kind::kPing:
        v2::append_frame(queued_, v2::Kind::kPong, 0, frame.payload);
        return {};
      case v2::Kind::kGoodbye: {
        const v2::Goodbye goodbye = v2::parse_goodbye(frame.payload);
        return make_error("CONNECTION_LOST", "the daemon ends the connection: " + goodbye.message);
      }
      default:
        return {};
    }
  }

  Result<void> take_output(Output& output, std::string_view data) {
    if (!output.window.received(data.size())) return protocol_error("the daemon sends more than it may");
    if (output.gone) {
      give_credit(output, data.size());
      return {};
    }
    if (output.waits()) {
      output.pending.append(data);
      return {};
    }
    output.pending.assign(data);
    output.written = 0;
    // At once, if it fits: the usual case, without another round of waiting.
    pollfd now{output.fd, POLLOUT, 0};
    if (!output.is_pipe || ::poll(&now, 1, 0) == 1) write_output(output);
    return {};
  }

  void write_output(Output& output) {
    while (output.waits()) {
      std::string_view rest = std::string_view(output.pending).substr(output.written);
      if (output.is_pipe) rest = rest.substr(0, kCertainlyFits);
      const ssize_t done = ::write(output.fd, rest.data(), rest.size());
      if (done < 0 && errno == EINTR) continue;
      if (done < 0 && errno == EAGAIN) return;
      if (done < 0) {
        lose(output);
        return;
      }
      output.written += static_cast<std::size_t>(done);
      give_credit(output, static_cast<std::size_t>(done));
      if (!output.is_pipe || !output.waits()) continue;
      pollfd now{output.fd, POLLOUT, 0};
      if (::poll(&now, 1, 0) != 1) return;
    }
    output.pending.clear();
    output.written = 0;
  }

  // As a program whose reader has gone: the run is told to end.
  void lose(Output& output) {
    output.gone = true;
    give_credit(output, output.pending.size() - output.written);
    output.pending.clear();
    output.written = 0;
    if (!exit_) v2::append_frame(queued_, v2::Kind::kSignal, kRunStream, "PIPE");
  }

  void give_credit(Output& output, std::size_t bytes) {
    const std::uint32_t credit = output.window.consumed(bytes);
    if (credit != 0 && !exit_) v2::append_credit(queued_, kRunStream, {output.channel, credit});
  }

  void read_input() {
    const std::size_t most = std::min({stdin_window_.available(), v2::kMaxDataPayload, buffer_.size()});
    const ssize_t got = ::read(input_, buffer_.data(), most);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (got <= 0) {
      v2::append_frame(queued_, v2::Kind::kStdinEnd, kRunStream);
      input_ = -1;
      return;
    }
    const auto bytes = static_cast<std::size_t>(got);
    v2::append_frame(queued_, v2::Kind::kStdin, kRunStream, {buffer_.data(), bytes});
    stdin_window_.sent(bytes);
  }

  void pass_signals() {
    while (const int number = signals_.next()) {
      if (exit_) continue;
      if (number == SIGWINCH) {
        if (run_.open.terminal) v2::append_resize(queued_, kRunStream, window_size_of(run_.output));
        continue;
      }
      const bool ends = number == SIGINT || number == SIGTERM || number == SIGHUP;
      if (ends && ++asked_to_end_ >= kPatience) {
        v2::append_frame(queued_, v2::Kind::kCancel, kRunStream);
      } else {
        v2::append_frame(queued_, v2::Kind::kSignal, kRunStream, SignalPipe::name_of(number));
      }
    }
  }

  V2Link link_;
  bool is_tls_;
  const LiveRun& run_;
  SignalPipe signals_;
  int input_;
  v2::SendWindow stdin_window_;
  std::array<Output, 2> outputs_;
  v2::Decoder decoder_{v2::Side::kClient};
  std::string queued_;
  std::size_t sent_ = 0;
  std::string buffer_ = std::string(kReadPiece, '\0');
  std::optional<v2::Exit> exit_;
  int asked_to_end_ = 0;
};

}  // namespace

Result<std::optional<V2Link>> open_v2(const Session& session) {
  const std::chrono::milliseconds patience(session.options.connect_timeout_ms);
  auto stream = connect_to(session.target.endpoint, patience);
  if (!stream) return stream.error();
  FrameChannel channel(std::move(*stream));
  const Deadline deadline = Deadline::in(patience);
  const std::string nonce = random_text(v2::kNonceBytes);
  const v2::Hello hello{new_request_id(), v2::token_key_id(session.target.token), nonce};
  if (const auto sent = channel.send(v2::build_hello(hello), deadline); !sent) return sent.error();
  const auto reply = channel.receive_reply(deadline);
  if (!reply) return reply.error();
  const auto challenge = v2::challenge_from(*reply);
  if (!challenge) return challenge.error();
  if (!*challenge) return std::optional<V2Link>();
  if (const auto proved = prove(channel, session, **challenge, nonce, deadline); !proved)
    return proved.error();
  V2Link link;
  link.read_already = channel.unread();
  link.stream = channel.take_stream();
  link.node = (*challenge)->head.node;
  link.features = (*challenge)->features;
  return std::optional<V2Link>(std::move(link));
}

Result<v2::Exit> run_live(V2Link link, const LiveRun& run) { return LiveLoop(std::move(link), run).run(); }

}  // namespace hostclaw::hostlink
