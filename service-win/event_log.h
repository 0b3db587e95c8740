// SPDX-License-Identifier: Apache-2.0
// The Windows event log (Application): when the service runs, stops, fails. Everything else is in the
// service's own log. Errors are not told: who cannot write there has its log. Thread rule: any thread.
#pragma once

#include <string>

#include "base/result.h"

namespace hostclaw::service_win {

enum class ServiceEvent { kReady, kStopped, kConfiguration, kFailed, kStopTooLong };

void report_event(ServiceEvent event, const std::string& text);

// The registry key that says where the texts of our events are: in the program itself.
Result<void> register_event_source(const std::string& executable);
void remove_event_source();

}  // namespace hostclaw::service_win
