// SPDX-License-Identifier: Apache-2.0
#include "service-win/logon_task.h"

#include "service-win/service_plan.h"
#include "service-win/windows_words.h"

namespace hostclaw::service_win {
namespace {

std::string xml_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\r':
        out += "&#13;";
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20 || c == '\t' || c == '\n') out += c;
    }
  }
  return out;
}

std::string plain_text(std::string_view text) {
  struct Entity {
    std::string_view name;
    char value;
  };
  constexpr Entity kEntities[] = {{"&amp;", '&'},  {"&lt;", '<'},    {"&gt;", '>'},
                                  {"&quot;", '"'}, {"&apos;", '\''}, {"&#13;", '\r'}};
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t taken = 0;
    for (const Entity& entity : kEntities) {
      if (!text.substr(at).starts_with(entity.name)) continue;
      out += entity.value;
      taken = entity.name.size();
      break;
    }
    if (taken == 0) {
      out += text[at];
      taken = 1;
    }
    at += taken;
  }
  return out;
}

std::string element(std::string_view xml, const std::string& name) {
  const std::string open = "<" + name + ">";
  const std::size_t start = xml.find(open);
  if (start == std::string_view::npos) return {};
  const std::size_t end = xml.find("</" + name + ">", start);
  if (end == std::string_view::npos) return {};
  return plain_text(xml.substr(start + open.size(), end - start - open.size()));
}

}  // namespace

std::string render_task(const LogonTask& task) {
  const std::string user = xml_text(task.user);
  const std::string program = task.words.empty() ? std::string() : xml_text(task.words.front());
  return "<?xml version=\"1.0\"?>\r\n"
         "<Task version=\"1.2\" xmlns=\"http://schemas.microsoft.com/windows/2004/02/mit/task\">\r\n"
         "  <RegistrationInfo>\r\n"
         "    <Description>" +
         xml_text(kDescription) +
         "</Description>\r\n"
         "  </RegistrationInfo>\r\n"
         "  <Triggers>\r\n"
         "    <LogonTrigger>\r\n"
         "      <Enabled>true</Enabled>\r\n"
         "      <UserId>" +
         user +
         "</UserId>\r\n"
         "    </LogonTrigger>\r\n"
         "  </Triggers>\r\n"
         "  <Principals>\r\n"
         "    <Principal id=\"Author\">\r\n"
         "      <UserId>" +
         user +
         "</UserId>\r\n"
         "      <LogonType>InteractiveToken</LogonType>\r\n"
         "      <RunLevel>LeastPrivilege</RunLevel>\r\n"
         "    </Principal>\r\n"
         "  </Principals>\r\n"
         "  <Settings>\r\n"
         "    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>\r\n"
         "    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>\r\n"
         "    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>\r\n"
         "    <AllowHardTerminate>true</AllowHardTerminate>\r\n"
         "    <StartWhenAvailable>true</StartWhenAvailable>\r\n"
         "    <RunOnlyIfNetworkAvailable>false</RunOnlyIfNetworkAvailable>\r\n"
         "    <IdleSettings>\r\n"
         "      <StopOnIdleEnd>false</StopOnIdleEnd>\r\n"
         "      <RestartOnIdle>false</RestartOnIdle>\r\n"
         "    </IdleSettings>\r\n"
         "    <AllowStartOnDemand>true</AllowStartOnDemand>\r\n"
         "    <Enabled>true</Enabled>\r\n"
         "    <Hidden>false</Hidden>\r\n"
         "    <RunOnlyIfIdle>false</RunOnlyIfIdle>\r\n"
         "    <WakeToRun>false</WakeToRun>\r\n"
         // PT0S: none. The scheduler's own default ends a task after 72 hours.
         "    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>\r\n"
         // Normal priority for the node's commands; the scheduler's own default is below it.
         "    <Priority>5</Priority>\r\n"
         "    <RestartOnFailure>\r\n"
         "      <Interval>PT1M</Interval>\r\n"
         "      <Count>255</Count>\r\n"
         "    </RestartOnFailure>\r\n"
         "  </Settings>\r\n"
         "  <Actions Context=\"Author\">\r\n"
         "    <Exec>\r\n"
         "      <Command>&quot;" +
         program + "&quot;</Command>\r\n      <Arguments>" + xml_text(arguments_of(task.words)) +
         "</Arguments>\r\n      <WorkingDirectory>" + xml_text(task.working_directory) +
         "</WorkingDirectory>\r\n"
         "    </Exec>\r\n"
         "  </Actions>\r\n"
         "</Task>\r\n";
}

TaskFacts read_task(std::string_view xml) {
  TaskFacts out;
  out.ours = element(xml, "Description").find(kMarker) != std::string::npos;
  std::string command = element(xml, "Command");
  if (command.size() >= 2 && command.front() == '"' && command.back() == '"')
    command = command.substr(1, command.size() - 2);
  if (!command.empty()) out.words = split_command_line("\"" + command + "\" " + element(xml, "Arguments"));
  const std::size_t principal = xml.find("<Principal ");
  out.user = element(principal == std::string_view::npos ? xml : xml.substr(principal), "UserId");
  out.working_directory = element(xml, "WorkingDirectory");
  return out;
}

}  // namespace hostclaw::service_win
