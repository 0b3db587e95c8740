// SPDX-License-Identifier: Apache-2.0
// Two programs that differ in one letter, for tests that swap one for the other.
#include <cstdio>

int main() { return std::fputs(HOSTCLAW_MARK, stdout) < 0 ? 1 : 0; }
