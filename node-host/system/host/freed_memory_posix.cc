// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/host/freed_memory.h"

#include <cstdlib>  // defines __GLIBC__ where it is
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace hostclaw::node_host {

void keep_freed_memory() {
#ifdef __GLIBC__
  constexpr int kMebibyte = 1 << 20;
  ::mallopt(M_MMAP_THRESHOLD, 4 * kMebibyte);
  ::mallopt(M_TRIM_THRESHOLD, 8 * kMebibyte);
#endif
}

void give_back_freed_memory() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

}  // namespace hostclaw::node_host
