// SPDX-License-Identifier: Apache-2.0
#include "hostlink/door/file_service.h"

#include <algorithm>

#include "base/sha256.h"
#include "base/text.h"
#include "hostlink/door/commands.h"
#include "hostlink/proto/base64.h"
#include "node-host/system/files/files_beneath.h"

namespace hostclaw::hostlink {

namespace asio = boost::asio;
using node_host::FileAsked;
using node_host::FoundFile;
using node_host::FoundKind;
using node_host::ReplacementFile;

namespace {

// What protocol 1 carries whole: base64 of more does not fit into a frame.
constexpr std::uint64_t kMostInOneFrame = 94'371'840;
constexpr std::size_t kMostListed = 100'000;
constexpr std::size_t kPiece = 1'048'576;
// Uploads whose connection broke, so that the same client can go on with them.
constexpr std::size_t kMostPartial = 16;
constexpr std::chrono::minutes kPartialIsKept{2};

using Found = std::shared_ptr<FoundFile>;

// What is done once it is allowed, and what is answered then.
struct Service {
  std::optional<std::string> answer;  // none: the connection ends without one
  FileAsked::Done done;
};

Error too_large(const std::string& path) {
  return make_error("FILE_TOO_LARGE", path + " is larger than 90 MiB: use the streamed form (get-stream)");
}

std::optional<std::uint32_t> mode_of(const Request& request) {
  return request.mode_given ? std::optional(request.mode) : std::nullopt;
}

// Up to `most` bytes and one more.
Result<std::string> read_whole(const FoundFile& found, std::uint64_t most) {
  auto file = node_host::open_found(found);
  if (!file) return file.error();
  std::string bytes;
  bytes.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(found.size, most) + 1));
  for (;;) {
    const std::size_t before = bytes.size();
    bytes.resize(before + kPiece);
    const auto count = node_host::read_some(file->get(), bytes.data() + before, kPiece);
    if (!count) return count.error();
    bytes.resize(before + *count);
    if (*count == 0) return bytes;
    if (bytes.size() > most) return too_large(found.real_path);
  }
}

Result<void> write_whole(const FoundFile& found, const Request& request, std::string_view bytes) {
  auto file = ReplacementFile::begin(found, mode_of(request), request.mkdir);
  if (!file) return file.error();
  if (auto written = file->write(bytes); !written) return written;
  return file->put_in_place();
}

class FileRequest {
 public:
  FileRequest(DoorCore& core, const std::string& token, const Request& request,
              std::shared_ptr<TransferChannel> channel)
      : core_(core),
        token_(token),
        request_(request),
        channel_(std::move(channel)),
        head_(core.head(request.id)) {}

  asio::awaitable<Service> serve(Found found) {
    switch (request_.type) {
      case RequestType::kGet:
        co_return co_await get(found);
      case RequestType::kPut:
        co_return co_await put(found);
      case RequestType::kGetStat:
        co_return co_await stat(found);
      case RequestType::kStatFs:
        co_return co_await space(found);
      case RequestType::kGetStream:
        co_return co_await send_stream(found);
      case RequestType::kPutStream:
        co_return co_await take_stream(found);
      default:
        co_return failure(make_error("REQUEST_INVALID", std::string(kUnknownMessageType)));
    }
  }

 private:
  Service failure(const Error& error) {
    Service service;
    head_.status = ReplyStatus::kError;
    head_.error_msg = error.message;
    head_.code = error.code;
    service.answer = build_failure(head_);
    service.done.failure = error;
    return service;
  }
  static Service dropped(const Error& error) {
    Service service;
    service.done.failure = error;
    return service;
  }
  static Service answered(std::string payload, std::uint64_t bytes) {
    Service service;
    service.answer = std::move(payload);
    service.done.bytes = bytes;
    return service;
  }

  asio::awaitable<Service> get(Found found) {
    auto reading = [found] { return read_whole(*found, kMostInOneFrame); };
    auto bytes = co_await on_files(core_, reading);
    if (!bytes) co_return failure(bytes.error());
    co_return answered(build_get_reply(head_, request_.path, *bytes), bytes->size());
  }

  asio::awaitable<Service> put(Found found) {
    const auto bytes = from_base64(request_.content.value_or(""));
    if (!bytes) co_return failure(make_error("REQUEST_INVALID", "content is no base64"));
    auto writing = [this, found, &bytes] { return write_whole(*found, request_, *bytes); };
    if (auto written = co_await on_files(core_, writing); !written) co_return failure(written.error());
    co_return answered(build_put_reply(head_, request_.path, bytes->size()), bytes->size());
  }

  asio::awaitable<Service> stat(Found found) {
    StatReply reply;
    reply.head = head_;
    reply.path = request_.path;
    reply.is_directory = found->kind == FoundKind::kDirectory;
    reply.size = found->size;
    if (found->kind == FoundKind::kMissing || found->kind == FoundKind::kOther) {
      const char* what = found->kind == FoundKind::kMissing ? ": No such file or directory"
                                                            : " is neither a file nor a directory";
      co_return failure(make_error("FILE_KIND", request_.path + what));
    }
    if (reply.is_directory) {
      auto listing = [found] { return node_host::list_beneath(*found, kMostListed); };
      auto listed = co_await on_files(core_, listing);
      if (!listed) co_return failure(listed.error());
      reply.size = listed->size;
      reply.truncated = listed->truncated;
      if (listed->truncated)
        reply.head.error_msg = "there are more than " + std::to_string(kMostListed) + " files";
      for (auto& file : listed->files) reply.files.push_back({std::move(file.path), file.size});
    }
    co_return answered(build_stat_reply(reply), 0);
  }

  asio::awaitable<Service> space(Found found) {
    auto asking = [found] { return node_host::free_space(*found); };
    auto free = co_await on_files(core_, asking);
    if (!free) co_return failure(free.error());
    SpaceReply reply;
    reply.head = head_;
    reply.path = request_.path;
    reply.resolved = free->resolved;
    reply.free_bytes = free->free_bytes;
    reply.total_bytes = free->total_bytes;
    reply.block_size = free->block_size;
    co_return answered(build_space_reply(reply), 0);
  }

  asio::awaitable<Service> send_stream(Found found) {
    auto opening = [found] { return node_host::open_found(*found); };
    auto file = co_await on_files(core_, opening);
    if (!file) co_return failure(file.error());
    std::uint64_t size = found->size;
    std::string whole;
    if (size == 0) {  // of /proc, perhaps: its size is what can be read
      auto reading = [found] { return read_whole(*found, kMostInOneFrame); };
      auto bytes = co_await on_files(core_, reading);
      if (!bytes) co_return failure(bytes.error());
      whole = std::move(*bytes);
      size = whole.size();
    }
    const std::uint64_t offset = request_.offset;
    if (offset > size) co_return failure(make_error("FILE_CHANGED", request_.path + " became shorter"));
    const std::string begin = build_get_stream_begin(head_, request_.path, size, offset);
    if (auto sent = co_await channel_->write_reply(begin); !sent) co_return dropped(sent.error());
    Sha256 hash;
    std::uint64_t sent_bytes = 0;
    std::string piece;
    while (sent_bytes < size) {
      if (!whole.empty()) {
        piece = whole.substr(static_cast<std::size_t>(sent_bytes), kPiece);
      } else {
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, size - sent_bytes));
        auto reading = [&file, &piece, wanted]() -> Result<std::size_t> {
          piece.resize(wanted);
          auto count = node_host::read_some(file->get(), piece.data(), wanted);
          if (count) piece.resize(*count);
          return count;
        };
        const auto count = co_await on_files(core_, reading);
        if (!count) co_return dropped(count.error());
        if (*count == 0) co_return dropped(make_error("FILE_CHANGED", request_.path + " became shorter"));
      }
      hash.update(piece);
      // What the client has is read again for the hash alone.
      const std::uint64_t known = offset > sent_bytes ? offset - sent_bytes : 0;
      if (known < piece.size()) {
        const std::string_view rest = std::string_view(piece).substr(static_cast<std::size_t>(known));
        if (auto sent = co_await channel_->write_data(rest); !sent) co_return dropped(sent.error());
      }
      sent_bytes += piece.size();
    }
    co_return answered(build_get_stream_end(head_, hash.hex(), size), size);
  }

  // What was there before stays until all has come and its hash is right.
  asio::awaitable<Service> take_stream(Found found) {
    if (!request_.size) co_return failure(make_error("REQUEST_INVALID", "size is required"));
    const auto size = static_cast<std::uint64_t>(*request_.size);
    std::optional<PartialUpload> upload = take_partial(found->real_path, size);
    if (!upload) {
      auto beginning = [this, found] {
        return ReplacementFile::begin(*found, mode_of(request_), request_.mkdir);
      };
      auto file = co_await on_files(core_, beginning);
      if (!file) co_return failure(file.error());
      upload.emplace(PartialUpload{token_,
                                   request_.resume,
                                   found->real_path,
                                   size,
                                   std::move(*file),
                                   std::make_unique<Sha256>(),
                                   0,
                                   {}});
    }
    ReplacementFile* const file = &upload->file;
    Sha256& hash = *upload->hash;
    std::uint64_t& taken = upload->taken;
    const std::string ready = build_put_stream_ready(head_, taken);
    if (auto sent = co_await channel_->write_reply(ready); !sent)
      co_return broken(std::move(*upload), sent.error());
    while (taken < size) {
      auto piece = co_await channel_->read_data();
      if (!piece) co_return broken(std::move(*upload), piece.error());
      if (piece->size() > size - taken)
        co_return dropped(make_error("REQUEST_INVALID", "more has come than was announced"));
      auto writing = [file, &hash, &piece]() -> Result<void> {
        hash.update(*piece);
        return file->write(*piece);
      };
      if (auto written = co_await on_files(core_, writing); !written) co_return dropped(written.error());
      taken += piece->size();
    }
    auto end = co_await channel_->read_trailer();
    if (!end) co_return broken(std::move(*upload), end.error());
    const auto trailer = parse_stream_trailer(*end);
    const std::string sum = hash.hex();
    if (!trailer || !trailer->stream_end || !equal_constant_time(to_lower_ascii(trailer->sha256), sum))
      co_return failure(make_error("HASH_MISMATCH", "sha256 mismatch: the file was left as it was before"));
    auto placing = [file] { return file->put_in_place(); };
    if (auto placed = co_await on_files(core_, placing); !placed) co_return failure(placed.error());
    co_return answered(build_put_stream_end(head_, request_.path, size, sum), size);
  }

  std::optional<PartialUpload> take_partial(const std::string& real_path, std::uint64_t size) {
    if (request_.resume.empty()) return std::nullopt;
    forget_partial_uploads(core_);
    for (auto it = core_.partial_uploads.begin(); it != core_.partial_uploads.end(); ++it) {
      if (it->token != token_ || it->name != request_.resume || it->real_path != real_path ||
          it->size != size)
        continue;
      std::optional<PartialUpload> upload(std::move(*it));
      core_.partial_uploads.erase(it);
      return upload;
    }
    return std::nullopt;
  }

  // The connection is gone; a client that gave the upload a name may come back for it.
  Service broken(PartialUpload upload, const Error& error) {
    if (!upload.name.empty() && upload.taken > 0 && !core_.closing) {
      if (core_.partial_uploads.size() >= kMostPartial) core_.partial_uploads.pop_front();
      upload.kept_until = std::chrono::steady_clock::now() + kPartialIsKept;
      core_.partial_uploads.push_back(std::move(upload));
    }
    return dropped(error);
  }

  DoorCore& core_;
  const std::string& token_;
  const Request& request_;
  std::shared_ptr<TransferChannel> channel_;
  ReplyHead head_;
};

FileAsked::Access access_of(const Request& request, const TokenRights& rights) {
  switch (request.type) {
    case RequestType::kPut:
    case RequestType::kPutStream:
      return FileAsked::Access::kWrite;
    case RequestType::kStatFs:  // how much room there is, for who may read and for who may write
      return rights.files_read ? FileAsked::Access::kRead : FileAsked::Access::kWrite;
    default:
      return FileAsked::Access::kRead;
  }
}

}  // namespace

void forget_partial_uploads(DoorCore& core, bool all) {
  const auto now = std::chrono::steady_clock::now();
  core.partial_uploads.remove_if(
      [&](const PartialUpload& upload) { return all || upload.kept_until <= now; });
}

asio::awaitable<std::optional<std::string>> serve_file(DoorCore& core, const Caller& caller, Request request,
                                                       std::shared_ptr<TransferChannel> channel,
                                                       std::int64_t& row_id) {
  ReplyHead head = core.head(request.id);
  auto place = DoorPlace::take(core, &DoorCore::transfers, core.config.max_concurrent_io, caller.token.name);
  if (!place) {
    co_return busy_reply(Busy::kTransfers, head);
  }
  const std::vector<std::string>& roots = caller.token.roots;
  auto finding = [&roots, &request] { return node_host::find_beneath(roots, request.path); };
  auto found = co_await on_files(core, finding);
  FileAsked asked;
  asked.operation = "hostlink " + std::string(request_type_name(request.type));
  asked.access = access_of(request, caller.token.rights);
  asked.path = request.path;
  asked.grant = {caller.token.rights.files_read, caller.token.rights.files_write, roots, caller.token.denied};
  Found place_of_file;
  if (found) {
    asked.real_path = found->real_path;
    place_of_file = std::make_shared<FoundFile>(std::move(*found));
  } else {
    asked.problem = found.error();
  }
  FileRequest serving(core, caller.token.name, request, channel);
  Service service;
  asked.act = [&serving, &service, place_of_file]() -> asio::awaitable<FileAsked::Done> {
    service = co_await serving.serve(place_of_file);
    co_return service.done;
  };
  node_host::ExecRequest walking;
  walking.origin = caller.origin;
  walking.id = request.id.substr(0, kRecordedId);
  walking.what = std::move(asked);
  const node_host::ExecOutcome outcome = co_await core.context.corridor.walk(std::move(walking));
  place->leave();
  row_id = outcome.row_id;
  if (outcome.cancelled()) co_return std::nullopt;
  if (const node_host::Denied* denied = outcome.denied()) {
    tell_denial(core, caller, *denied, head);
    co_return build_failure(head);
  }
  co_return std::move(service.answer);
}

}  // namespace hostclaw::hostlink
