// SPDX-License-Identifier: Apache-2.0
#include "approvals/store/database_limit.h"

#include "support.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;

TEST_CASE("without a setting the database's limit warns", "[store][settings]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  const DatabaseLimitReading reading = read_database_limit(*store);
  CHECK(reading.limit == DatabaseLimit{4096, AtLimit::kWarn});
  CHECK_FALSE(reading.problem);
}

TEST_CASE("the limit of the database is stored with its writer on record", "[store][settings]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  const DatabaseLimit limit{17, AtLimit::kPrune};
  must(put_database_limit(*store, limit, kHuman));
  CHECK(read_database_limit(*store).limit == limit);
  const Json body =
      must(parse_json(must(AuditChain(*store).rows({0, 0, "setting-write", 1, true})).at(0).body));
  CHECK(body["key"] == "store.limit");
  CHECK(body["who"] == "alice");
  CHECK(body["after"] == Json{{"megabytes", 17}, {"then", "prune"}});
  must(put_database_limit(*store, {}, kHuman));
  CHECK(setting_text(*store, "store.limit") == "absent");
}

TEST_CASE("a limit that means nothing is refused, and a stored one is reported and warns",
          "[store][settings]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  CHECK(code_of(put_database_limit(*store, {GENERATE(0, -1, 1'000'001), AtLimit::kRefuse}, kHuman)) ==
        "SETTING_INVALID");
  CHECK(setting_text(*store, "store.limit") == "absent");
  for (const Json& wrong :
       {Json(7), Json{{"megabytes", "7"}}, Json{{"megabytes", 7}, {"then", "panic"}}, Json{{"rows", 7}}}) {
    INFO(wrong.dump());
    must(store->put_setting("store.limit", wrong));
    const DatabaseLimitReading reading = read_database_limit(*store);
    CHECK(reading.limit == DatabaseLimit());
    REQUIRE(reading.problem);
    CHECK(reading.problem->code == "SETTING_INVALID");
  }
}

TEST_CASE("what is removed counts no more, and work is refused until nobody refuses it", "[store]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  const std::int64_t before = must(store->bytes_in_use());
  must(store->put_setting("test.large", Json(std::string(1'000'000, 'x'))));
  CHECK(must(store->bytes_in_use()) >= before + 1'000'000);
  must(store->remove_setting("test.large"));
  CHECK(must(store->bytes_in_use()) < before + 100'000);
  CHECK(store->accepts_work().has_value());
  store->refuse_work(database_at_limit({1, AtLimit::kRefuse}, 1'000'000));
  CHECK(code_of(store->accepts_work()) == "STORE_AT_LIMIT");
  CHECK(store->usable().has_value());
  store->refuse_work(std::nullopt);
  CHECK(store->accepts_work().has_value());
}

}  // namespace
}  // namespace hostclaw::approvals
