// The reading end of one output stream of a run.
// Thread rule: the executor's thread. Handlers keep the object alive; close() ends them.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "node-host/system/file_handles.h"

namespace hostclaw::node_host {

struct Pipe {
  UniqueFd reading;
  UniqueFd writing;
};

// Both ends close on exec. Errors: errno names.
Result<Pipe> make_pipe();

class OutputPipe : public std::enable_shared_from_this<OutputPipe> {
 public:
  struct Handlers {
    std::function<void(std::string_view)> on_bytes;
    std::function<void()> on_end;  // once, when every writing end is closed
  };

  OutputPipe(const boost::asio::any_io_executor& executor, Handlers handlers);

  // Takes the reading end. Errors: errno names.
  Result<void> start(UniqueFd reading);
  // Reads what is there now.
  void drain();
  bool ended() const { return !descriptor_.is_open(); }
  // No handler is called afterwards.
  void close();

 private:
  void wait_for_bytes();

  boost::asio::posix::stream_descriptor descriptor_;
  Handlers handlers_;
};

}  // namespace hostclaw::node_host
