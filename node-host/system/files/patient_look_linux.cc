// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/files/patient_look.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/text.h"
#include "node-host/system/files/file_handles.h"

namespace hostclaw::node_host {
namespace {

constexpr std::size_t kMostOut = 16;
constexpr std::size_t kMostMountText = 4'194'304;

bool may_hang(std::string_view type) {
  return type.starts_with("nfs") || type.starts_with("fuse.") ||
         is_one_of(type, {"fuse", "fuseblk", "cifs", "smb3", "smbfs", "9p", "ceph", "afs", "coda", "autofs",
                          "glusterfs", "lustre", "gpfs", "beegfs", "ocfs2", "gfs2", "ncpfs", "davfs"});
}

// \040 and the like, as the kernel writes blanks in paths.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool escape = text[at] == '\\' && at + 3 < text.size();
    if (!escape) {
      out += text[at];
      continue;
    }
    int value = 0;
    for (int i = 1; i <= 3; ++i) value = value * 8 + (text[at + static_cast<std::size_t>(i)] - '0');
    out += static_cast<char>(value);
    at += 3;
  }
  return out;
}

// Where file systems that may hang are mounted.
class Mounts {
 public:
  static Mounts& of_this_process() {
    static Mounts mounts;
    return mounts;
  }

  bool any() {
    const std::lock_guard hold(mutex_);
    refresh();
    return !places_.empty();
  }

  // The one that `path` lies in, by its names; empty: in none.
  std::string place_of(const std::string& path) {
    const std::lock_guard hold(mutex_);
    std::string longest;
    for (const std::string& place : places_) {
      const bool beneath =
          place == "/" || path == place ||
          (path.starts_with(place) && path.size() > place.size() && path[place.size()] == '/');
      if (beneath && place.size() >= longest.size()) longest = place;
    }
    return longest;
  }

 private:
  Mounts() : file_(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC)) { read(); }

  void refresh() {
    if (!file_) return;
    pollfd changed{file_.get(), POLLPRI, 0};
    if (::poll(&changed, 1, 0) > 0 && (changed.revents & (POLLPRI | POLLERR)) != 0) read();
  }

  void read() {
    if (!file_ || ::lseek(file_.get(), 0, SEEK_SET) != 0) return;
    std::string text;
    char block[16'384];
    while (text.size() < kMostMountText) {
      const ssize_t count = ::read(file_.get(), block, sizeof block);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) break;
      text.append(block, static_cast<std::size_t>(count));
    }
    places_.clear();
    // ID PARENT MAJOR:MINOR ROOT PLACE OPTIONS... - TYPE SOURCE OPTIONS
    for (const std::string& line : split(text, '\n')) {
      const std::size_t tail = line.find(" - ");
      const std::vector<std::string> words = split(line.substr(0, tail), ' ');
      if (tail == std::string::npos || words.size() < 5) continue;
      const std::string rest = line.substr(tail + 3);
      if (may_hang(rest.substr(0, rest.find(' ')))) places_.push_back(unescaped(words[4]));
    }
  }

  std::mutex mutex_;
  UniqueFd file_;
  std::vector<std::string> places_;
};

// One look, shared by who waits and the thread that makes it.
struct Look {
  std::function<void()> work;
  std::string place;
  bool done = false;
  bool left = false;  // nobody waits any more
};

// Threads that make looks; one is kept for the next.
class Lookers {
 public:
  static Lookers& of_this_process() {
    // Never destroyed: a thread that comes back at last finds it.
    static auto* const lookers = new Lookers;
    return *lookers;
  }

  bool make(std::shared_ptr<Look> look, std::chrono::milliseconds at_most) {
    std::unique_lock hold(mutex_);
    const auto same = [&look](const std::shared_ptr<Look>& other) {
      return !look->place.empty() && other->place == look->place;
    };
    if (out_.size() >= kMostOut || std::any_of(out_.begin(), out_.end(), same)) return false;
    waiting_.push_back(look);
    if (idle_ < waiting_.size()) {
      try {
        std::thread([this] { serve(); }).detach();
      } catch (const std::exception&) {
        std::erase(waiting_, look);
        return false;
      }
    } else {
      wanted_.notify_one();
    }
    if (done_.wait_for(hold, at_most, [&look] { return look->done; })) return true;
    look->left = true;
    if (std::erase(waiting_, look) == 0) out_.push_back(look);
    return false;
  }

 private:
  void serve() {
    std::unique_lock hold(mutex_);
    for (;;) {
      if (waiting_.empty()) {
        if (idle_ > 0) return;
        ++idle_;
        wanted_.wait(hold, [this] { return !waiting_.empty(); });
        --idle_;
      }
      const std::shared_ptr<Look> look = waiting_.front();
      waiting_.erase(waiting_.begin());
      hold.unlock();
      look->work();
      look->work = nullptr;
      hold.lock();
      look->done = true;
      if (look->left) std::erase(out_, look);
      done_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable wanted_;
  std::condition_variable done_;
  std::vector<std::shared_ptr<Look>> waiting_;
  std::vector<std::shared_ptr<Look>> out_;  // not back in time
  std::size_t idle_ = 0;
};

}  // namespace

bool mounts_may_hang() { return Mounts::of_this_process().any(); }

bool look_in_time(const std::string& path, std::chrono::milliseconds at_most, std::function<void()> look) {
  auto one = std::make_shared<Look>();
  one->work = std::move(look);
  one->place = Mounts::of_this_process().place_of(path);
  return Lookers::of_this_process().make(std::move(one), at_most);
}

}  // namespace hostclaw::node_host
