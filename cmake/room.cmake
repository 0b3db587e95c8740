# hostclaw_room(NAME DEPENDS ... SOURCES ...): one folder of the design, one static library.
# The library hostclaw_<folder with underscores>; PUBLIC dependencies are the folders it may include from.
function(hostclaw_room name)
  cmake_parse_arguments(ROOM "" "" "DEPENDS;SOURCES" ${ARGN})
  if(ROOM_SOURCES)
    add_library(${name} STATIC ${ROOM_SOURCES})
    target_link_libraries(${name} PUBLIC hostclaw_options ${ROOM_DEPENDS})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE hostclaw_options ${ROOM_DEPENDS})
  endif()
endfunction()
