// SPDX-License-Identifier: Apache-2.0
#include "approvals/audit/audit_settings.h"

#include "support.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;

TEST_CASE("without settings every row is kept and nothing is mirrored", "[audit][settings]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  const AuditSettings settings = read_audit_settings(*store);
  CHECK(settings.keep.everything());
  CHECK(settings.mirrors.none());
  CHECK(settings.problems.empty());
}

TEST_CASE("settings of the record are stored with their writer on record", "[audit][settings]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  AuditKeep keep;
  keep.days = 90;
  keep.megabytes = 500;
  must(put_audit_keep(*store, keep, kHuman));
  AuditMirrorTargets mirrors;
  mirrors.file = base.path() + "/record.jsonl";
  must(put_audit_mirrors(*store, mirrors, kHuman));
  AuditSettings settings = read_audit_settings(*store);
  CHECK(settings.keep == keep);
  CHECK(settings.mirrors == mirrors);
  const std::vector<AuditRow> rows = must(AuditChain(*store).rows({0, 0, "setting-write", 10, true}));
  REQUIRE(rows.size() == 2);
  const Json body = must(parse_json(rows[1].body));
  CHECK(body["key"] == "audit.retention");
  CHECK(body["who"] == "alice");
  CHECK(body["after"] == Json{{"days", 90}, {"megabytes", 500}});
  must(put_audit_keep(*store, {}, kHuman));
  settings = read_audit_settings(*store);
  CHECK(settings.keep.everything());
  CHECK(setting_text(*store, "audit.retention") == "absent");
}

TEST_CASE("values that mean nothing are refused and change nothing", "[audit][settings]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  AuditKeep keep;
  keep.rows = GENERATE(0, -1, 1'000'000'000'001);
  CHECK(code_of(put_audit_keep(*store, keep, kHuman)) == "SETTING_INVALID");
  AuditMirrorTargets mirrors;
  mirrors.syslog = GENERATE(as<std::string>{}, "relative/path", std::string("/a\0b", 4));
  CHECK(code_of(put_audit_mirrors(*store, mirrors, kHuman)) == "SETTING_INVALID");
  CHECK(must(AuditChain(*store).rows({})).empty());
  CHECK(setting_text(*store, "audit.retention") == "absent");
  CHECK(setting_text(*store, "audit.mirrors") == "absent");
}

TEST_CASE("a stored value that is wrong removes nothing, mirrors nothing and is reported",
          "[audit][settings]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(store->put_setting("audit.retention",
                          GENERATE(Json("all"), Json{{"rows", 0}}, Json{{"weeks", 3}}, Json{{"days", "9"}})));
  must(store->put_setting("audit.mirrors", Json{{"file", "x"}}));
  const AuditSettings settings = read_audit_settings(*store);
  CHECK(settings.keep.everything());
  CHECK(settings.mirrors.none());
  REQUIRE(settings.problems.size() == 2);
  CHECK(settings.problems[0].code == "SETTING_INVALID");
  CHECK(settings.problems[0].next == "hostclaw audit retention show");
  CHECK(settings.problems[1].next == "hostclaw audit mirror show");
}

TEST_CASE("limits become those of a moment", "[audit][settings]") {
  AuditKeep keep;
  keep.days = 2;
  keep.rows = 7;
  keep.megabytes = 3;
  const AuditRetention retention = retention_at(keep, 1'000'000'000);
  CHECK(retention.keep_since_ms == 1'000'000'000 - 2LL * 24 * 60 * 60 * 1000);
  CHECK(retention.keep_rows == 7);
  CHECK(retention.keep_bytes == 3'000'000);
}

}  // namespace
}  // namespace hostclaw::approvals
