// SPDX-License-Identifier: Apache-2.0
#include "hostlink/door/caller.h"

#include "base/text.h"
#include "hostlink/door/on_pool.h"
#include "node-host/loop/log.h"
#include "node-host/system/host/random_bytes.h"
#include "node-host/system/process/run_ancestry.h"
#include "node-host/system/process/run_roster.h"

namespace hostclaw::hostlink {

namespace asio = boost::asio;
using node_host::Origin;
using node_host::PeerProcess;

namespace {

constexpr std::size_t kMostRecognised = 1024;
constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kMostStrangers = 256;

// Another process of this machine, where find_descent looks at itself.
class PeerTable final : public node_host::ProcessTable {
 public:
  PeerTable(std::unique_ptr<node_host::ProcessTable> system, std::int64_t pid)
      : system_(std::move(system)), pid_(pid) {}
  std::optional<node_host::ProcessFacts> look(std::int64_t pid) override { return system_->look(pid); }
  std::optional<node_host::ProcessFacts> look_at_self() override { return system_->look(pid_); }
  std::string confinement() override { return {}; }
  bool in_job_of(const std::string&) override { return false; }

 private:
  std::unique_ptr<node_host::ProcessTable> system_;
  std::int64_t pid_;
};

Origin::Within nobody_known(const char* who) {
  Origin::Within unknown;
  unknown.who = who;
  return unknown;
}

// The run that the process is part of, on the store's thread.
std::optional<Origin::Within> run_around(approvals::Store& store, const std::string& state_directory,
                                         std::int64_t pid) {
  PeerTable table(node_host::processes_of_this_system(state_directory), pid);
  // Who has gone meanwhile cannot be looked at: then the strictest holds.
  if (!table.look(pid)) return nobody_known("a process that has ended");
  const node_host::Descent descent = node_host::find_descent(table);
  if (!descent.from_run) {
    // One that has ended shows no environment, and need not have its parent any more.
    if (!node_host::process_lives(pid)) return nobody_known("a process that has ended");
    return std::nullopt;
  }
  Origin::Within within;
  within.who = "unknown";
  const auto roster = node_host::RunRoster::read(state_directory + "/" + node_host::kRosterName);
  const std::int64_t row = node_host::find_run_row(descent, roster, table);
  if (row == 0) return within;
  const auto run = store.run(std::to_string(row));
  if (!run || !*run) return within;
  within.agent = (*run)->agent_id;
  within.session = (*run)->session_key;
  within.who = (*run)->door + " " + (*run)->principal + ", run " + (*run)->run_id;
  return within;
}

}  // namespace

Callers::Callers(node_host::StoreThread& store, std::string state_directory, const Clock& clock)
    : known_(store), state_directory_(std::move(state_directory)), clock_(clock) {}

void Callers::forget() {
  (void)known_.start([](Known& known, approvals::Store&) {
    known.stale = true;
    return true;
  });
}

const TokenBook* Callers::current(Known& known, approvals::Store& store) {
  if (const auto there = store.usable(); !there) return nullptr;
  const auto change = store.foreign_change_count();
  if (!change) return nullptr;
  if (known.book && !known.stale && *change == known.seen_change && store.epoch() == known.seen_epoch)
    return &*known.book;
  known.recognised.clear();
  known.book.reset();
  auto book = TokenBook::read(store);
  if (!book) {
    node_host::log_error(book.error().code + ": " + book.error().message);
    return nullptr;
  }
  known.book = std::move(*book);
  known.stale = false;
  ++known.version;
  known.seen_change = *change;
  known.seen_epoch = store.epoch();
  return &*known.book;
}

asio::awaitable<Shown> Callers::entry_of(std::string token) {
  const std::int64_t now_ms = clock_.unix_ms();
  auto looking = [&token, now_ms](Known& known, approvals::Store& store) {
    Found found;
    const TokenBook* book = current(known, store);
    if (book == nullptr || token.empty()) return found;
    if (known.hash_key.empty()) known.hash_key = node_host::random_bytes(kKeyBytes);
    found.version = known.version;
    found.digest = sha256(known.hash_key + token);
    const auto recognised = known.recognised.find(found.digest);
    found.proven = recognised != known.recognised.end();
    const TokenEntry* entry =
        found.proven ? book->find(recognised->second) : book->find_key(v2::token_key_id(token));
    if (entry == nullptr || entry->expired(now_ms)) return found;
    const bool at_once = !found.proven && entry->verifier.iterations <= v2::kGeneratedIterations;
    if (at_once) found.proven = verifies(entry->verifier, token);
    if (found.proven || !at_once) found.entry = *entry;
    return found;
  };
  Found found = co_await known_.on_store(looking);
  Shown shown;
  if (found.proven) shown.entry = std::move(found.entry);
  if (shown.entry || !found.entry) co_return shown;
  // A queue that strangers fill has an end: whoever finds it full is told so, and not that they are nobody.
  shown.busy = strangers_ >= kMostStrangers;
  if (shown.busy) co_return shown;
  auto proving = [&token, &found] { return verifies(found.entry->verifier, token); };
  ++strangers_;
  const bool proven = co_await on_pool(proving_, proving);
  --strangers_;
  if (!proven) co_return shown;
  (void)known_.start([digest = found.digest, version = found.version, name = found.entry->name](
                         Known& known, approvals::Store&) {
    // What was read again meanwhile may know another token by that name.
    if (version != known.version) return false;
    if (known.recognised.size() >= kMostRecognised) known.recognised.clear();
    known.recognised[digest] = name;
    return true;
  });
  shown.entry = std::move(found.entry);
  co_return shown;
}

asio::awaitable<std::optional<TokenEntry>> Callers::entry_of_key(std::string key_id) {
  const std::int64_t now_ms = clock_.unix_ms();
  auto looking = [&key_id, now_ms](Known& known, approvals::Store& store) -> std::optional<TokenEntry> {
    const TokenBook* book = current(known, store);
    const TokenEntry* entry = book == nullptr ? nullptr : book->find_key(key_id);
    if (entry == nullptr || entry->expired(now_ms)) return std::nullopt;
    return *entry;
  };
  co_return co_await known_.on_store(looking);
}

asio::awaitable<PeerProcess> Callers::process_behind(node_host::LoopbackEnds ends) {
  auto finding = [&ends] { return node_host::process_of(ends); };
  co_return co_await on_pool(finding_, finding);
}

asio::awaitable<Caller> Callers::caller_of(TokenEntry token, const PeerStream& peer,
                                           std::optional<PeerProcess> process) {
  Caller caller;
  Origin& origin = caller.origin;
  origin.door = node_host::kHostlinkDoor;
  origin.principal.name = token.name;
  origin.agent = token.agent;
  origin.may_run = token.rights.exec;
  auto& details = origin.principal.details;
  if (process) {
    if (!process->container.empty()) details.emplace_back("container", process->container);
    details.emplace_back("uid", std::to_string(process->uid));
    if (peer.is_local() || process->pid > 0) details.emplace_back("gid", std::to_string(process->gid));
    if (process->pid > 0) details.emplace_back("pid", std::to_string(process->pid));
  }
  if (!peer.is_local()) details.emplace_back("address", peer.address());
  if (process && process->unseen) {
    origin.within = nobody_known("a process that cannot be seen");
  } else if (process && process->pid > 0) {
    auto looking = [this, &process](Known&, approvals::Store& store) {
      std::vector<std::int64_t> pids = process->holders;
      if (pids.empty()) pids.push_back(process->pid);
      std::optional<Origin::Within> within;
      for (const std::int64_t pid : pids)
        if (!within) within = run_around(store, state_directory_, pid);
      return within;
    };
    origin.within = co_await known_.on_store(looking);
  }
  caller.token = std::move(token);
  co_return caller;
}

}  // namespace hostclaw::hostlink
