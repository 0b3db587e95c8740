# SPDX-License-Identifier: Apache-2.0
# hostclaw_room(NAME [FAST] DEPENDS ... SOURCES ...): one folder of the design, one static library. The release is
# built for size, what is FAST for speed: what an invocation passes through.
# The library hostclaw_<folder with underscores>; PUBLIC dependencies are the folders it may include from.
function(hostclaw_room name)
  cmake_parse_arguments(ROOM "FAST" "" "DEPENDS;SOURCES" ${ARGN})
  if(ROOM_SOURCES)
    add_library(${name} STATIC ${ROOM_SOURCES})
    target_link_libraries(${name} PUBLIC hostclaw_options ${ROOM_DEPENDS})
    if(ROOM_FAST AND NOT MSVC)
      target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O2>)
    endif()
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE hostclaw_options ${ROOM_DEPENDS})
  endif()
endfunction()
