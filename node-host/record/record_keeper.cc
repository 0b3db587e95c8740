// SPDX-License-Identifier: Apache-2.0
#include "node-host/record/record_keeper.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <limits>

#include "approvals/store/retention_clock.h"
#include "base/clock.h"
#include "node-host/loop/log.h"
#include "node-host/system/host/host_facts.h"

namespace hostclaw::node_host {
namespace {

namespace asio = boost::asio;
using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::seconds kSettingsLook{5};
// While the database is not where it was; each look of the store's thread finds it again.
constexpr std::chrono::seconds kLostLook{1};
constexpr std::chrono::milliseconds kMirrorLook{250};
constexpr std::chrono::seconds kStatesKeptEvery{5};
constexpr std::chrono::minutes kRetentionEvery{10};
constexpr std::chrono::seconds kSizeLook{30};
constexpr std::chrono::hours kLimitToldEvery{1};
constexpr std::chrono::seconds kLastRows{1};
// A lot takes the database for a few milliseconds.
constexpr std::int64_t kRemovedAtOnce = 1000;
// The removal adds a row or two itself: without something worth removing, an idle node would replace its
// record by rows that tell of removals.
constexpr std::int64_t kWorthRemoving = 16;
constexpr std::size_t kRowsAtOnce = 500;

// Which mirrors there are and which of them fail.
std::string problems_of(const MirrorStates& states) {
  std::string text;
  for (const auto& [name, state] : states.by_name)
    text += name + "=" + state.target + (state.problem.empty() ? " " : " fails ");
  return text;
}

}  // namespace

RecordKeeper::RecordKeeper(asio::any_io_executor executor, StoreThread& store, std::string state_directory,
                           approvals::AuditOptions audit)
    : store_(store),
      state_directory_(std::move(state_directory)),
      audit_(std::move(audit)),
      pause_(executor),
      ended_(executor, SteadyClock::time_point::max()) {}

RecordKeeper::~RecordKeeper() = default;

asio::awaitable<void> RecordKeeper::run() {
  running_ = true;
  while (!stopping_) {
    co_await take_settings();
    if (store_is_usable_ && !settings_.keep.everything() && SteadyClock::now() >= retention_at_)
      co_await apply_retention();
    if (store_is_usable_ && settings_known_ && SteadyClock::now() >= size_at_) co_await hold_limit();
    if (mirrors_ && reader_) {
      co_await mirror_new_rows();
      co_await keep_states(false);
    } else {
      co_await close_reader();
    }
    if (stopping_) break;
    pause_.expires_after(!store_is_usable_     ? std::chrono::milliseconds(kLostLook)
                         : mirrors_ && reader_ ? std::chrono::milliseconds(kMirrorLook)
                                               : std::chrono::milliseconds(kSettingsLook));
    (void)co_await pause_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  if (mirrors_ && reader_) {
    co_await mirror_new_rows();
    co_await keep_states(true);
  }
  co_await close_reader();
  running_ = false;
  ended_.cancel();
}

asio::awaitable<void> RecordKeeper::finish() {
  stopping_ = true;
  last_moment_ = SteadyClock::now() + kLastRows;
  pause_.cancel();
  while (running_) (void)co_await ended_.async_wait(asio::as_tuple(asio::use_awaitable));
}

// The same trouble is told once.
void RecordKeeper::tell(const Error& problem) {
  const std::string text = problem.code + ": " + problem.message;
  if (text == told_) return;
  told_ = text;
  log_warn("keeping the record: " + text + (problem.next.empty() ? "" : " -- next: " + problem.next));
}

asio::awaitable<void> RecordKeeper::take_settings() {
  std::int64_t epoch = 0;
  const auto changes = co_await store_.on_store([&epoch](approvals::Store& store) {
    epoch = store.epoch();
    return store.foreign_change_count();
  });
  store_is_usable_ = changes.has_value();
  if (!changes) {
    // Another connection of this process would keep the store from opening what lies there now.
    co_await close_reader();
    co_return;
  }
  if (epoch != epoch_) {
    // Another file: its rows have other numbers.
    epoch_ = epoch;
    settings_known_ = false;
    mirrors_.reset();
  }
  if (mirrors_ && !reader_) {
    if (!co_await open_reader()) co_return;
  }
  if (settings_known_ && *changes == seen_changes_) co_return;
  seen_changes_ = *changes;
  auto read =
      co_await store_.on_store([](approvals::Store& store) { return approvals::read_audit_settings(store); });
  for (const Error& problem : read.problems) tell(problem);
  const auto limit =
      co_await store_.on_store([](approvals::Store& store) { return approvals::read_database_limit(store); });
  if (limit.problem) tell(*limit.problem);
  if (limit.limit != limit_ || !settings_known_) size_at_ = limit_told_at_ = {};
  limit_ = limit.limit;
  if (!settings_known_ || read.keep != settings_.keep) retention_at_ = SteadyClock::now();
  const bool other_mirrors = !settings_known_ || read.mirrors != settings_.mirrors;
  settings_ = std::move(read);
  settings_known_ = true;
  if (!other_mirrors) co_return;
  if (mirrors_) co_await keep_states(true);
  mirrors_.reset();
  if (settings_.mirrors.none()) {
    // Switched on again, it begins with what is new then.
    (void)co_await store_.on_store([](approvals::Store& store) -> Result<void> {
      const auto known = store.setting(kMirrorStateKey);
      return known && *known ? store.remove_setting(kMirrorStateKey) : Result<void>();
    });
    co_return;
  }
  if (!co_await open_reader()) {
    settings_known_ = false;  // tried again at the next look
    co_return;
  }
  auto states = co_await store_.on_store([](approvals::Store& store) -> Result<MirrorStates> {
    MirrorStates known = read_mirror_states(store);
    if (known.position > 0) return known;
    // From here on. What was written before can be exported.
    const auto newest = approvals::AuditChain(store).rows({0, 0, {}, 1, true});
    if (!newest) return newest.error();
    known.position = newest->empty() ? 0 : newest->front().sequence;
    return known;
  });
  if (!states) {
    tell(states.error());
    settings_known_ = false;
    co_return;
  }
  mirrors_ = std::make_unique<RecordMirrors>(settings_.mirrors, std::move(*states));
  co_await keep_states(true);
}

asio::awaitable<bool> RecordKeeper::open_reader() {
  if (reader_) co_return true;
  // Opening reads files: not on this thread.
  auto opened = co_await store_.on_store([this](approvals::Store&) {
    return approvals::Store::open(state_directory_, approvals::OpenMode::kReadOnly);
  });
  if (!opened) {
    tell(opened.error());
    co_return false;
  }
  reader_ = std::make_unique<StoreThread>(pause_.get_executor(), std::move(*opened));
  co_return true;
}

asio::awaitable<void> RecordKeeper::close_reader() {
  reader_.reset();
  co_return;
}

asio::awaitable<void> RecordKeeper::apply_retention() {
  retention_at_ = SteadyClock::now() + kRetentionEvery;
  if (!co_await open_reader()) co_return;
  const approvals::AuditRetention limits =
      approvals::retention_at(settings_.keep, co_await time_for_retention());
  const auto found = co_await reader_->on_store(
      [&limits](approvals::Store& store) { return approvals::AuditChain(store).removable(limits); });
  if (!found) {
    tell(found.error());
    co_return;
  }
  if (found->rows < kWorthRemoving) co_return;
  approvals::AuditRetention lot;
  lot.through = found->through;
  lot.at_most = kRemovedAtOnce;
  std::int64_t removed = 0;
  while (!stopping_) {
    const auto gone = co_await store_.on_store([this, &lot](approvals::Store& store) {
      return approvals::AuditChain(store, audit_).prune(lot, {"node", "audit.retention"});
    });
    if (!gone) {
      tell(gone.error());
      break;
    }
    removed += *gone;
    if (*gone < kRemovedAtOnce) break;
  }
  if (removed > 0)
    log_info("retention removed " + std::to_string(removed) + " rows of the record, up to row " +
             std::to_string(found->through) + " (hostclaw audit retention show)");
}

// Not the clock alone: one that jumps ahead would make every row old.
asio::awaitable<std::int64_t> RecordKeeper::time_for_retention() {
  const approvals::ClockLook look{unix_ms_now(), uptime_ms(), boot_id()};
  const auto time = co_await store_.on_store(
      [&look](approvals::Store& store) -> Result<std::pair<std::int64_t, std::int64_t>> {
        const auto known = store.setting(approvals::kRetentionClockKey);
        if (!known) return known.error();
        approvals::RetentionClock clock =
            *known ? approvals::RetentionClock(**known) : approvals::RetentionClock();
        const std::int64_t now = clock.now(look);
        if (auto kept = store.put_setting(approvals::kRetentionClockKey, clock.state()); !kept)
          return kept.error();
        return std::pair(now, clock.ahead_ms());
      });
  if (!time) {
    tell(time.error());
    co_return 0;  // by which nothing is old
  }
  if (time->second > 0) {
    tell(make_error(
        "CLOCK_JUMPED",
        "the clock is " + std::to_string(time->second / 3'600'000) +
            " h ahead of what the record and the machine's uptime tell; no row goes by its age before the "
            "clock has held for a day",
        "timedatectl status"));
  }
  co_return time->first;
}

asio::awaitable<void> RecordKeeper::hold_limit() {
  size_at_ = SteadyClock::now() + kSizeLook;
  const auto counted = co_await store_.on_store([](approvals::Store& store) { return store.bytes_in_use(); });
  if (!counted) {
    tell(counted.error());
    co_return;
  }
  std::int64_t bytes = *counted;
  if (bytes >= limit_.bytes() && limit_.then == approvals::AtLimit::kPrune) bytes = co_await shrink(bytes);
  const bool over = bytes >= limit_.bytes();
  const Error why = approvals::database_at_limit(limit_, bytes);
  if (over && SteadyClock::now() >= limit_told_at_) {
    limit_told_at_ = SteadyClock::now() + kLimitToldEvery;
    log_warn(why.code + ": " + why.message + " -- next: " + why.next);
  }
  if (!over && at_limit_) log_info("the database is below its limit again");
  at_limit_ = over;
  std::optional<Error> refused;
  if (over && limit_.then == approvals::AtLimit::kRefuse) refused = why;
  (void)co_await store_.on_store([&refused](approvals::Store& store) -> Result<void> {
    store.refuse_work(refused);
    return {};
  });
}

// Removes the oldest rows, in lots, until nine tenths of the limit are in use: of runs that are over first,
// which anybody can have written who may ask for one; then of the record, for as long as that helps. Answers
// what is in use then.
asio::awaitable<std::int64_t> RecordKeeper::shrink(std::int64_t bytes_in_use) {
  const std::int64_t goal = limit_.bytes() / 10 * 9;
  approvals::AuditRetention oldest;
  oldest.through = std::numeric_limits<std::int64_t>::max();
  oldest.at_most = kRemovedAtOnce;
  std::int64_t removed_runs = 0;
  std::int64_t removed_rows = 0;
  bool of_runs = true;
  while (bytes_in_use > goal && !stopping_) {
    const auto lot = co_await store_.on_store(
        [this, &oldest, of_runs](approvals::Store& store) -> Result<std::pair<std::int64_t, std::int64_t>> {
          const auto gone = of_runs
                                ? store.remove_oldest_runs(kRemovedAtOnce)
                                : approvals::AuditChain(store, audit_).prune(oldest, {"node", "store.limit"});
          if (!gone) return gone.error();
          const auto left = store.bytes_in_use();
          if (!left) return left.error();
          return std::pair(*gone, *left);
        });
    if (!lot) {
      tell(lot.error());
      break;
    }
    (of_runs ? removed_runs : removed_rows) += lot->first;
    const bool helped = lot->second < bytes_in_use;
    bytes_in_use = lot->second;
    if (of_runs) {
      of_runs = lot->first == kRemovedAtOnce;
    } else if (lot->first < kWorthRemoving || !helped) {
      break;
    }
  }
  if (removed_runs + removed_rows > 0)
    log_info("the limit of the database removed " + std::to_string(removed_runs) +
             " runs that are over and " + std::to_string(removed_rows) +
             " rows of the record (hostclaw audit limit show)");
  co_return bytes_in_use;
}

asio::awaitable<void> RecordKeeper::mirror_new_rows() {
  for (;;) {
    const auto sent = co_await reader_->on_store([this](approvals::Store& store) -> Result<std::size_t> {
      approvals::AuditFilter filter;
      filter.after = mirrors_->states().position;
      filter.limit = kRowsAtOnce;
      filter.newest_first = false;
      const auto rows = approvals::AuditChain(store).rows(filter);
      if (!rows) return rows.error();
      for (const approvals::AuditRow& row : *rows) mirrors_->send(row);
      return rows->size();
    });
    if (!sent) {
      tell(sent.error());
      co_return;
    }
    if (*sent < kRowsAtOnce || SteadyClock::now() >= last_moment_) co_return;
  }
}

// For whoever looks, and for the next process. Not after every row: that would double the writes.
asio::awaitable<void> RecordKeeper::keep_states(bool now) {
  const std::string problems = problems_of(mirrors_->states());
  const std::int64_t position = mirrors_->states().position;
  const bool due =
      now || problems != kept_problems_ || SteadyClock::now() >= states_kept_at_ + kStatesKeptEvery;
  if (!due || (position == kept_position_ && problems == kept_problems_)) co_return;
  const auto kept = co_await store_.on_store([this](approvals::Store& store) {
    return store.put_setting(kMirrorStateKey, to_json(mirrors_->states()));
  });
  if (!kept) {
    tell(kept.error());
    co_return;
  }
  kept_position_ = position;
  kept_problems_ = problems;
  states_kept_at_ = SteadyClock::now();
}

}  // namespace hostclaw::node_host
