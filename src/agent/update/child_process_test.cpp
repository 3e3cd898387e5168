#include "agent/update/child_process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <csignal>

#include "base/file_descriptor.hpp"
#include "base/temporary_folder.hpp"

namespace starling::agent {
namespace {

Command shell(const std::string& script) {
  return {{"/bin/sh", "-c", script}, {}};
}

// As venv starts pip: what goes on would write into the release that the next agent unpacks.
TEST(ChildProcess, WhatItHasStartedEndsWithTheAgent) {
  const TemporaryFolder folder;
  const std::string life = (folder / "life").string();
  ASSERT_EQ(::mkfifo(life.c_str(), 0600), 0);
  const pid_t agent = ::fork();
  if (agent == 0) {
    asio::io_context context;
    const auto child = ChildProcess::start(context.get_executor(),
                                           shell("exec 3>" + life + "; /bin/sleep 1000 & echo >&3; wait"));
    for (;;)
      ::pause();
  }
  const FileDescriptor end(::open(life.c_str(), O_RDONLY | O_CLOEXEC));
  char byte = 0;
  ASSERT_EQ(::read(end.number(), &byte, 1), 1);
  ::kill(agent, SIGKILL);
  ::waitpid(agent, nullptr, 0);
  EXPECT_EQ(::read(end.number(), &byte, 1), 0) << "nobody holds it any more";
}

}  // namespace
}  // namespace starling::agent
