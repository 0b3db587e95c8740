// What a run leaves behind when its programs have ended. Thread rule: safe from any thread.
#pragma once

namespace hostclaw::node_host {

// Children carry this variable: a mark to find them by.
inline constexpr const char* kRunMarkerVariable = "HOSTCLAW_RUN";

// False when the kernel refuses; then orphans go to the init process and only the marker finds them. Windows
// has no such thing and needs none: a job object knows its members.
bool become_reaper_of_orphans();

enum class Sweep { kQuick, kThorough };

// Reaps ended children that were adopted from a run. Leaves alone what spawn() started and has not been
// forgotten, and children in our own session (started by other means). Returns true while any child is left.
// kQuick is a few system calls, but misses orphans while an ended child of the other kinds waits to be
// reaped; kThorough then passes over /proc. Windows: nothing is ever to be reaped.
bool reap_orphans(Sweep sweep = Sweep::kThorough);

}  // namespace hostclaw::node_host
