// SPDX-License-Identifier: Apache-2.0
// What a run has written so far, while it runs, for the command line of this machine: a file of its own in
// the node's state directory, which goes with the run. Most runs are over before anybody could look and never
// have one.
//
// The file is a head (a sign, how many bytes came in all, whether more can come) and a ring of kRoom bytes:
// it is as large as that however long the output becomes, and a reader that is too slow misses the oldest
// part and is told how much. Both streams, in the order in which their bytes came. Nothing depends on it: a
// write that fails shows less. Cost: two or three writes to the page cache for each piece of output.
//
// Thread rule: one thread at a time; other processes may read meanwhile.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hostclaw::node_host {

// The directory of these files in the state directory.
inline constexpr const char* kLiveOutputName = "node.output";

class LiveOutput {
 public:
  static constexpr std::uint64_t kRoom = 256 * 1024;

  // Of the run with this row: makes the directory (0700) and the file (0600).
  LiveOutput(const std::string& directory, std::int64_t row);
  ~LiveOutput();  // readers are told that this was all, and the file goes
  LiveOutput(const LiveOutput&) = delete;
  LiveOutput& operator=(const LiveOutput&) = delete;

  void append(std::string_view bytes);

  // Removes what a node left that died, but for the rows that go on. Requires: no other node uses the
  // directory.
  static void clear(const std::string& directory, const std::vector<std::int64_t>& but = {});

 private:
  void write_at(std::uint64_t place, const void* bytes, std::size_t size);
  void write_head(std::uint64_t claimed, bool over);

  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  std::uint64_t total_ = 0;
};

class LiveOutputReader {
 public:
  struct Piece {
    std::string bytes;
    std::uint64_t missed = 0;  // bytes before these that were overwritten
    bool over = false;         // nothing more will come
  };

  LiveOutputReader(const std::string& directory, std::int64_t row);
  // Whether there is a file, now or before: it is looked for until there is one.
  bool opened();
  // What came since the last call.
  Piece read();

 private:
  struct Head {
    std::uint64_t total = 0;
    std::uint64_t claimed = 0;
    bool over = false;
  };
  bool read_head(Head& head);

  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  std::uint64_t position_ = 0;
};

// The end of what that run has written until now, as valid UTF-8, without white space around it: as much as a
// row keeps of an ended one. Empty: nothing, or it cannot be seen (yet).
std::string live_tail(const std::string& directory, std::int64_t row);

}  // namespace hostclaw::node_host
