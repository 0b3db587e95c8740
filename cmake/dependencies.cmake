# SPDX-License-Identifier: Apache-2.0
# Every third-party library is a Debian package; docs/dependencies.md gives the reason for each. For Windows,
# scripts/windows-dependencies builds the same sources; a build with MSVC takes them from vcpkg.
find_package(Threads REQUIRED)
if(WIN32)
  find_path(Boost_INCLUDE_DIRS boost/version.hpp REQUIRED)
else()
  find_package(Boost 1.81 REQUIRED)  # headers only
endif()

if(HOSTCLAW_STATIC OR WIN32)
  set(OPENSSL_USE_STATIC_LIBS ON)
  set(_re2_names libre2.a)
  set(_sqlite_names libsqlite3.a)
else()
  set(_re2_names re2)
  set(_sqlite_names sqlite3)
endif()
find_package(OpenSSL 3.0 REQUIRED)
if(HOSTCLAW_CLIENT_ALONE)
  # It needs neither.
elseif(MSVC)
  find_package(re2 CONFIG REQUIRED)
  find_package(unofficial-sqlite3 CONFIG REQUIRED)
  set(RE2_LIBRARY re2::re2)
  set(SQLITE3_LIBRARY unofficial::sqlite3::sqlite3)
else()
  find_library(RE2_LIBRARY NAMES ${_re2_names} REQUIRED)
  find_library(SQLITE3_LIBRARY NAMES ${_sqlite_names} REQUIRED)
endif()
# No exception passes through C code: without its tables for unwinding the program is 7 % smaller. Windows needs them
# for every function.
function(hostclaw_without_unwind_tables archive out)
  get_filename_component(name ${archive} NAME)
  set(smaller ${PROJECT_BINARY_DIR}/libraries/${name})
  if(NOT EXISTS ${smaller} OR ${archive} IS_NEWER_THAN ${smaller})
    file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/libraries)
    execute_process(COMMAND ${CMAKE_OBJCOPY} --remove-section=.eh_frame ${archive} ${smaller}
      COMMAND_ERROR_IS_FATAL ANY)
  endif()
  set(${out} ${smaller} PARENT_SCOPE)
endfunction()
set(_sqlite_linked ${SQLITE3_LIBRARY})
if(HOSTCLAW_STATIC AND NOT WIN32)
  if(SQLITE3_LIBRARY)
    hostclaw_without_unwind_tables(${SQLITE3_LIBRARY} _sqlite_linked)
  endif()
  foreach(library SSL CRYPTO)
    hostclaw_without_unwind_tables(${OPENSSL_${library}_LIBRARY} _openssl_${library})
  endforeach()
  set_target_properties(OpenSSL::SSL PROPERTIES IMPORTED_LOCATION ${_openssl_SSL})
  set_target_properties(OpenSSL::Crypto PROPERTIES IMPORTED_LOCATION ${_openssl_CRYPTO})
endif()
find_path(NLOHMANN_JSON_INCLUDE nlohmann/json.hpp REQUIRED)
if(NOT HOSTCLAW_CLIENT_ALONE)
  find_path(CLI11_INCLUDE CLI/CLI.hpp REQUIRED)
endif()

add_library(hostclaw_boost INTERFACE)
target_include_directories(hostclaw_boost SYSTEM INTERFACE ${Boost_INCLUDE_DIRS})
if(WIN32)
  target_link_libraries(hostclaw_boost INTERFACE ws2_32 mswsock bcrypt crypt32)
endif()

add_library(hostclaw_json INTERFACE)
target_include_directories(hostclaw_json SYSTEM INTERFACE ${NLOHMANN_JSON_INCLUDE})

if(HOSTCLAW_CLIENT_ALONE)
  return()
endif()

add_library(hostclaw_re2 INTERFACE)
target_link_libraries(hostclaw_re2 INTERFACE ${RE2_LIBRARY} Threads::Threads)

add_library(hostclaw_sqlite INTERFACE)
target_link_libraries(hostclaw_sqlite INTERFACE ${_sqlite_linked} Threads::Threads ${CMAKE_DL_LIBS} $<$<NOT:$<PLATFORM_ID:Windows>>:m>)

add_library(hostclaw_cli11 INTERFACE)
target_include_directories(hostclaw_cli11 SYSTEM INTERFACE ${CLI11_INCLUDE})
