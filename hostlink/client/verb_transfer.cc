// SPDX-License-Identifier: Apache-2.0
// put, get, put-stream, get-stream: files and folders, in pieces with a digest wherever the daemon can do
// that.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <string>

#include "base/json.h"
#include "base/sha256.h"
#include "base/text.h"
#include "hostlink/client/local_files.h"
#include "hostlink/client/progress.h"
#include "hostlink/client/session.h"
#include "hostlink/proto/base64.h"
#include "hostlink/proto/members.h"

namespace hostclaw::hostlink {
namespace {

constexpr std::uint64_t kSmallFile = 1'048'576;       // up to here a file goes whole
constexpr std::uint64_t kLargestWhole = 94'371'840;   // what daemons take and give in one frame
constexpr std::uint64_t kSpaceToAskFor = 16'777'216;  // from here on free space is looked at first
constexpr std::uint64_t kSpaceToLeave = 16'777'216;
constexpr std::size_t kPiece = 1'048'576;
constexpr std::size_t kNameBytes = 12;
// A transfer whose connection breaks goes on so many times, after pauses that double: about six seconds
// together.
constexpr int kMostTries = 5;
constexpr int kFirstPauseMs = 200;

Request file_request(RequestType type, const std::string& path) {
  Request request;
  request.type = type;
  request.path = path;
  return request;
}

// How one file's transfer went. `reply` has the last answer of the daemon, where there was one.
struct Transferred {
  std::optional<Answer> reply;
  std::optional<Error> error;
  std::uint64_t bytes = 0;
  bool unknown_type = false;  // nothing was done: the daemon is older than this way
};

Transferred failed(Error error) { return {std::nullopt, std::move(error), 0, false}; }

Transferred answered(Answer answer, std::uint64_t bytes) {
  const bool unknown = is_unknown_type(answer.reply);
  return {std::move(answer), std::nullopt, bytes, unknown};
}

bool is_done(const Transferred& one) {
  return !one.error && one.reply && one.reply->reply.head.status == ReplyStatus::kOk;
}

Error digest_differs(const std::string& path) {
  return make_error("DIGEST_DIFFERS", "what arrived of " + path + " has another SHA-256 than what was sent",
                    "try again");
}

Result<Answer> receive_answer(Exchange& channel, bool keep_text) {
  const auto payload = channel.receive();
  if (!payload) return payload.error();
  Result<Reply> reply = parse_reply(*payload);
  if (!reply) return reply.error();
  Answer answer{std::move(*reply), {}};
  if (keep_text) answer.payload = *payload;
  return answer;
}

// Up to `size` bytes; fewer only at the end of the file.
Result<std::size_t> read_piece(const LocalFile& file, char* to, std::size_t size, const std::string& path) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = ::read(file.fd.get(), to + done, size - done);
    if (got == 0) break;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return local_file_error("read", path, errno);
    done += static_cast<std::size_t>(got);
  }
  return done;
}

// --- to the host
// -----------------------------------------------------------------------------------------------

struct Upload {
  std::string local;
  std::string remote;
  std::uint32_t mode = kDefaultFileMode;
  bool mkdir = false;
};

Transferred put_whole(const Session& session, const Upload& upload, const LocalFile& file) {
  std::string bytes(file.size, '\0');
  const auto got = read_piece(file, bytes.data(), bytes.size(), upload.local);
  if (!got) return failed(got.error());
  bytes.resize(*got);
  Request request = file_request(RequestType::kPut, upload.remote);
  request.content = to_base64(bytes);
  request.mode = upload.mode;
  request.mkdir = upload.mkdir;
  auto answer = ask(session, std::move(request));
  if (!answer) return failed(answer.error());
  return answered(std::move(*answer), *got);
}

// All of the file from `from` on as data. A file that changes its size meanwhile is an error, and the daemon
// gets no trailer.
Result<std::string> send_data(Exchange& channel, const Upload& upload, const LocalFile& file,
                              std::uint64_t from, Progress& progress) {
  if (::lseek(file.fd.get(), 0, SEEK_SET) != 0) return local_file_error("read", upload.local, errno);
  Sha256 digest;
  std::string piece(kPiece, '\0');
  for (std::uint64_t at = 0; at < file.size;) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, file.size - at));
    const auto got = read_piece(file, piece.data(), wanted, upload.local);
    if (!got) return got.error();
    if (*got != wanted) return make_error("LOCAL_FILE", upload.local + " became shorter while it was sent");
    const std::string_view data(piece.data(), wanted);
    digest.update(data);
    const std::uint64_t known = std::min<std::uint64_t>(from > at ? from - at : 0, wanted);
    if (const auto done = channel.send_data(data.substr(static_cast<std::size_t>(known))); !done)
      return done.error();
    at += wanted;
    progress.at(at);
  }
  return digest.hex();
}

// Whether a transfer that ended so can go on: the connection broke, to a daemon that knows how.
bool can_go_on(const Session& session, const Transferred& done) {
  return done.error && session.connection->requests &&
         is_one_of(done.error->code, {"CONNECTION_LOST", "CONNECT_FAILED", "CONNECT_TIMED_OUT"});
}

void wait_before_try(const Session& session, const std::string& name, int tries) {
  print_message(session, name + ": the connection broke, going on");
  ::poll(nullptr, 0, kFirstPauseMs << tries);
}

Transferred put_once(const Session& session, const Upload& upload, const LocalFile& file,
                     const std::string& name) {
  Request request = file_request(RequestType::kPutStream, upload.remote);
  request.size = static_cast<std::int64_t>(file.size);
  request.mode = upload.mode;
  request.mkdir = upload.mkdir;
  request.resume = name;
  auto channel = begin_request(session, std::move(request));
  if (!channel) return failed(channel.error());
  auto ready = receive_answer(**channel, session.options.json);
  if (!ready) return failed(ready.error());
  if (ready->reply.head.status != ReplyStatus::kOk) return answered(std::move(*ready), 0);
  if (!true_member(ready->reply.object, "ready"))
    return failed(make_error("PROTOCOL_ERROR", "the daemon is not ready for data, and does not say why"));
  const auto from = static_cast<std::uint64_t>(integer_member(ready->reply.object, "offset").value_or(0));
  Progress progress(session, upload.remote, file.size);
  const Result<std::string> digest = send_data(**channel, upload, file, from, progress);
  // The daemon may have said why it takes no more.
  if (!digest && digest.error().code != "CONNECTION_LOST") return failed(digest.error());
  if (digest) {
    const auto sent = (*channel)->send_trailer(build_stream_trailer({new_request_id(), *digest, true}));
    if (!sent && sent.error().code != "CONNECTION_LOST") return failed(sent.error());
  }
  auto end = receive_answer(**channel, session.options.json);
  if (!end) return failed(end.error());
  if (end->reply.head.status == ReplyStatus::kOk) {
    const std::string theirs = text_member(end->reply.object, "sha256");
    if (!digest || (!theirs.empty() && theirs != *digest)) return failed(digest_differs(upload.local));
  }
  return answered(std::move(*end), file.size);
}

Transferred put_in_pieces(const Session& session, const Upload& upload, const LocalFile& file) {
  const std::string name = random_text(kNameBytes);
  for (int tries = 0;; ++tries) {
    Transferred done = put_once(session, upload, file, name);
    if (tries == kMostTries || !can_go_on(session, done)) return done;
    wait_before_try(session, upload.local, tries);
  }
}

Transferred put_file(const Session& session, Upload upload, bool stream) {
  const auto file = open_local_file(upload.local);
  if (!file) return failed(file.error());
  upload.mode = session.options.mode.value_or(file->mode & 0777U);
  if (upload.mode == 0) upload.mode = kDefaultFileMode;  // the protocol has no other word for 0
  if (!stream && file->size <= kSmallFile) return put_whole(session, upload, *file);
  Transferred done = put_in_pieces(session, upload, *file);
  if (!done.unknown_type || stream || file->size > kLargestWhole) return done;
  return put_whole(session, upload, *file);
}

// Nothing when there is room, or when it cannot be known.
std::optional<Error> no_space_for(const Session& session, const std::string& remote, std::uint64_t bytes) {
  if (bytes < kSpaceToAskFor) return std::nullopt;
  Session quiet = session;
  quiet.options.json = false;
  const auto answer = ask(quiet, file_request(RequestType::kStatFs, remote));
  if (!answer || answer->reply.head.status != ReplyStatus::kOk) return std::nullopt;
  const std::uint64_t free = space_reply_from(answer->reply).free_bytes;
  if (free >= bytes + kSpaceToLeave) return std::nullopt;
  return make_error("NO_SPACE",
                    std::to_string(bytes) + " bytes do not fit: " + std::to_string(free) + " are free at " +
                        remote + " on the host",
                    "hostlink df " + remote);
}

// --- from the host
// ---------------------------------------------------------------------------------------------

// Where what is fetched goes: a file that appears when it is whole, or stdout.
class Destination {
 public:
  static Result<Destination> begin(const std::string& local) {
    Destination destination;
    if (local == "-") return destination;
    Result<NewFile> file = NewFile::begin(local);
    if (!file) return file.error();
    destination.file_.emplace(std::move(*file));
    return destination;
  }
  Result<void> write(std::string_view bytes) {
    return file_ ? file_->write(bytes) : write_fully(STDOUT_FILENO, bytes, "stdout");
  }
  Result<void> finish() { return file_ ? file_->finish() : Result<void>(); }

 private:
  std::optional<NewFile> file_;
};

Transferred get_whole(const Session& session, const std::string& remote, const std::string& local) {
  auto answer = ask(session, file_request(RequestType::kGet, remote));
  if (!answer) return failed(answer.error());
  if (answer->reply.head.status != ReplyStatus::kOk) return answered(std::move(*answer), 0);
  const auto bytes = from_base64(text_member(answer->reply.object, "content"));
  if (!bytes) return failed(make_error("PROTOCOL_ERROR", "the content of " + remote + " is no base64"));
  Result<Destination> to = Destination::begin(local);
  if (!to) return failed(to.error());
  if (const auto written = to->write(*bytes); !written) return failed(written.error());
  if (const auto finished = to->finish(); !finished) return failed(finished.error());
  return answered(std::move(*answer), bytes->size());
}

// One file on its way here, over as many connections as it takes.
class Download {
 public:
  Download(const Session& session, std::string remote, std::string local)
      : session_(session), remote_(std::move(remote)), local_(std::move(local)) {}

  Transferred once() {
    Request request = file_request(RequestType::kGetStream, remote_);
    request.offset = received_;
    auto channel = begin_request(session_, std::move(request));
    if (!channel) return failed(channel.error());
    auto begin = receive_answer(**channel, session_.options.json);
    if (!begin) return failed(begin.error());
    if (begin->reply.head.status != ReplyStatus::kOk) return answered(std::move(*begin), 0);
    if (const auto problem = prepare(begin->reply.object)) return failed(*problem);
    if (const auto received = receive_data(**channel, begin->reply.object); !received)
      return failed(received.error());
    auto end = receive_answer(**channel, session_.options.json);
    if (!end) return failed(end.error());
    if (end->reply.head.status != ReplyStatus::kOk) return answered(std::move(*end), 0);
    if (text_member(end->reply.object, "sha256") != digest_.hex()) return failed(digest_differs(remote_));
    if (const auto finished = to_->finish(); !finished) return failed(finished.error());
    return answered(std::move(*end), *size_);
  }

 private:
  std::optional<Error> prepare(const Json& begin) {
    const auto announced = integer_member(begin, "size").value_or(-1);
    if (announced < 0) return make_error("PROTOCOL_ERROR", "the daemon does not say how large the file is");
    const auto size = static_cast<std::uint64_t>(announced);
    if (size_ && *size_ != size)
      return make_error("DIGEST_DIFFERS", remote_ + " has changed meanwhile", "try again");
    if (size_) return std::nullopt;
    size_ = size;
    if (local_ != "-" && size >= kSpaceToAskFor && free_bytes_at(local_) < size + kSpaceToLeave)
      return make_error("NO_SPACE", std::to_string(size) + " bytes do not fit at " + local_);
    Result<Destination> to = Destination::begin(local_);
    if (!to) return to.error();
    to_.emplace(std::move(*to));
    return std::nullopt;
  }

  Result<void> receive_data(Exchange& channel, const Json& begin) {
    // A daemon that does not know about offsets begins anew.
    auto at = static_cast<std::uint64_t>(integer_member(begin, "offset").value_or(0));
    if (at > received_) return make_error("PROTOCOL_ERROR", "the daemon leaves out a part of the file");
    Progress progress(session_, remote_, *size_);
    while (at < *size_) {
      const auto data = channel.receive();
      if (!data) return data.error();
      if (data->size() > *size_ - at)
        return make_error("PROTOCOL_ERROR", "the daemon sends more than it announced");
      const std::uint64_t known = std::min<std::uint64_t>(received_ - at, data->size());
      const std::string_view fresh = data->substr(static_cast<std::size_t>(known));
      digest_.update(fresh);
      if (const auto written = to_->write(fresh); !written) return written.error();
      at += data->size();
      received_ += fresh.size();
      progress.at(at);
    }
    return {};
  }

  const Session& session_;
  const std::string remote_;
  const std::string local_;
  std::optional<std::uint64_t> size_;
  std::optional<Destination> to_;
  Sha256 digest_;
  std::uint64_t received_ = 0;
};

Transferred get_in_pieces(const Session& session, const std::string& remote, const std::string& local) {
  Download download(session, remote, local);
  for (int tries = 0;; ++tries) {
    Transferred done = download.once();
    if (tries == kMostTries || !can_go_on(session, done)) return done;
    wait_before_try(session, remote, tries);
  }
}

Transferred get_file(const Session& session, const std::string& remote, const std::string& local,
                     bool stream) {
  Transferred done = get_in_pieces(session, remote, local);
  return done.unknown_type && !stream ? get_whole(session, remote, local) : done;
}

// --- both
// ------------------------------------------------------------------------------------------------------

Outcome report_transfer(Session& session, const Transferred& done) {
  if (done.error) return report(session, *done.error);
  return report(session, *done.reply);
}

Outcome report_file(Session& session, const Transferred& done, const std::string& from,
                    const std::string& to) {
  if (!is_done(done)) return report_transfer(session, done);
  if (to == "-") return {};
  if (session.options.json) {
    // The reply of `get` has the file in it, which has been written already.
    Json object = done.reply->reply.object;
    object.erase("content");
    return print(dump_json(object) + "\n");
  }
  print_message(session, from + " -> " + to + " (" + std::to_string(done.bytes) + " bytes)");
  return {};
}

Outcome report_folder(Session& session, const std::string& from, const std::string& to, std::size_t files,
                      std::uint64_t bytes) {
  if (!session.options.json) {
    print_message(session, from + " -> " + to + " (" + std::to_string(files) + " files, " +
                               std::to_string(bytes) + " bytes)");
    return {};
  }
  JsonObjectText line;
  line.add("version", std::int64_t{1}).add("status", "ok").add("path", to);
  line.add("files", static_cast<std::int64_t>(files)).add("bytes", static_cast<std::int64_t>(bytes));
  return print(line.take() + "\n");
}

Outcome put_folder(Session& session, const std::string& local, const std::string& remote, bool stream) {
  const auto files = walk_folder(local, session.options.excludes);
  if (!files) return report(session, files.error());
  std::uint64_t total = 0;
  for (const FoundFile& file : *files) total += file.size;
  if (const auto problem = no_space_for(session, remote, total)) return report(session, *problem);
  for (const FoundFile& file : *files) {
    // Folders are made as they are needed, since a folder on the way has no command of its own.
    const Transferred done =
        put_file(session, {joined(local, file.relative), joined(remote, file.relative), 0, true}, stream);
    if (!is_done(done)) return report_transfer(session, done);
  }
  return report_folder(session, local, remote, files->size(), total);
}

Outcome get_folder(Session& session, const StatReply& folder, const std::string& local, bool stream) {
  if (folder.truncated) {
    return report(session,
                  make_error("PROTOCOL_ERROR",
                             folder.path + " has more files than the daemon lists: " + folder.head.error_msg,
                             "fetch its folders one by one"));
  }
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  for (const StatFile& file : folder.files) {
    // A daemon's word must not lead out of the folder that was asked for.
    if (!is_safe_relative(file.path))
      return report(session, make_error("PROTOCOL_ERROR", "the daemon names a file outside of the folder"));
    if (is_excluded(file.path, session.options.excludes)) continue;
    const std::string to = joined(local, file.path);
    if (const auto made = make_folders(to.substr(0, to.find_last_of('/'))); !made)
      return report(session, made.error());
    const Transferred done = get_file(session, joined(folder.path, file.path), to, stream);
    if (!is_done(done)) return report_transfer(session, done);
    ++count;
    bytes += done.bytes;
  }
  if (const auto made = make_folders(local); !made) return report(session, made.error());
  return report_folder(session, folder.path, local, count, bytes);
}

}  // namespace

Outcome run_put(Session& session, bool stream) {
  if (session.words.size() != 2)
    return report(session, make_error("USAGE", "put takes a local path and one on the host",
                                      "hostlink put LOCAL REMOTE"));
  stream = stream || session.options.stream || session.options.verify;
  const std::string& local = session.words[0];
  std::string remote = session.words[1];
  if (is_folder(local)) return put_folder(session, local, remote, stream);
  if (remote.ends_with('/')) remote += base_name(local);
  const auto file = open_local_file(local);
  if (!file) return report(session, file.error());
  if (const auto problem = no_space_for(session, remote, file->size)) return report(session, *problem);
  return report_file(session, put_file(session, {local, remote, 0, session.options.mkdir}, stream), local,
                     remote);
}

Outcome run_get(Session& session, bool stream) {
  if (session.words.empty() || session.words.size() > 2)
    return report(session, make_error("USAGE", "get takes a path on the host and a local one",
                                      "hostlink get REMOTE LOCAL"));
  stream = stream || session.options.stream || session.options.verify;
  const std::string& remote = session.words[0];
  std::string local = session.words.size() == 2 ? session.words[1] : base_name(remote);
  Session quiet = session;
  quiet.options.json = false;
  const auto stat = ask(quiet, file_request(RequestType::kGetStat, remote));
  if (!stat) return report(session, stat.error());
  const bool known = stat->reply.head.status == ReplyStatus::kOk;
  if (stat->reply.head.status == ReplyStatus::kAuthFailed) return report(session, *stat);
  const StatReply what = known ? stat_reply_from(stat->reply) : StatReply();
  if (what.is_directory) {
    if (local == "-")
      return report(session, make_error("USAGE", remote + " is a folder; stdout takes one file"));
    StatReply folder = what;
    if (folder.path.empty()) folder.path = remote;
    return get_folder(session, folder, local, stream);
  }
  if (local != "-" && is_folder(local)) local = joined(local, base_name(remote));
  return report_file(session, get_file(session, remote, local, stream), remote, local);
}

}  // namespace hostclaw::hostlink
