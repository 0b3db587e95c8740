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
if(MSVC)
  find_package(re2 CONFIG REQUIRED)
  find_package(unofficial-sqlite3 CONFIG REQUIRED)
  set(RE2_LIBRARY re2::re2)
  set(SQLITE3_LIBRARY unofficial::sqlite3::sqlite3)
else()
  find_library(RE2_LIBRARY NAMES ${_re2_names} REQUIRED)
  find_library(SQLITE3_LIBRARY NAMES ${_sqlite_names} REQUIRED)
endif()
find_path(NLOHMANN_JSON_INCLUDE nlohmann/json.hpp REQUIRED)
find_path(CLI11_INCLUDE CLI/CLI.hpp REQUIRED)

add_library(hostclaw_boost INTERFACE)
target_include_directories(hostclaw_boost SYSTEM INTERFACE ${Boost_INCLUDE_DIRS})
if(WIN32)
  target_link_libraries(hostclaw_boost INTERFACE ws2_32 mswsock bcrypt crypt32)
endif()

add_library(hostclaw_json INTERFACE)
target_include_directories(hostclaw_json SYSTEM INTERFACE ${NLOHMANN_JSON_INCLUDE})

add_library(hostclaw_re2 INTERFACE)
target_link_libraries(hostclaw_re2 INTERFACE ${RE2_LIBRARY} Threads::Threads)

add_library(hostclaw_sqlite INTERFACE)
target_link_libraries(hostclaw_sqlite INTERFACE ${SQLITE3_LIBRARY} Threads::Threads ${CMAKE_DL_LIBS} $<$<NOT:$<PLATFORM_ID:Windows>>:m>)

add_library(hostclaw_cli11 INTERFACE)
target_include_directories(hostclaw_cli11 SYSTEM INTERFACE ${CLI11_INCLUDE})
