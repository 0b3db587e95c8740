// SPDX-License-Identifier: Apache-2.0
#include "hostlink/door/v2_connection.h"

#include <algorithm>
#include <array>
#include <map>

#include "base/text.h"
#include "hostlink/door/commands.h"
#include "hostlink/door/requests.h"
#include "hostlink/proto/base64.h"
#include "hostlink/proto/v2_hello.h"
#include "hostlink/proto/v2_messages.h"
#include "node-host/loop/background.h"
#include "node-host/loop/log.h"
#include "node-host/run/run_input.h"
#include "node-host/run/run_output_pipe.h"
#include "node-host/run/run_wakeup.h"
#include "node-host/system/host/random_bytes.h"

namespace hostclaw::hostlink {

namespace asio = boost::asio;
using node_host::ExecOutcome;
using node_host::RunControl;
using node_host::RunInput;
using node_host::Stream;
using v2::Kind;

namespace {

constexpr std::size_t kMostStreams = 64;
constexpr std::size_t kReadBytes = 65'536;
// Bounded by credit; a peer that makes us answer and does not read is let go.
constexpr std::size_t kMostUnsent = 96 * 1'048'576;
// A peer that was stopped by its terminal is still there.
constexpr std::chrono::minutes kToTakeBytes{10};
// A transfer that does not move gives its place to others.
constexpr std::chrono::minutes kBetweenPieces{2};
// A long answer waits until no more than this is unsent.
constexpr std::size_t kUnsentAtOnce = 4 * 1'048'576;

struct SignalName {
  std::string_view name;
  int number;
};
constexpr SignalName kSignals[] = {{"HUP", 1},   {"INT", 2},   {"QUIT", 3},  {"ILL", 4},    {"TRAP", 5},
                                   {"ABRT", 6},  {"BUS", 7},   {"FPE", 8},   {"KILL", 9},   {"USR1", 10},
                                   {"SEGV", 11}, {"USR2", 12}, {"PIPE", 13}, {"ALRM", 14},  {"TERM", 15},
                                   {"CONT", 18}, {"STOP", 19}, {"TSTP", 20}, {"WINCH", 28}, {"SYS", 31}};

int signal_number(std::string_view name) {
  for (const SignalName& signal : kSignals)
    if (signal.name == name) return signal.number;
  return 0;
}
std::string signal_name(int number) {
  for (const SignalName& signal : kSignals)
    if (signal.number == number) return std::string(signal.name);
  return std::to_string(number);
}

// A detached command is a request of protocol 1.
bool wants_job(std::string_view payload) {
  const auto request = parse_request(payload);
  return request && request->detach;
}

node_host::TerminalSize size_of(const v2::WindowSize& size) {
  return {size.columns, size.rows, size.width, size.height};
}

class Link;

// What every stream has: a name, and what its client may do to it.
class LinkStream {
 public:
  LinkStream(Link& link, std::uint32_t id) : link_(&link), id_(id) {}
  virtual ~LinkStream() = default;
  std::uint32_t id() const { return id_; }

  virtual bool take_input(std::string_view) { return false; }  // false: a fault of the peer's
  virtual void end_input() {}
  virtual void take_message(std::string_view) {}
  virtual void signal(std::string_view) {}
  virtual void resize(const v2::WindowSize&) {}
  virtual void cancel() {}
  virtual bool credit(const v2::Credit& credit) = 0;
  virtual void drained() {}  // something was sent
  // The connection has gone.
  virtual void leave() { link_ = nullptr; }

 protected:
  Link* link_;  // null: it has gone
  const std::uint32_t id_;
};

class Link : public std::enable_shared_from_this<Link> {
 public:
  Link(DoorCore& core, Jobs& jobs, std::shared_ptr<PeerStream> stream, TokenEntry token,
       std::optional<node_host::PeerProcess> process)
      : core_(core),
        jobs_(jobs),
        stream_(std::move(stream)),
        token_(std::move(token)),
        process_(std::move(process)) {}

  asio::awaitable<void> serve(std::string rest) {
    decoder_.append(rest);
    std::string buffer(kReadBytes, '\0');
    while (take_frames()) {
      const auto count = co_await stream_->read_some(buffer.data(), buffer.size());
      if (!count) break;
      decoder_.append(std::string_view(buffer).substr(0, *count));
    }
    gone_ = true;
    while (!streams_.empty()) {
      const auto stream = streams_.begin()->second;
      streams_.erase(streams_.begin());
      stream->leave();
    }
  }

  void send(Kind kind, std::uint32_t stream, std::string_view payload = {}) {
    if (gone_) return;
    v2::append_frame(out_, kind, stream, payload);
    flush();
  }
  void send_credit(std::uint32_t stream, v2::Channel channel, std::uint32_t bytes) {
    if (gone_ || bytes == 0) return;
    v2::append_credit(out_, stream, {channel, bytes});
    flush();
  }
  // With what has been sent until now, the answer of that row has reached its caller.
  void delivered_with_this(std::int64_t row_id) {
    if (row_id != 0) delivered_.push_back(row_id);
  }
  void forget(std::uint32_t id) { streams_.erase(id); }
  std::size_t unsent() const { return out_.size(); }
  const std::string& token_name() const { return token_.name; }
  DoorCore& core() { return core_; }
  Jobs& jobs() { return jobs_; }
  const std::shared_ptr<PeerStream>& peer() const { return stream_; }

  // Who asks now; nullopt: the token was taken away meanwhile.
  asio::awaitable<std::optional<Caller>> caller() {
    auto entry = co_await core_.callers.entry_of_key(token_.key_id);
    if (!entry || entry->verifier.stored_key != token_.verifier.stored_key) co_return std::nullopt;
    co_return co_await core_.callers.caller_of(std::move(*entry), *stream_, process_);
  }

 private:
  // False: the connection is over.
  bool take_frames() {
    while (const auto frame = decoder_.next()) {
      if (!take(*frame)) return false;
    }
    if (decoder_.problem() == v2::FrameProblem::kNone) return !stream_->closed();
    return fault("FRAME_INVALID", v2::frame_problem_text(decoder_.problem()));
  }

  bool fault(std::string code, std::string_view message) {
    node_host::log_warn("hostlink: a connection of " + token_.name + " was closed: " + std::string(message));
    send(Kind::kGoodbye, 0, v2::build_goodbye({std::move(code), std::string(message)}));
    return false;
  }

  bool take(const v2::Frame& frame) {
    switch (frame.kind) {
      case Kind::kPing:
        send(Kind::kPong, 0, frame.payload);
        return true;
      case Kind::kPong:
        return true;
      case Kind::kGoodbye:
        return false;
      case Kind::kOpen:
        return open(frame);
      default:
        break;
    }
    if (frame.stream > last_) return fault("STREAM_UNKNOWN", "a stream that was never opened");
    const auto it = streams_.find(frame.stream);
    if (it == streams_.end()) return true;  // it has ended; the frame crossed its exit
    const std::shared_ptr<LinkStream> stream = it->second;
    switch (frame.kind) {
      case Kind::kStdin:
        return stream->take_input(frame.payload) ||
               fault("CREDIT_EXCEEDED", "more was sent than there is credit for");
      case Kind::kStdinEnd:
        stream->end_input();
        return true;
      case Kind::kMessage:
        stream->take_message(frame.payload);
        return true;
      case Kind::kSignal:
        stream->signal(frame.payload);
        return true;
      case Kind::kResize:
        if (const auto size = v2::window_size_from(frame.payload)) stream->resize(*size);
        return true;
      case Kind::kCancel:
        stream->cancel();
        return true;
      case Kind::kCredit: {
        const auto credit = v2::credit_from(frame.payload);
        return (credit && stream->credit(*credit)) ||
               fault("CREDIT_INVALID", "credit that cannot be counted");
      }
      default:
        return true;
    }
  }

  bool open(const v2::Frame& frame);

  void flush() {
    if (out_.size() > kMostUnsent) return stream_->close();
    if (writing_) return;
    writing_ = true;
    node_host::start_background(core_.context.executor, "frames of HostLink",
                                [self = shared_from_this()] { return self->write_all(); });
  }

  // Beside what is to be sent: rows are marked together, a moment later.
  void note_delivered(std::int64_t row) {
    ++core_.streams;
    node_host::start_background(core_.context.executor, "a delivery of HostLink",
                                [&core = core_, row]() -> asio::awaitable<void> {
                                  co_await core.context.corridor.delivered(row);
                                  --core.streams;
                                  core.ended.notify();
                                });
  }

  asio::awaitable<void> write_all() {
    while (!out_.empty() && !stream_->closed()) {
      const std::string bytes = std::exchange(out_, {});
      std::vector<std::int64_t> rows = std::exchange(delivered_, {});
      stream_->expires_after(kToTakeBytes);
      if (const auto sent = co_await stream_->write(bytes); !sent) {
        stream_->close();
        break;
      }
      stream_->expires_after(std::nullopt);
      for (const auto& [id, stream] : streams_) stream->drained();
      for (const std::int64_t row : rows) note_delivered(row);
    }
    writing_ = false;
  }

  DoorCore& core_;
  Jobs& jobs_;
  const std::shared_ptr<PeerStream> stream_;
  const TokenEntry token_;
  const std::optional<node_host::PeerProcess> process_;
  v2::Decoder decoder_{v2::Side::kDaemon};
  std::map<std::uint32_t, std::shared_ptr<LinkStream>> streams_;
  std::uint32_t last_ = 0;
  std::string out_;
  std::vector<std::int64_t> delivered_;
  bool writing_ = false;
  bool gone_ = false;
};

// A command.
class RunStream final : public LinkStream, public std::enable_shared_from_this<RunStream> {
 public:
  RunStream(Link& link, std::uint32_t id, v2::OpenRun open)
      : LinkStream(link, id), core_(link.core()), open_(std::move(open)) {}

  asio::awaitable<void> run() {
    v2::Exit exit;
    exit.head = core_.head(open_.id);
    auto caller = co_await link_->caller();
    if (link_ == nullptr && !open_.keep) co_return;  // the connection ended meanwhile
    if (!caller) {
      exit.head.status = ReplyStatus::kAuthFailed;
      exit.head.error_msg = std::string(kAuthenticationFailed);
      co_return finish(std::move(exit));
    }
    auto place = DoorPlace::take(core_, &DoorCore::commands, core_.config.max_concurrent, caller->token.name);
    if (!place) {
      tell_busy(Busy::kCommands, exit.head);
      co_return finish(std::move(exit));
    }
    node_host::ExecRequest request = request_of(*caller);
    request.sinks.asks = [&place] { place->leave(); };
    request.sinks.resumes = [&place] { place->take_again(); };
    if (open_.has_stdin && !open_.terminal) {
      if (const auto made = make_input(request); !made) {
        exit.head.status = ReplyStatus::kError;
        exit.head.error_msg = made.error().message;
        exit.head.code = made.error().code;
        co_return finish(std::move(exit));
      }
    }
    const ExecOutcome outcome = co_await core_.context.corridor.walk(std::move(request));
    place->leave();
    row_id_ = outcome.row_id;
    exit.run_id = outcome.run_id;
    if (const node_host::Denied* denied = outcome.denied()) {
      tell_denial(core_, *caller, *denied, exit.head);
    } else if (const node_host::Finished* finished = outcome.finished()) {
      tell_end(finished->run, exit);
    } else {
      exit.cancelled = true;
      exit.exit_code = kFirstSignalStatus + 15;
    }
    finish(std::move(exit));
  }

  bool take_input(std::string_view bytes) override {
    if (!open_.has_stdin && !open_.terminal) return true;
    if (!in_.received(bytes.size())) return false;
    input()->write(bytes);
    return true;
  }
  void end_input() override {
    if (std::exchange(input_over_, true) || (!open_.has_stdin && !open_.terminal)) return;
    input()->end(open_.terminal.has_value());
  }
  void signal(std::string_view name) override {
    if (const int number = signal_number(name); number != 0) control_->signal(number);
  }
  void resize(const v2::WindowSize& size) override { control_->resize(size_of(size)); }
  void cancel() override { cancellation_.cancel(); }

  bool credit(const v2::Credit& credit) override {
    if (credit.channel == v2::Channel::kStdin) return false;
    const auto index = static_cast<std::size_t>(credit.channel) - 1;
    if (!windows_[index].add(credit.bytes)) return false;
    pump(static_cast<Stream>(index));
    return true;
  }

  void leave() override {
    link_ = nullptr;
    if (input_) input_->end(false);
    for (std::string& pending : pending_) pending.clear();
    for (const Stream stream : {Stream::kStandardOutput, Stream::kStandardError}) control_->release(stream);
    // A stop ends what was to be kept, too.
    if (!open_.keep || core_.closing) cancellation_.cancel();
  }

 private:
  node_host::ExecRequest request_of(const Caller& caller) {
    Request like;
    like.id = open_.id;
    like.command = open_.command;
    like.workdir = open_.workdir;
    like.env = open_.env;
    like.other_members = open_.other_members;
    node_host::ExecRequest request = exec_request_of(core_, caller, like);
    policy::RunCommand& command = std::get<node_host::RunAsked>(request.what).command;
    if (!open_.argv.empty()) command.argv = open_.argv;
    const std::int64_t most = open_.terminal ? core_.config.job_max_timeout_ms : core_.config.max_timeout_ms;
    const std::int64_t otherwise = open_.terminal ? most : core_.config.default_timeout_ms;
    command.timeout_ms = std::min(open_.timeout_ms.value_or(otherwise), most);
    if (open_.terminal && !open_.terminal->term.empty())
      command.environment.emplace_back("TERM", open_.terminal->term);
    request.form.output->raw = node_host::OutputLimits::Raw{65'536, 65'536};  // for the record
    request.form.control = control_;
    if (open_.terminal) request.form.terminal = size_of(open_.terminal->size);
    request.cancellation = cancellation_;
    const auto self = shared_from_this();
    request.sinks.caller_left = [self] { return self->link_ == nullptr && !self->open_.keep; };
    request.sinks.begins = [self](const std::string& run_id) {
      if (self->link_ != nullptr)
        self->link_->send(Kind::kStarted, self->id_, v2::build_started({run_id, 0}));
    };
    request.sinks.output = [self](Stream stream, std::string_view bytes) {
      self->take_output(stream, bytes);
    };
    request.sinks.terminal = [self](node_host::UniqueFd own) { (void)self->input()->start(std::move(own)); };
    return request;
  }

  Result<void> make_input(node_host::ExecRequest& request) {
    auto pipe = node_host::make_pipe();
    if (!pipe) return pipe.error();
    request.form.input = std::make_shared<const node_host::UniqueFd>(std::move(pipe->reading));
    return input()->start(std::move(pipe->writing));
  }

  const std::shared_ptr<RunInput>& input() {
    if (!input_) {
      const std::weak_ptr<RunStream> weak = weak_from_this();
      input_ = std::make_shared<RunInput>(core_.context.executor, [weak](std::size_t bytes) {
        const auto self = weak.lock();
        if (self && self->link_ != nullptr)
          self->link_->send_credit(self->id_, v2::Channel::kStdin, self->in_.consumed(bytes));
      });
    }
    return input_;
  }

  void take_output(Stream stream, std::string_view bytes) {
    if (link_ == nullptr) return;
    pending_[static_cast<std::size_t>(stream)].append(bytes);
    pump(stream);
  }

  void pump(Stream stream) {
    if (link_ == nullptr) return;
    const auto index = static_cast<std::size_t>(stream);
    std::string& pending = pending_[index];
    std::size_t sent = 0;
    while (sent < pending.size() && windows_[index].available() > 0) {
      const std::size_t count =
          std::min({pending.size() - sent, windows_[index].available(), v2::kMaxDataPayload});
      link_->send(stream == Stream::kStandardOutput ? Kind::kStdout : Kind::kStderr, id_,
                  std::string_view(pending).substr(sent, count));
      windows_[index].sent(count);
      sent += count;
    }
    pending.erase(0, sent);
    if (pending.empty()) {
      control_->release(stream);
    } else {
      control_->hold(stream);
    }
    if (exit_ && pending_[0].empty() && pending_[1].empty()) say_exit();
  }

  void tell_end(const node_host::RunOutcome& run, v2::Exit& exit) {
    exit.duration_ms = std::chrono::duration_cast<std::chrono::milliseconds>(run.duration).count();
    exit.cancelled = run.cancelled;
    if (run.timed_out) {
      exit.head.status = ReplyStatus::kTimeout;
      exit.head.error_msg = "command timed out";
    } else if (!run.launch_error.empty()) {
      exit.head.status = ReplyStatus::kError;
      exit.head.error_msg = launch_failure(run.launch_error, open_.workdir);
    }
    if (run.signal) {
      exit.signal = signal_name(*run.signal);
      exit.signal_number = *run.signal;
    } else {
      exit.exit_code = run.exit_code.value_or(kExitNotStarted);
    }
  }

  void finish(v2::Exit exit) {
    if (input_) input_->close();
    if (link_ == nullptr) return;
    exit_ = std::move(exit);
    if (pending_[0].empty() && pending_[1].empty()) say_exit();
  }

  void say_exit() {
    link_->send(Kind::kStdoutEnd, id_);
    link_->send(Kind::kStderrEnd, id_);
    link_->delivered_with_this(row_id_);
    link_->send(Kind::kExit, id_, v2::build_exit(*exit_));
    exit_.reset();
    Link* const link = std::exchange(link_, nullptr);
    link->forget(id_);
  }

  DoorCore& core_;
  const v2::OpenRun open_;
  bool input_over_ = false;
  const std::shared_ptr<RunControl> control_ = std::make_shared<RunControl>();
  node_host::RunCancellation cancellation_;
  std::shared_ptr<RunInput> input_;
  v2::ReceiveWindow in_;
  std::array<v2::SendWindow, 2> windows_;
  std::array<std::string, 2> pending_;
  std::optional<v2::Exit> exit_;  // what is said when everything that was written has been sent
  std::int64_t row_id_ = 0;
};

// A request of protocol 1.
class RequestStream final : public LinkStream, public std::enable_shared_from_this<RequestStream> {
 public:
  RequestStream(Link& link, std::uint32_t id, Request request)
      : LinkStream(link, id),
        core_(link.core()),
        jobs_(link.jobs()),
        token_(link.token_name()),
        request_(std::move(request)),
        changed_(core_.context.executor) {}

  asio::awaitable<void> serve() {
    const ReplyHead head = core_.head(request_.id);
    std::int64_t row_id = 0;
    auto caller = co_await link_->caller();
    if (link_ == nullptr) co_return;  // the connection ended meanwhile
    std::optional<std::string> reply =
        caller ? fault_of(core_, request_)
               : std::optional(refusal(head, ReplyStatus::kAuthFailed, kAuthenticationFailed));
    if (!reply) {
      const auto channel = std::make_shared<Channel>(shared_from_this());
      reply = co_await serve_request(core_, jobs_, std::move(*caller), request_, channel, row_id);
    }
    if (link_ == nullptr) co_return;
    if (reply) {
      const Tallied unsent(core_.unsent, token_, reply->size());
      co_await send_message(std::move(*reply));
    }
    if (link_ == nullptr) co_return;
    v2::Exit exit;
    exit.head = head;
    if (!reply) {
      exit.head.status = ReplyStatus::kError;
      exit.head.error_msg = "the transfer broke off";
    } else {
      exit.exit_code = 0;
    }
    link_->delivered_with_this(row_id);
    link_->send(Kind::kExit, id_, v2::build_exit(exit));
    Link* const link = std::exchange(link_, nullptr);
    link->forget(id_);
  }

  bool take_input(std::string_view bytes) override {
    if (!in_.received(bytes.size())) return false;
    taken_.append(bytes);
    changed_.notify();
    return true;
  }
  void end_input() override {
    input_over_ = true;
    changed_.notify();
  }
  void take_message(std::string_view payload) override {
    message_ = std::string(payload);
    changed_.notify();
  }
  void cancel() override { link_->peer()->close(); }
  bool credit(const v2::Credit& credit) override {
    if (credit.channel == v2::Channel::kStdin || !out_.add(credit.bytes)) return false;
    changed_.notify();
    return true;
  }
  void drained() override { changed_.notify(); }
  void leave() override {
    link_ = nullptr;
    changed_.notify();
  }

 private:
  // What a transfer needs, over this stream.
  class Channel final : public TransferChannel {
   public:
    explicit Channel(std::shared_ptr<RequestStream> stream) : stream_(std::move(stream)) {}
    asio::awaitable<Result<void>> write_reply(std::string_view payload) override {
      if (stream_->link_ == nullptr) co_return gone();
      co_await stream_->send_message(std::string(payload));
      co_return Result<void>();
    }
    asio::awaitable<Result<void>> write_data(std::string_view bytes) override {
      const auto until = in_a_while();
      while (!bytes.empty()) {
        auto may_send = [this] { return stream_->link_ == nullptr || stream_->out_.available() > 0; };
        const bool in_time = co_await stream_->changed_.wait(may_send, until);
        if (!in_time || stream_->link_ == nullptr) co_return gone();
        const std::size_t count = std::min({bytes.size(), stream_->out_.available(), v2::kMaxDataPayload});
        stream_->link_->send(Kind::kStdout, stream_->id_, bytes.substr(0, count));
        stream_->out_.sent(count);
        bytes.remove_prefix(count);
      }
      co_return Result<void>();
    }
    asio::awaitable<Result<std::string>> read_data() override {
      auto has_come = [this] {
        return stream_->link_ == nullptr || !stream_->taken_.empty() || stream_->input_over_ ||
               stream_->message_;
      };
      co_await stream_->changed_.wait(has_come, in_a_while());
      if (stream_->link_ == nullptr || stream_->taken_.empty()) co_return gone();
      std::string bytes = std::exchange(stream_->taken_, {});
      stream_->link_->send_credit(stream_->id_, v2::Channel::kStdin, stream_->in_.consumed(bytes.size()));
      co_return bytes;
    }
    asio::awaitable<Result<std::string>> read_trailer() override {
      auto has_come = [this] { return stream_->link_ == nullptr || stream_->message_; };
      const bool in_time = co_await stream_->changed_.wait(has_come, in_a_while());
      if (!in_time || stream_->link_ == nullptr) co_return gone();
      co_return std::move(*stream_->message_);
    }

   private:
    static std::chrono::steady_clock::time_point in_a_while() {
      return std::chrono::steady_clock::now() + kBetweenPieces;
    }
    static Error gone() { return make_error("PEER_CLOSED", "the peer has gone, or said too little"); }
    std::shared_ptr<RequestStream> stream_;
  };

  // Longer replies than one frame carries go as data of protocol 1 would: in pieces, each a message.
  asio::awaitable<void> send_message(std::string payload) {
    std::string_view rest = payload;
    do {
      auto has_room = [this] { return link_ == nullptr || link_->unsent() < kUnsentAtOnce; };
      co_await changed_.wait(has_room, std::nullopt);
      if (link_ == nullptr) co_return;
      const std::string_view piece = rest.substr(0, v2::kMaxJsonPayload);
      rest.remove_prefix(piece.size());
      link_->send(Kind::kMessage, id_, piece);
    } while (!rest.empty());
  }

  DoorCore& core_;
  Jobs& jobs_;
  const std::string token_;
  const Request request_;
  v2::ReceiveWindow in_;
  v2::SendWindow out_;
  std::string taken_;
  bool input_over_ = false;
  std::optional<std::string> message_;
  node_host::Wakeup changed_;
};

bool Link::open(const v2::Frame& frame) {
  if (frame.stream <= last_) return fault("STREAM_REUSED", "a stream's number was used twice");
  last_ = frame.stream;
  v2::Exit refusal;
  refusal.head = core_.head("");
  refusal.head.status = ReplyStatus::kBadRequest;
  const auto end = [&] {
    send(Kind::kExit, frame.stream, v2::build_exit(refusal));
    return true;
  };
  const auto refuse = [&](std::string text) {
    refusal.head.error_msg = std::move(text);
    return end();
  };
  if (core_.closing) {
    refusal.head.status = ReplyStatus::kError;
    return refuse(std::string(kStopping));
  }
  if (streams_.size() >= kMostStreams) {
    tell_busy(Busy::kStreams, refusal.head);
    return end();
  }
  std::function<asio::awaitable<void>()> work;
  if (v2::open_type(frame.payload) == "exec" && !wants_job(frame.payload)) {
    auto open = v2::parse_open_run(frame.payload);
    if (!open) return refuse(open.error().message);
    auto stream = std::make_shared<RunStream>(*this, frame.stream, std::move(*open));
    streams_[frame.stream] = stream;
    work = [stream, self = shared_from_this()] { return stream->run(); };
  } else {
    auto request = parse_request(frame.payload);
    if (!request) return refuse(std::string(kInvalidJson));
    request->token.clear();
    auto stream = std::make_shared<RequestStream>(*this, frame.stream, std::move(*request));
    streams_[frame.stream] = stream;
    work = [stream, self = shared_from_this()] { return stream->serve(); };
  }
  ++core_.streams;
  node_host::start_background(core_.context.executor, "a stream of HostLink",
                              [this, self = shared_from_this(), work]() -> asio::awaitable<void> {
                                DoorCore& core = core_;
                                co_await work();
                                --core.streams;
                                core.ended.notify();
                              });
  return true;
}

}  // namespace

asio::awaitable<void> serve_v2(DoorCore& core, Jobs& jobs, std::shared_ptr<PeerFrames> channel, V2Peer peer,
                               Request hello) {
  v2::Exchange exchange;
  exchange.key_id = hello.key;
  exchange.client_nonce = hello.nonce;
  exchange.nonce = hello.nonce + to_base64(node_host::random_bytes(v2::kNonceBytes));
  const auto entry = co_await core.callers.entry_of_key(hello.key);
  // Whoever is not known learns nothing of who is.
  v2::Verifier verifier;
  if (entry) {
    verifier = entry->verifier;
  } else {
    verifier.salt = v2::unknown_key_salt(core.unknown_key_secret, hello.key);
    verifier.iterations = hello.key == kDefaultTokenName ? v2::kChosenIterations : v2::kGeneratedIterations;
  }
  exchange.salt = verifier.salt;
  exchange.iterations = verifier.iterations;
  exchange.channel = channel->stream()->channel_binding();
  v2::Challenge challenge;
  challenge.head = core.head(hello.id);
  challenge.nonce = exchange.nonce;
  challenge.salt = exchange.salt;
  challenge.iterations = exchange.iterations;
  challenge.features = {"requests"};
  const std::string first = v2::build_challenge(challenge);
  if (exchange.nonce.size() > v2::kMaxNonceText) co_return;
  if (!co_await channel->write(first)) co_return;
  auto payload = co_await channel->read(nullptr);
  if (!payload) co_return;
  const auto proof = v2::parse_proof(*payload);
  const auto signature =
      entry && proof ? v2::check_proof(verifier, exchange, *proof) : std::optional<Sha256Digest>();
  if (!signature) {
    node_host::log_warn("hostlink: a proof of nobody that is known, from " + channel->stream()->address());
    ReplyHead head = core.head("");
    head.status = ReplyStatus::kAuthFailed;
    head.error_msg = std::string(kAuthenticationFailed);
    const std::string failed = build_failure(head);
    (void)co_await channel->write(failed);
    co_return;
  }
  peer.known();
  // One that is idle costs a descriptor for as long as its client likes.
  if (!has_room_for_connection(core, entry->name)) {
    const std::string full = busy_reply(Busy::kConnections, core.head(hello.id));
    (void)co_await channel->write(full);
    co_return;
  }
  const Tallied connected(core.connections, entry->name, 1);
  const std::string welcome = v2::build_welcome(core.head(hello.id), text_of(*signature));
  if (!co_await channel->write(welcome)) co_return;
  channel->stream()->expires_after(std::nullopt);
  if (peer.ends) peer.process = co_await core.callers.process_behind(*peer.ends);
  const auto link = std::make_shared<Link>(core, jobs, channel->stream(), *entry, std::move(peer.process));
  co_await link->serve(channel->take_rest());
}

}  // namespace hostclaw::hostlink
