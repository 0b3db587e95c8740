// SPDX-License-Identifier: Apache-2.0
#include "service-win/event_log.h"

#include <windows.h>

// After windows.h.
#include "base/wide_text.h"
#include "service-win/messages.h"
#include "service-win/service_plan.h"
#include "service-win/windows_calls.h"

namespace hostclaw::service_win {
namespace {

std::string source_key() {
  return "SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\" + service_name();
}

struct EventKind {
  DWORD id;
  WORD type;
};

EventKind kind_of(ServiceEvent event) {
  switch (event) {
    case ServiceEvent::kReady:
      return {HOSTCLAW_EVENT_READY, EVENTLOG_INFORMATION_TYPE};
    case ServiceEvent::kStopped:
      return {HOSTCLAW_EVENT_STOPPED, EVENTLOG_INFORMATION_TYPE};
    case ServiceEvent::kConfiguration:
      return {HOSTCLAW_EVENT_CONFIGURATION, EVENTLOG_ERROR_TYPE};
    case ServiceEvent::kStopTooLong:
      return {HOSTCLAW_EVENT_STOP_TOO_LONG, EVENTLOG_WARNING_TYPE};
    case ServiceEvent::kFailed:
      break;
  }
  return {HOSTCLAW_EVENT_FAILED, EVENTLOG_ERROR_TYPE};
}

}  // namespace

void report_event(ServiceEvent event, const std::string& text) {
  const HANDLE source = RegisterEventSourceW(nullptr, to_wide(service_name()).c_str());
  if (source == nullptr) return;
  const EventKind kind = kind_of(event);
  const std::wstring wide = to_wide(text);
  const wchar_t* texts[] = {wide.c_str()};
  ReportEventW(source, kind.type, 0, kind.id, nullptr, 1, 0, texts, nullptr);
  DeregisterEventSource(source);
}

Result<void> register_event_source(const std::string& executable) {
  HKEY opened = nullptr;
  LSTATUS problem = RegCreateKeyExW(HKEY_LOCAL_MACHINE, to_wide(source_key()).c_str(), 0, nullptr, 0,
                                    KEY_SET_VALUE, nullptr, &opened, nullptr);
  if (problem != ERROR_SUCCESS)
    return service_error(static_cast<DWORD>(problem), "cannot register the event source");
  const UniqueKey key(opened);
  const std::wstring file = to_wide(executable);
  const DWORD types = EVENTLOG_ERROR_TYPE | EVENTLOG_WARNING_TYPE | EVENTLOG_INFORMATION_TYPE;
  problem = RegSetValueExW(key.get(), L"EventMessageFile", 0, REG_EXPAND_SZ,
                           reinterpret_cast<const BYTE*>(file.c_str()),
                           static_cast<DWORD>((file.size() + 1) * sizeof(wchar_t)));
  if (problem == ERROR_SUCCESS) {
    problem = RegSetValueExW(key.get(), L"TypesSupported", 0, REG_DWORD,
                             reinterpret_cast<const BYTE*>(&types), sizeof types);
  }
  if (problem != ERROR_SUCCESS)
    return service_error(static_cast<DWORD>(problem), "cannot register the event source");
  return {};
}

void remove_event_source() { RegDeleteKeyW(HKEY_LOCAL_MACHINE, to_wide(source_key()).c_str()); }

}  // namespace hostclaw::service_win
