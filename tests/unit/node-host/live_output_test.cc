// SPDX-License-Identifier: Apache-2.0
// Output that can be read while it is written.
#include "node-host/run/live_output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "run_support.h"

namespace hostclaw::node_host {
namespace {

std::string numbers(std::size_t from, std::size_t to) {
  std::string text;
  for (; from < to; ++from) text += static_cast<char>('a' + from % 23);
  return text;
}

struct Place {
  TemporaryDirectory directory;
  std::string path() const { return directory.path() + "/output"; }
};

}  // namespace

TEST_CASE("what a run writes is read piece by piece, and to its end by who began before") {
  Place place;
  auto output = std::make_optional<LiveOutput>(place.path(), 7);
  LiveOutputReader reader(place.path(), 7);
  CHECK(reader.opened());
  CHECK(reader.read().bytes.empty());
  output->append("one");
  output->append(" two");
  CHECK(reader.read().bytes == "one two");
  CHECK(reader.read().bytes.empty());
  output->append(" three");
  output.reset();
  const LiveOutputReader::Piece last = reader.read();
  CHECK(last.bytes == " three");
  CHECK(last.over);
  CHECK(last.missed == 0);
  CHECK_FALSE(LiveOutputReader(place.path(), 7).opened());
  CHECK(std::filesystem::is_empty(place.path()));
}

TEST_CASE("output of a run is the owner's alone, and bounded") {
  Place place;
  LiveOutput output(place.path(), 1);
  const std::size_t much = 3 * LiveOutput::kRoom + 1000;
  for (std::size_t at = 0; at < much; at += 4096)
    output.append(numbers(at, std::min<std::size_t>(at + 4096, much)));
  const std::string file = place.path() + "/1";
  CHECK(std::filesystem::file_size(file) < LiveOutput::kRoom + 100);
  CHECK((std::filesystem::status(file).permissions() & std::filesystem::perms::mask) ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  CHECK((std::filesystem::status(place.path()).permissions() & std::filesystem::perms::mask) ==
        std::filesystem::perms::owner_all);
  LiveOutputReader late(place.path(), 1);
  const LiveOutputReader::Piece piece = late.read();
  CHECK(piece.missed == much - LiveOutput::kRoom);
  CHECK(piece.bytes == numbers(much - LiveOutput::kRoom, much));
}

TEST_CASE("a reader that keeps up misses nothing, wherever the ring turns") {
  Place place;
  LiveOutput output(place.path(), 1);
  LiveOutputReader reader(place.path(), 1);
  std::string read;
  std::size_t written = 0;
  for (const std::size_t piece : {1UL, 100'000UL, 150'000UL, 20'000UL, 262'144UL, 3UL, 200'000UL}) {
    output.append(numbers(written, written + piece));
    written += piece;
    const LiveOutputReader::Piece got = reader.read();
    CHECK(got.missed == 0);
    read += got.bytes;
  }
  CHECK(read == numbers(0, written));
}

TEST_CASE("one piece larger than the ring leaves its end") {
  Place place;
  LiveOutput output(place.path(), 1);
  output.append("before");
  output.append(numbers(0, 2 * LiveOutput::kRoom));
  LiveOutputReader reader(place.path(), 1);
  const LiveOutputReader::Piece piece = reader.read();
  CHECK(piece.bytes == numbers(LiveOutput::kRoom, 2 * LiveOutput::kRoom));
  CHECK(piece.missed == 6 + LiveOutput::kRoom);
}

TEST_CASE("what a node left that died is cleared, and a run without a file is no error") {
  Place place;
  { LiveOutput output(place.path(), 1); }
  std::filesystem::copy_file("/proc/self/cmdline", place.path() + "/9",
                             std::filesystem::copy_options::overwrite_existing);
  LiveOutputReader foreign(place.path(), 9);
  CHECK(foreign.read().bytes.empty());  // without the sign it is none
  LiveOutput::clear(place.path());
  CHECK_FALSE(std::filesystem::exists(place.path()));
  LiveOutput::clear(place.path());
  LiveOutputReader none(place.path(), 9);
  CHECK_FALSE(none.opened());
  CHECK(none.read().bytes.empty());
  // Where nothing can be written nothing is shown, and nothing else happens.
  LiveOutput nowhere("/proc/nowhere", 1);
  nowhere.append("x");
}

TEST_CASE("a run that takes longer than a moment shows its output meanwhile, a short one never") {
  Place place;
  Harness harness({.live_output = place.path()});
  RunOptions options;
  options.row = [] { return std::int64_t{3}; };
  CHECK(harness.run(plan(shell("echo quick")), options).standard_output.text == "quick\n");
  CHECK_FALSE(std::filesystem::exists(place.path()));

  const std::string fifo = place.directory / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  const auto slow = harness.start(
      plan(shell("echo before; echo warning >&2; read line <" + fifo + "; echo after")), options);
  LiveOutputReader reader(place.path(), 3);
  std::string seen;
  harness.wait_until([&] {
    seen += reader.read().bytes;
    return seen.find("warning") != std::string::npos;
  });
  CHECK(seen == "before\nwarning\n");
  const UniqueFd writer(::open(fifo.c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(::write(writer.get(), "go\n", 3) == 3);
  CHECK(harness.finish(slow).standard_output.text == "before\nafter\n");
  const LiveOutputReader::Piece rest = reader.read();
  CHECK(rest.bytes == "after\n");
  CHECK(rest.over);
  CHECK(std::filesystem::is_empty(place.path()));
}

}  // namespace hostclaw::node_host
