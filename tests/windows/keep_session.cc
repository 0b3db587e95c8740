// SPDX-License-Identifier: Apache-2.0
// Does nothing for as long as it lives. Wine ends a session, services and all, with its last program.
#include <windows.h>

int main() { Sleep(INFINITE); }
