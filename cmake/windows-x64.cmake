# SPDX-License-Identifier: Apache-2.0
# Windows x64 with Debian's MinGW-w64 (posix threads); the libraries come from scripts/windows-dependencies.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc-posix)
set(CMAKE_CXX_COMPILER x86_64-w64-mingw32-g++-posix)
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)
set(CMAKE_AR x86_64-w64-mingw32-gcc-ar-posix CACHE FILEPATH "")
set(CMAKE_RANLIB x86_64-w64-mingw32-gcc-ranlib-posix CACHE FILEPATH "")

if(NOT HOSTCLAW_WINDOWS_SYSROOT)
  set(HOSTCLAW_WINDOWS_SYSROOT "${CMAKE_CURRENT_LIST_DIR}/../build/windows-sysroot")
endif()
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES HOSTCLAW_WINDOWS_SYSROOT)
set(CMAKE_FIND_ROOT_PATH ${HOSTCLAW_WINDOWS_SYSROOT} /usr/x86_64-w64-mingw32)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

# Asio has more sections than an ordinary COFF object can name; below -O1 even the large form is full.
set(CMAKE_CXX_FLAGS_INIT "-Wa,-mbig-obj")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static")
set(CMAKE_CROSSCOMPILING_EMULATOR /usr/lib/wine/wine64)
add_compile_definitions(_WIN32_WINNT=0x0A00 WINVER=0x0A00)
