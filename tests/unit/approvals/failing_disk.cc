// SPDX-License-Identifier: Apache-2.0
#include "failing_disk.h"

#include <cstdlib>
#include <new>

namespace hostclaw::approvals::testing {
namespace {

// SQLite's interface is a table of C functions, so the state is global: one failing disk at a time.
struct Plan {
  int countdown = 0;  // 0: nothing fails
  int code = SQLITE_OK;
  bool forever = false;
  bool failed = false;
};
Plan plan;
sqlite3_vfs* real_vfs = nullptr;
sqlite3_vfs shim;

int next_call() {
  if (plan.countdown == 0) return SQLITE_OK;
  if (--plan.countdown > 0) return SQLITE_OK;
  plan.failed = true;
  if (plan.forever) plan.countdown = 1;
  return plan.code;
}

// The system's file object lies behind ours in the memory that SQLite gives.
struct ShimFile {
  sqlite3_file base;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};
sqlite3_file* real(sqlite3_file* file) { return reinterpret_cast<ShimFile*>(file)->real(); }

int shim_close(sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); }
int shim_read(sqlite3_file* f, void* data, int count, sqlite3_int64 at) {
  return real(f)->pMethods->xRead(real(f), data, count, at);
}
int shim_write(sqlite3_file* f, const void* data, int count, sqlite3_int64 at) {
  if (const int code = next_call(); code != SQLITE_OK) return code;
  return real(f)->pMethods->xWrite(real(f), data, count, at);
}
int shim_truncate(sqlite3_file* f, sqlite3_int64 size) {
  if (next_call() != SQLITE_OK) return SQLITE_IOERR_TRUNCATE;
  return real(f)->pMethods->xTruncate(real(f), size);
}
// No real flush: no test here cuts the power, and thousands of flushes would take minutes.
int shim_sync(sqlite3_file*, int) { return next_call() == SQLITE_OK ? SQLITE_OK : SQLITE_IOERR_FSYNC; }
int shim_size(sqlite3_file* f, sqlite3_int64* size) { return real(f)->pMethods->xFileSize(real(f), size); }
int shim_lock(sqlite3_file* f, int level) { return real(f)->pMethods->xLock(real(f), level); }
int shim_unlock(sqlite3_file* f, int level) { return real(f)->pMethods->xUnlock(real(f), level); }
int shim_reserved(sqlite3_file* f, int* out) { return real(f)->pMethods->xCheckReservedLock(real(f), out); }
int shim_control(sqlite3_file* f, int operation, void* argument) {
  return real(f)->pMethods->xFileControl(real(f), operation, argument);
}
int shim_sector(sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); }
int shim_characteristics(sqlite3_file* f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); }
int shim_shm_map(sqlite3_file* f, int region, int size, int extend, void volatile** out) {
  return real(f)->pMethods->xShmMap(real(f), region, size, extend, out);
}
int shim_shm_lock(sqlite3_file* f, int offset, int count, int flags) {
  return real(f)->pMethods->xShmLock(real(f), offset, count, flags);
}
void shim_shm_barrier(sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); }
int shim_shm_unmap(sqlite3_file* f, int remove) { return real(f)->pMethods->xShmUnmap(real(f), remove); }

const sqlite3_io_methods* methods() {
  static const sqlite3_io_methods table = [] {
    sqlite3_io_methods made{};
    made.iVersion = 2;  // without memory mapping of the database: every change is a call
    made.xClose = shim_close;
    made.xRead = shim_read;
    made.xWrite = shim_write;
    made.xTruncate = shim_truncate;
    made.xSync = shim_sync;
    made.xFileSize = shim_size;
    made.xLock = shim_lock;
    made.xUnlock = shim_unlock;
    made.xCheckReservedLock = shim_reserved;
    made.xFileControl = shim_control;
    made.xSectorSize = shim_sector;
    made.xDeviceCharacteristics = shim_characteristics;
    made.xShmMap = shim_shm_map;
    made.xShmLock = shim_shm_lock;
    made.xShmBarrier = shim_shm_barrier;
    made.xShmUnmap = shim_shm_unmap;
    return made;
  }();
  return &table;
}

int shim_open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  const int code = real_vfs->xOpen(real_vfs, name, real(file), flags, out_flags);
  if (real(file)->pMethods != nullptr) file->pMethods = methods();
  return code;
}

}  // namespace

FailingDisk::FailingDisk() {
  plan = {};
  real_vfs = sqlite3_vfs_find(nullptr);
  shim = *real_vfs;
  shim.zName = "failing-disk";
  shim.szOsFile = static_cast<int>(sizeof(ShimFile)) + real_vfs->szOsFile;
  shim.xOpen = shim_open;
  sqlite3_vfs_register(&shim, 1);
}

FailingDisk::~FailingDisk() {
  sqlite3_vfs_unregister(&shim);
  sqlite3_vfs_register(real_vfs, 1);
}

void FailingDisk::fail_at(int nth, int code, bool forever) { plan = {nth, code, forever, false}; }
void FailingDisk::repair() { plan.countdown = 0; }
bool FailingDisk::failed() const { return plan.failed; }

}  // namespace hostclaw::approvals::testing
