// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <set>

#include "clawlink/http/peer_slots.h"
#include "clawlink/model/task.h"
#include "clawlink/model/wire_text.h"
#include "clawlink/store/rules.h"

namespace hostclaw::clawlink {

TEST_CASE("nothing follows the end of a task, and nothing goes back into the queue") {
  constexpr TaskState kAll[] = {TaskState::kSubmitted, TaskState::kWorking, TaskState::kInputRequired,
                                TaskState::kCompleted, TaskState::kFailed,  TaskState::kRejected,
                                TaskState::kCancelled};
  for (const TaskState from : kAll) {
    for (const TaskState to : kAll) {
      CAPTURE(to_string(from), to_string(to));
      const bool back = to == TaskState::kSubmitted && from != TaskState::kSubmitted;
      CHECK(may_follow(from, to) == (!is_end(from) && !back));
    }
    CHECK(task_state_from(to_string(from)) == from);
  }
}

TEST_CASE("status words of answers are states, and a word that is not known means work") {
  CHECK(read_status_word("in_progress").state == TaskState::kWorking);
  CHECK(read_status_word("completed").state == TaskState::kCompleted);
  CHECK(read_status_word("canceled").state == TaskState::kCancelled);
  CHECK(read_status_word("halfway").state == TaskState::kWorking);
  CHECK_FALSE(read_status_word("halfway").known);
  CHECK(read_status_word("submitted").state == TaskState::kWorking);
}

TEST_CASE("times are written as the original writes them and read in every form that peers send") {
  CHECK(iso_time(1'800'000'000'123) == "2027-01-15T08:00:00.123000+00:00");
  CHECK(iso_time_z(1'800'000'000'123) == "2027-01-15T08:00:00.123Z");
  CHECK(read_time("2027-01-15T08:00:00.123000+00:00") == 1'800'000'000'123);
  CHECK(read_time("2027-01-15T08:00:00.123456789Z") == 1'800'000'000'123);
  CHECK(read_time("2027-01-15T09:30:00+01:30") == 1'800'000'000'000);
  CHECK(read_time("2027-01-15T08:00:00Z") == 1'800'000'000'000);
  CHECK(read_time(1'800'000'000.5) == 1'800'000'000'500);
  for (const char* wrong : {"", "soon", "2027-01-15", "2027-02-30T08:00:00Z", "2027-01-15T08:00:00",
                            "2027-01-15T08:00:00.Z", "2027-01-15T25:00:00Z"}) {
    CAPTURE(wrong);
    CHECK_FALSE(read_time(wrong));
  }
  CHECK_FALSE(read_time(-1));
  CHECK_FALSE(read_time(1e300));
}

TEST_CASE("ids have the form of the original's: the first characters of a UUID") {
  const std::string id = short_id(12);
  CHECK(id.size() == 12);
  CHECK(id[8] == '-');
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) seen.insert(short_id(12));
  CHECK(seen.size() == 100);
}

TEST_CASE("members are added at the end of an object's text") {
  CHECK(with_members("{\"a\":1}", "\"b\":2") == "{\"a\":1,\"b\":2}");
  CHECK(with_members("{}", "\"b\":2") == "{\"b\":2}");
}

TEST_CASE("truth is Python's") {
  const Json body{{"empty", ""},     {"zero", 0},   {"list", Json::array()},
                  {"null", nullptr}, {"text", "x"}, {"one", 1}};
  for (const char* name : {"empty", "zero", "list", "null", "absent"}) CHECK_FALSE(is_truthy(body, name));
  for (const char* name : {"text", "one"}) CHECK(is_truthy(body, name));
}

TEST_CASE("base64 holds every byte, and text that is none is refused") {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  CHECK(from_base64(to_base64(bytes)) == bytes);
  CHECK(to_base64("hi") == "aGk=");
  CHECK(from_base64("") == "");
  CHECK_FALSE(from_base64("a*b="));
}

TEST_CASE("an agent's id is one segment of its URL, whatever it holds") {
  CHECK(percent_encoded("a-b_c.d~9") == "a-b_c.d~9");
  CHECK(percent_encoded("50%41") == "50%2541");
  CHECK(percent_encoded("b\xC3\xA4r \"<|") == "b%C3%A4r%20%22%3C%7C");
}

TEST_CASE("agent ids that a path or a terminal could not carry are none") {
  CHECK(is_agent_id("a1b2c3d4"));
  CHECK(is_agent_id("büro:main.agent"));
  for (const char* wrong : {"", "a b", "a/b", "a?b", "a#b", "a\nb", "a\x1b[2J"})
    CHECK_FALSE(is_agent_id(wrong));
  CHECK_FALSE(is_agent_id(std::string(129, 'a')));
}

TEST_CASE("one address does not take every place, and a place that is given back can be taken again") {
  PeerSlots slots(5, 2);
  CHECK(slots.take("a"));
  CHECK(slots.take("a"));
  CHECK_FALSE(slots.take("a"));
  CHECK(slots.take("b"));
  slots.give_back("a");
  CHECK(slots.take("a"));
  // Of this machine: only the sum counts.
  CHECK(slots.take(""));
  CHECK(slots.take(""));
  CHECK_FALSE(slots.take(""));
  CHECK_FALSE(slots.take("c"));
  slots.give_back("");
  CHECK(slots.take("c"));
}

TEST_CASE("a pattern's star stands for any text, and every other sign for itself") {
  CHECK(matches_pattern("*", ""));
  CHECK(matches_pattern("build-*", "build-7"));
  CHECK(matches_pattern("*/secret/*", "a/secret/b"));
  CHECK_FALSE(matches_pattern("build-*", "builder"));
  CHECK_FALSE(matches_pattern("a.b", "axb"));
  CHECK_FALSE(matches_pattern("", "a"));
}

TEST_CASE("without a rule everybody may; a denial wins; what some may, others may not") {
  const std::vector<Rule> none;
  const auto may = [](const std::vector<Rule>& given, const char* verb, const Asker& who, const char* what) {
    return judge(given, verb, who, what).has_value();
  };
  CHECK(may(none, kDelegate, {"a", false}, "b"));
  const std::vector<Rule> rules{{1, "allow", kDelegate, "boss-*", "prod"},
                                {2, "deny", kDelegate, "boss-evil", "*"}};
  CHECK(may(rules, kDelegate, {"boss-1", true}, "prod"));
  CHECK_FALSE(may(rules, kDelegate, {"other", true}, "prod"));
  CHECK(may(rules, kDelegate, {"other", false}, "test"));
  CHECK_FALSE(may(rules, kDelegate, {"boss-evil", true}, "prod"));
  CHECK_FALSE(may(rules, kDelegate, {"boss-evil", false}, "test"));
  CHECK(may(rules, kReadFile, {"boss-evil", false}, "prod"));
  // A name that is only claimed opens nothing; what everybody may, it may too.
  CHECK_FALSE(may(rules, kDelegate, {"boss-1", false}, "prod"));
  CHECK(may({{3, "allow", kDelegate, "*", "prod"}}, kDelegate, {"boss-1", false}, "prod"));
}

}  // namespace hostclaw::clawlink
