// SPDX-License-Identifier: Apache-2.0
#include "node-host/run/kept_runs.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "base/json.h"
#include "node-host/run/kept_files.h"
#include "node-host/run/kept_order.h"
#include "node-host/run/run_session.h"
#include "node-host/system/host/system_error.h"
#include "node-host/system/process/orphans.h"
#include "node-host/system/process/spawn.h"

namespace hostclaw::node_host {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kMostOfFile = 4'194'304;
// Where the system tells of no end of a process that is not a child.
constexpr std::chrono::milliseconds kLookAgain{250};
constexpr int kRoundsOfKilling = 20;
constexpr useconds_t kBetweenRoundsUs = 5'000;

int open_process(std::int64_t pid) {
#ifdef SYS_pidfd_open
  return static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0));
#else
  (void)pid;
  errno = ENOSYS;
  return -1;
#endif
}

std::string read_small_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  std::string text;
  char block[65'536];
  while (file && text.size() < kMostOfFile) {
    const ssize_t count = ::read(file.get(), block, sizeof block);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    text.append(block, static_cast<std::size_t>(count));
  }
  return text;
}

// A name of its own, and no way out of the directory.
bool is_plain_name(std::string_view text) {
  constexpr std::size_t kLongest = 128;
  return !text.empty() && text.size() <= kLongest && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

void remove_tree(const std::string& directory) {
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
}

// True while a keeper holds it, and where that cannot be seen now.
bool is_locked(const std::string& directory) {
  const UniqueFd file(::open((directory + kKeptLockName).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return errno != ENOENT;
  return ::flock(file.get(), LOCK_SH | LOCK_NB) != 0;
}

bool has_ended(const std::string& directory) {
  return ::access((directory + kKeptEndName).c_str(), F_OK) == 0;
}

std::int64_t keeper_pid(const std::string& directory) {
  const auto json = parse_json(read_small_file(directory + kKeptLockName));
  if (!json || !json->is_object()) return 0;
  const auto pid = json->find("pid");
  return pid != json->end() && pid->is_number_integer() ? pid->get<std::int64_t>() : 0;
}

Error errno_error(const char* what) { return make_error(error_name(errno), what); }

struct Places {
  std::string directory;
  UniqueFd lock;   // held, to be handed over
  UniqueFd order;  // to be read from its beginning
};

Result<Places> make_places(const std::string& all, const std::string& run_id, const Json& run) {
  if (!is_plain_name(run_id)) return make_error("EINVAL", "no name for a directory");
  if (::mkdir(all.c_str(), 0700) != 0 && errno != EEXIST) return errno_error("its directory");
  Places places;
  places.directory = all + "/" + run_id;
  if (::mkdir(places.directory.c_str(), 0700) != 0) return errno_error("its directory");
  const auto create = [&](const char* name) {
    return UniqueFd(
        ::open((places.directory + name).c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  };
  const UniqueFd about = create(kKeptRunName);
  if (!about || !write_all(about.get(), dump_json(run))) return errno_error("what it is");
  places.lock = create(kKeptLockName);
  if (!places.lock || ::flock(places.lock.get(), LOCK_EX | LOCK_NB) != 0) return errno_error("its lock");
  places.order = UniqueFd(::memfd_create("hostclaw-run", MFD_CLOEXEC));
  if (!places.order) return errno_error("its order");
  return places;
}

Result<SpawnedChild> start_keeper(const Places& places, const std::string& bytes) {
  if (!write_all(places.order.get(), bytes) || ::lseek(places.order.get(), 0, SEEK_SET) != 0)
    return errno_error("its order");
  const UniqueFd program(::open("/proc/self/exe", O_PATH | O_CLOEXEC));
  const UniqueFd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!program || !root || !nothing) return errno_error("its program");
  const std::vector<std::string> argv{"hostclaw", kKeepRunWord};
  // Nothing of ours: what the programs get is part of the order.
  const std::vector<std::string> environment{"PATH=/usr/bin:/bin"};
  const SpawnRequest request{.executable = program.get(),
                             .form = LaunchForm::kProgram,
                             .path = {},
                             .argv = argv,
                             .environment = environment,
                             .directory = root.get(),
                             .stdio = {places.order.get(), places.lock.get(), nothing.get()}};
  return spawn(request);
}

// What a keeper that was killed kept goes with it.
void kill_programs_of(const std::string& marker) {
  if (marker.empty()) return;
  for (int round = 0; round < kRoundsOfKilling; ++round) {
    const std::vector<LeftProcess> left = find_left_behind({marker});
    if (left.empty()) return;
    for (const LeftProcess& process : left) tell_to_end(process, true);
    ::usleep(kBetweenRoundsUs);
  }
}

}  // namespace

bool runs_can_be_kept() { return true; }

// One keeper, of ours or of an earlier process.
class KeptRuns::Keeper {
 public:
  Keeper(const asio::any_io_executor& executor, std::string at)
      : directory(std::move(at)), wakeup(executor), exit_event_(executor) {}
  ~Keeper() {
    if (child_) forget_child(pid_);
  }
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  static void watch_child(const std::shared_ptr<Keeper>& keeper, SpawnedChild child) {
    keeper->pid_ = child.pid;
    keeper->child_ = true;
    watch(keeper, std::move(child.exit_descriptor));
  }

  // False: there is none any more.
  static bool watch_other(const std::shared_ptr<Keeper>& keeper) {
    keeper->pid_ = keeper_pid(keeper->directory);
    UniqueFd process(keeper->pid_ > 0 ? open_process(keeper->pid_) : -1);
    // Looked at afterwards: whoever holds the lock now is the one whose number was read.
    if (!is_locked(keeper->directory)) return false;
    watch(keeper, std::move(process));
    return true;
  }

  bool over() {
    if (over_ || exit_event_.is_open()) return over_;
    over_ = !is_locked(directory);
    // Whoever else holds the lock then does not keep the run.
    if (!over_ && !child_ && has_ended(directory))
      over_ = pid_ <= 0 || (::kill(static_cast<pid_t>(pid_), 0) != 0 && errno == ESRCH);
    return over_;
  }
  bool tells_its_end() const { return exit_event_.is_open(); }

  void tell_to_end() {
    if (over()) return;
    if (pid_ == 0) pid_ = keeper_pid(directory);
#ifdef SYS_pidfd_send_signal
    if (exit_event_.is_open() &&
        ::syscall(SYS_pidfd_send_signal, exit_event_.native_handle(), SIGTERM, nullptr, 0) == 0)
      return;
#endif
    if (pid_ > 0 && is_locked(directory)) ::kill(static_cast<pid_t>(pid_), SIGTERM);
  }

  void reap() {
    if (!std::exchange(child_, false)) return;
    siginfo_t information{};
    while (::waitid(P_PID, static_cast<id_t>(pid_), &information, WEXITED | WNOHANG) != 0 && errno == EINTR) {
    }
    forget_child(pid_);
  }

  std::int64_t pid() const { return pid_; }

  const std::string directory;
  Wakeup wakeup;

 private:
  static void watch(const std::shared_ptr<Keeper>& keeper, UniqueFd process) {
    if (!process) return;
    boost::system::error_code failed;
    keeper->exit_event_.assign(process.get(), failed);
    if (failed) return;
    process.release();
    await_exit(keeper);
  }

  static void await_exit(const std::shared_ptr<Keeper>& keeper) {
    keeper->exit_event_.async_wait(asio::posix::stream_descriptor::wait_read,
                                   [weak = std::weak_ptr(keeper)](const boost::system::error_code& error) {
                                     const auto self = weak.lock();
                                     if (error || !self) return;
                                     // An event may be of whoever had this descriptor's number before.
                                     pollfd process{self->exit_event_.native_handle(), POLLIN, 0};
                                     if (::poll(&process, 1, 0) <= 0) return await_exit(self);
                                     self->over_ = true;
                                     self->wakeup.notify();
                                   });
  }

  asio::posix::stream_descriptor exit_event_;
  std::int64_t pid_ = 0;
  bool child_ = false;
  bool over_ = false;
};

KeptRuns::KeptRuns(asio::any_io_executor executor, Settings settings, RunRoster& roster)
    : executor_(std::move(executor)), settings_(std::move(settings)), roster_(roster) {}

KeptRuns::~KeptRuns() = default;

asio::awaitable<RunOutcome> KeptRuns::run(policy::ExecutionPlan plan, std::shared_ptr<OpenedFiles> files,
                                          RunOptions options) {
  RunOutcome outcome;
  if (!files) files = std::make_shared<OpenedFiles>();
  KeptOrder order;
  for (const std::string& path : judged_paths(plan)) order.states[path] = files->state(path);
  order.plan = std::move(plan);
  if (options.before_spawn) {
    if (const auto refusal = co_await options.before_spawn()) {
      outcome.launch_error = refusal->message;
      co_return outcome;
    }
  }
  outcome.cancelled = left_ || options.cancellation.cancelled();
  if (outcome.cancelled) co_return outcome;
  order.timeout = options.timeout;
  order.limits = options.limits;
  order.kill_grace = options.kill_grace.value_or(settings_.kill_grace);
  order.give_up = settings_.give_up;
  order.leaves_background = options.leaves_background;
  order.mark = options.mark;
  order.rest_of_mark = random_mark();
  order.row = options.row ? options.row() : 0;
  order.output = *options.kept;
  order.live_output = settings_.live_output;
  if (settings_.control_groups) order.control_groups = settings_.control_groups->directory();
  const std::string marker = order.mark + order.rest_of_mark;
  const Json run{{"run", order.output.run_id}, {"row", order.row}, {"marker", marker}};
  auto places = make_places(settings_.directory, order.output.run_id, run);
  if (!places) {
    outcome.launch_error = launch_error_text(places.error().code);
    co_return outcome;
  }
  order.directory = places->directory;
  auto child = start_keeper(*places, bytes_of(order));
  if (!child) {
    remove_tree(places->directory);
    outcome.launch_error = launch_error_text(child.error().code);
    co_return outcome;
  }
  const auto keeper = std::make_shared<Keeper>(executor_, places->directory);
  Keeper::watch_child(keeper, std::move(*child));
  // The keeper alone holds the lock from now on.
  places->lock.reset();
  places->order.reset();
  const std::string run_id = order.output.run_id;
  const std::int64_t row = order.row;
  order = {};
  files.reset();
  outcome = co_await until_end(keeper, options.cancellation, {run_id, row, marker});
  co_return outcome;
}

std::vector<KeptRun> KeptRuns::found() {
  std::vector<KeptRun> runs;
  if (settings_.directory.empty()) return runs;
  std::error_code error;
  for (const auto& item : std::filesystem::directory_iterator(settings_.directory, error)) {
    const std::string directory = item.path().string();
    const auto json = parse_json(read_small_file(directory + kKeptRunName));
    KeptRun run;
    run.run_id = item.path().filename().string();
    if (json && json->is_object() && is_plain_name(run.run_id)) {
      run.row = json->value("row", std::int64_t{0});
      run.marker = json->value("marker", std::string());
      // In this order: it may end in between.
      if (is_locked(directory) || has_ended(directory)) {
        runs.push_back(std::move(run));
        continue;
      }
      end_groups_of(run.run_id);
    }
    remove_tree(directory);
  }
  return runs;
}

asio::awaitable<RunOutcome> KeptRuns::rejoin(KeptRun run, RunCancellation cancellation) {
  const auto keeper = std::make_shared<Keeper>(executor_, settings_.directory + "/" + run.run_id);
  (void)Keeper::watch_other(keeper);
  RunOutcome outcome = co_await until_end(keeper, cancellation, run);
  co_return outcome;
}

asio::awaitable<RunOutcome> KeptRuns::until_end(std::shared_ptr<Keeper> keeper, RunCancellation cancellation,
                                                KeptRun run) {
  RunOutcome outcome;
  const auto& [run_id, row, marker] = run;
  const CancelListener listener(cancellation, [keeper] { keeper->wakeup.notify(); });
  waiting_.insert(&keeper->wakeup);
  const std::shared_ptr<Wakeup> listed(&keeper->wakeup, [this](Wakeup* gone) { waiting_.erase(gone); });
  // Whoever descends from the keeper descends from the run.
  std::optional<std::size_t> place;
  if (row > 0 && keeper->pid() > 0) place = roster_.enter({keeper->pid(), row, marker});
  bool told = false;
  const auto due = [&] { return left_ || keeper->over() || (cancellation.cancelled() && !told); };
  for (;;) {
    const std::optional<SteadyTime> look =
        keeper->tells_its_end() ? std::nullopt : std::optional(std::chrono::steady_clock::now() + kLookAgain);
    if (!co_await keeper->wakeup.wait(due, look)) continue;
    if (keeper->over()) break;
    if (left_) {
      outcome.goes_on = true;
      co_return outcome;
    }
    keeper->tell_to_end();
    told = true;
  }
  if (place) roster_.leave(*place);
  keeper->reap();
  const auto json = parse_json(read_small_file(keeper->directory + kKeptEndName));
  if (auto end = json ? outcome_from(*json) : std::nullopt) {
    outcome = std::move(*end);
  } else {
    end_groups_of(run_id);
    kill_programs_of(marker);
    // It may not have come as far as to hear that it was cancelled.
    outcome.cancelled = told;
    outcome.signal = SIGKILL;
    if (!told)
      outcome.standard_error.text =
          "hostclaw: the process that kept this run was killed, and its programs were ended.";
  }
  co_return outcome;
}

void KeptRuns::forget(const std::string& run_id) {
  if (!is_plain_name(run_id) || settings_.directory.empty()) return;
  remove_tree(settings_.directory + "/" + run_id);
  if (settings_.control_groups)
    settings_.control_groups->remove_those(ControlGroups::prefix_of(run_id), false);
}

void KeptRuns::end_groups_of(const std::string& run_id) {
  if (settings_.control_groups)
    settings_.control_groups->remove_those(ControlGroups::prefix_of(run_id), true);
}

void KeptRuns::leave_all() {
  left_ = true;
  for (Wakeup* wakeup : waiting_) wakeup->notify();
}

}  // namespace hostclaw::node_host
