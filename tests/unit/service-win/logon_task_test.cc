// SPDX-License-Identifier: Apache-2.0
#include "service-win/logon_task.h"

#include <catch2/catch.hpp>

namespace hostclaw::service_win {
namespace {

bool says(const std::string& xml, const std::string& text) { return xml.find(text) != std::string::npos; }

LogonTask task_of() {
  LogonTask task;
  task.words = {"C:\\Users\\Ann & Bob\\hostclaw.exe", "service",        "logon",        "--state-dir",
                "C:\\Users\\Ann & Bob\\state",        "--display-name", "<\"1\" & '2'>"};
  task.user = "BOX\\Ann & Bob";
  task.working_directory = "C:\\Users\\Ann & Bob";
  return task;
}

}  // namespace

TEST_CASE("a task is read back as it was meant, whatever its words hold") {
  const LogonTask task = task_of();
  const TaskFacts facts = read_task(render_task(task));
  CHECK(facts.ours);
  CHECK(facts.words == task.words);
  CHECK(facts.user == task.user);
  CHECK(facts.working_directory == task.working_directory);
}

TEST_CASE("a word cannot end its element") {
  LogonTask task = task_of();
  task.words.back() = "</Arguments><Command>evil.exe</Command>";
  const std::string xml = render_task(task);
  CHECK_FALSE(says(xml, "<Command>evil"));
  CHECK(read_task(xml).words == task.words);
  task.words.back() = std::string("a\0b\x01", 4);
  CHECK(read_task(render_task(task)).words.back() == "ab");
}

TEST_CASE("a task runs without limits of time and power, without rights, once, and again after a failure") {
  const std::string xml = render_task(task_of());
  for (const char* text :
       {"<ExecutionTimeLimit>PT0S</ExecutionTimeLimit>", "<RunLevel>LeastPrivilege</RunLevel>",
        "<LogonType>InteractiveToken</LogonType>",
        "<MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>",
        "<DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>",
        "<StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>", "<LogonTrigger>", "<RestartOnFailure>",
        "<Command>&quot;C:\\Users\\Ann &amp; Bob\\hostclaw.exe&quot;</Command>"}) {
    INFO(text);
    CHECK(says(xml, text));
  }
}

TEST_CASE("a task of somebody else is not ours") {
  CHECK_FALSE(read_task("<Task><Actions><Exec><Command>hostclaw.exe</Command></Exec></Actions></Task>").ours);
  CHECK_FALSE(read_task("").ours);
  CHECK(read_task("").words.empty());
}

}  // namespace hostclaw::service_win
