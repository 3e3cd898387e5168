# One folder is one library: its sources are every .cpp below it, apart from mains, tests, fuzz targets and
# benchmarks, which are told apart by their names (main.cpp, *_test.cpp, *_fuzz.cpp, *_bench.cpp).
include(GoogleTest OPTIONAL)

# The headers that take the longest, compiled once for all libraries and once for all tests. Never for the release
# build: that one shows whether a file includes what it uses.
option(STARLING_PRECOMPILE "Precompile heavy headers" OFF)
set(starling_heavy_headers <algorithm> <chrono> <deque> <filesystem> <fstream> <functional> <map> <memory> <optional>
    <set> <span> <string> <system_error> <unordered_map> <variant> <vector> <fmt/chrono.h> <fmt/format.h>
    <boost/json.hpp> <boost/asio/as_tuple.hpp> <boost/asio/awaitable.hpp> <boost/asio/co_spawn.hpp>
    <boost/asio/detached.hpp> <boost/asio/io_context.hpp> <boost/asio/ip/tcp.hpp>
    <boost/asio/local/stream_protocol.hpp> <boost/asio/post.hpp> <boost/asio/steady_timer.hpp>
    <boost/asio/this_coro.hpp> <boost/asio/use_awaitable.hpp>)

# starling_precompile(TARGET OWNER HEADER...): the target that is the owner compiles the headers for the others.
function(starling_precompile target owner)
  if(NOT STARLING_PRECOMPILE)
    return()
  endif()
  target_compile_options(${target} PRIVATE -fpch-preprocess)  # for ccache
  if(target STREQUAL owner)
    target_precompile_headers(${target} PRIVATE ${starling_heavy_headers} ${ARGN})
  else()
    target_precompile_headers(${target} REUSE_FROM ${owner})
  endif()
endfunction()

function(starling_library name)
  cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/(main|[a-z0-9_]*_(test|fuzz|bench))\\.cpp$")
  if(sources)
    add_library(starling_${name} STATIC ${sources})
    target_link_libraries(starling_${name} PUBLIC ${arg_LINK})
    if(NOT name STREQUAL keeper)  # it is compiled with other definitions
      starling_precompile(starling_${name} starling_base)
    endif()
  else()  # headers only
    add_library(starling_${name} INTERFACE)
    target_link_libraries(starling_${name} INTERFACE ${arg_LINK})
  endif()

  file(GLOB_RECURSE tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.cpp)
  if(STARLING_TESTS AND tests)
    starling_test(${name}_test SOURCES ${tests} LINK starling_${name})
  endif()
  file(GLOB_RECURSE fuzzers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_fuzz.cpp)
  if(STARLING_FUZZ)
    foreach(source ${fuzzers})
      cmake_path(GET source STEM target)
      add_executable(${target} ${source})
      target_compile_options(${target} PRIVATE -fsanitize=fuzzer)
      target_link_options(${target} PRIVATE -fsanitize=fuzzer)
      target_link_libraries(${target} PRIVATE starling_${name})
    endforeach()
  elseif(STARLING_TESTS)
    # Without libFuzzer each target replays its corpus as an ordinary test.
    foreach(source ${fuzzers})
      cmake_path(GET source STEM target)
      add_executable(${target} ${source} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_corpus.cpp)
      target_link_libraries(${target} PRIVATE starling_${name})
      add_test(NAME ${target} COMMAND ${target} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${target})
    endforeach()
  endif()
endfunction()

function(starling_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  find_package(GTest REQUIRED)
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINK} GTest::gmock GTest::gtest_main)
  # What is tested is optimised as it ships; optimising the tests themselves only takes time.
  target_compile_options(${name} PRIVATE -O0)
  starling_precompile(${name} base_test <gmock/gmock.h> <gtest/gtest.h>)
  target_sources(${name} PRIVATE $<TARGET_OBJECTS:starling_build_folders>)
  gtest_discover_tests(${name} PROPERTIES TIMEOUT 300 LABELS ${name} DISCOVERY_TIMEOUT 60)
endfunction()
