#include "agent/supervisor/logs/module_log.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <thread>

#include "agent/supervisor/logs/module_outputs.hpp"
#include "base/files.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Logs : testing::Test {
  Logs() : folder(fs::temp_directory_path() / ("starling-logs-" + std::to_string(::getpid()))) {
    fs::remove_all(folder);
    fs::create_directories(folder);
  }
  ~Logs() override { fs::remove_all(folder); }
  std::string text(const std::string& name = "m.log") const {
    return read_file(folder / name, 64 << 20).value_or("");
  }

  fs::path folder;
  ManualClock clock;
};

TEST_F(Logs, LinesAreCutWhereverThePiecesEnd) {
  ModuleLog log(clock, folder / "m.log");
  for (const char* piece : {"one\ntw", "o\r\n", "", "\n", "th", "ree"})
    log.bytes(LogStream::out, piece);
  log.bytes(LogStream::err, "oh\n");
  EXPECT_THAT(log.last_lines(), ElementsAre("one", "two", "", "oh"));
  log.ended(LogStream::out);
  log.ended(LogStream::out);
  EXPECT_THAT(log.last_lines(), ElementsAre("one", "two", "", "oh", "three"));
  const std::string stamp = to_rfc3339(clock.wall());
  EXPECT_EQ(text(), stamp + " out one\n" + stamp + " out two\n" + stamp + " out \n" + stamp + " err oh\n" +
                        stamp + " out three\n");
}

TEST_F(Logs, TheLastLinesAreOfOneRun) {
  ModuleLog log(clock, folder / "m.log");
  log.begin_run(1);
  log.bytes(LogStream::out, "first\nand half a ");
  log.begin_run(2);
  EXPECT_THAT(log.last_lines(), IsEmpty());
  log.bytes(LogStream::out, "second\n");
  log.begin_run(2);  // attached again
  log.begin_run(1);  // told late
  EXPECT_THAT(log.last_lines(), ElementsAre("second"));
  EXPECT_THAT(text(), HasSubstr("out and half a \n"));
}

TEST_F(Logs, ALineOfAGigabyteIsCutAndCostsNoMemory) {
  ModuleLog log(clock, folder / "m.log");
  const std::string piece(1 << 20, 'x');
  for (int i = 0; i < 1024; ++i)
    log.bytes(LogStream::out, piece);
  log.bytes(LogStream::out, "\nafter\n");
  EXPECT_THAT(text(), HasSubstr("xxx [cut]\n"));
  EXPECT_THAT(text(), HasSubstr("note 1073733632 more bytes of this line were cut; 8192 are kept\n"));
  EXPECT_EQ(log.last_lines().back(), "after");
  EXPECT_LT(text().size(), 10'000u);
}

TEST_F(Logs, AFloodIsLeftOutAndCounted) {
  ModuleLogLimits limits;
  limits.bytes_per_second = 1'000;
  limits.burst_bytes = 10'000;
  ModuleLog log(clock, folder / "m.log", limits);
  const std::string line(99, 'x');
  for (int i = 0; i < 1'000; ++i)
    log.bytes(LogStream::out, line + "\n");
  EXPECT_TRUE(log.flooded());
  EXPECT_LT(text().size(), 20'000u);
  clock.advance(Milliseconds(100));  // room for one line: too little to begin again
  log.bytes(LogStream::out, line + "\n");
  EXPECT_TRUE(log.flooded());
  clock.advance(Milliseconds(5'000));
  log.bytes(LogStream::out, "calm\n");
  EXPECT_FALSE(log.flooded());
  EXPECT_THAT(text(),
              HasSubstr("note 901 lines (90100 bytes) were left out: more than 1000 bytes a second\n"));
  EXPECT_EQ(log.last_lines().back(), "calm");
}

TEST_F(Logs, FilesAreRotatedBySizeAndReadAsOne) {
  ModuleLogLimits limits;
  limits.file_bytes = 1'000;
  limits.files = 3;
  ModuleLog log(clock, folder / "m.log", limits);
  for (int i = 1000; i < 1100; ++i)
    log.bytes(LogStream::out, "line " + std::to_string(i) + "\n");
  EXPECT_TRUE(fs::exists(folder / "m.log.1"));
  EXPECT_TRUE(fs::exists(folder / "m.log.2"));
  EXPECT_FALSE(fs::exists(folder / "m.log.3"));
  for (const char* name : {"m.log", "m.log.1", "m.log.2"})
    EXPECT_LE(fs::file_size(folder / name), 1'000u);
  const std::string tail = log.tail(1'500);
  EXPECT_LE(tail.size(), 1'500u);
  EXPECT_TRUE(tail.starts_with("20"));
  EXPECT_TRUE(tail.ends_with("out line 1099\n"));
  EXPECT_THAT(tail, HasSubstr("out line 1070\n"));
  // A later agent goes on where this one ended.
  ModuleLog later(clock, folder / "m.log", limits);
  later.bytes(LogStream::out, "more\n");
  EXPECT_THAT(later.tail(200), HasSubstr("out line 1099\n"));
}

TEST_F(Logs, WhatCannotBeWrittenIsMissedAndTheLogGoesOn) {
  ModuleLog log(clock, folder / "away/m.log");
  log.bytes(LogStream::out, "lost\n");
  EXPECT_THAT(log.last_lines(), ElementsAre("lost"));
  fs::create_directories(folder / "away");
  log.bytes(LogStream::out, "kept\n");
  EXPECT_THAT(text("away/m.log"), HasSubstr("34 bytes are missing here"));
  EXPECT_THAT(text("away/m.log"), HasSubstr("out kept\n"));
}

TEST_F(Logs, AFullDiskLosesLinesOnly) {
  RotatedFile full("/dev/full", 1'000, 2);
  const auto appended = full.append("text\n");
  ASSERT_FALSE(appended);
  EXPECT_THAT(appended.error().message, HasSubstr("No space left on device"));
}

// What the limit does to a file, a full disk does to all: a write gets half of its room, the next none.
struct SizeLimit {
  explicit SizeLimit(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit limit{bytes, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  SizeLimit(const SizeLimit&) = delete;
  ~SizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before); }
  rlimit before{};
};

TEST_F(Logs, AFullDiskTearsNoLine) {
  ModuleLog log(clock, folder / "m.log");
  log.bytes(LogStream::out, "first\n");
  const std::string before = text();
  {
    const SizeLimit full(before.size() + 10);
    log.bytes(LogStream::out, "lost\n");
    log.bytes(LogStream::out, "lost too\n");
    EXPECT_EQ(text(), before);
  }
  log.bytes(LogStream::out, "kept\n");
  const std::string gap = "note 72 bytes are missing here: they could not be written\n";
  const std::string at = before.substr(0, before.find("out"));
  EXPECT_EQ(text(), before + at + gap + at + "out kept\n");
  EXPECT_THAT(log.last_lines(), ElementsAre("first", "lost", "lost too", "kept"));
}

TEST_F(Logs, ADiskWithoutRoomForANewFileLosesLinesOnly) {
  ModuleLogLimits limits;
  limits.file_bytes = 50;
  fs::create_directories(folder / "logs");
  ModuleLog log(clock, folder / "logs/m.log", limits);
  log.bytes(LogStream::out, "first\n");
  fs::rename(folder / "logs", folder / "away");  // it cannot be rotated, nor a new one be made
  log.bytes(LogStream::out, "lost\n");
  log.bytes(LogStream::out, "lost too\n");
  fs::rename(folder / "away", folder / "logs");
  log.bytes(LogStream::out, "kept\n");
  EXPECT_THAT(log.tail_lines(9), ElementsAre(HasSubstr("out first"), HasSubstr("72 bytes are missing here"),
                                             HasSubstr("out kept")));
}

TEST_F(Logs, WhatMovesATerminalIsNotKept) {
  ModuleLog log(clock, folder / "m.log");
  log.bytes(LogStream::out, "\x1b]0;title\x07 \xff\n");
  EXPECT_THAT(log.last_lines(), ElementsAre(" ]0;title  ?"));
}

TEST_F(Logs, FollowersHearLinesAndMayLeaveMeanwhile) {
  ModuleLog log(clock, folder / "m.log");
  std::vector<std::string> heard;
  std::uint32_t id = 0;
  id = log.follow([&](WallTime, LogStream stream, std::string_view line) {
            heard.push_back(std::string(to_string(stream)) + " " + std::string(line));
            if (heard.size() == 2) log.unfollow(id);
          })
           .value();
  log.bytes(LogStream::err, "a\nb\nc\n");
  EXPECT_THAT(heard, ElementsAre("err a", "err b"));
  for (std::size_t i = 0; i < ModuleLog::max_followers; ++i)
    EXPECT_TRUE(log.follow([](WallTime, LogStream, std::string_view) {}));
  EXPECT_EQ(log.follow({}).error().code, ErrorCode::rate_limited);
}

struct Outputs : Logs {
  Outputs() : outputs(context.get_executor(), clock, folder, {}) {}
  static std::pair<FileDescriptor, FileDescriptor> pipe() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
  }
  static void put(const FileDescriptor& end, std::string_view text) {
    EXPECT_EQ(::write(end.number(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }

  asio::io_context context;
  ModuleOutputs outputs;
};

TEST_F(Outputs, PipesAreReadUntilTheyEnd) {
  auto [out, out_writer] = pipe();
  auto [err, err_writer] = pipe();
  outputs.attach("m", 1, std::move(out), std::move(err));
  put(out_writer, "one\n");
  put(err_writer, "two\nthree");
  out_writer.reset();
  err_writer.reset();
  context.run();  // ends with the pipes
  EXPECT_THAT(outputs.log_of("m").last_lines(), testing::UnorderedElementsAre("one", "two", "three"));
}

TEST_F(Outputs, AModuleWritesOnWhereNothingCanBeKept) {
  fs::remove_all(folder);
  auto [out, writer] = pipe();
  outputs.attach("m", 1, std::move(out), {});
  std::thread module([&writer = writer] {
    const std::string line = std::string(1'000, 'x') + "\n";
    for (int i = 0; i < 500; ++i)  // several times what a pipe holds
      put(writer, line);
    put(writer, "last\n");
    writer.reset();
  });
  context.run();
  module.join();
  EXPECT_EQ(outputs.log_of("m").last_lines().back(), "last");
}

TEST_F(Outputs, WhatTheDeadLeftIsReadAtOnce) {
  auto [out, writer] = pipe();
  outputs.attach("m", 1, std::move(out), {});
  put(writer, "last words\n");
  outputs.drain("m");  // a grandchild may still hold the other end
  EXPECT_THAT(outputs.log_of("m").last_lines(), ElementsAre("last words"));
  outputs.forget("m");
  context.run();
}

TEST_F(Outputs, EarlierRunsThatKeepTheirPipesAreLetGo) {
  std::vector<FileDescriptor> writers;
  for (std::size_t run = 0; run < ModuleOutputs::max_pipes + 2; ++run) {
    auto [out, writer] = pipe();
    outputs.attach("m", 1, std::move(out), {});
    writers.push_back(std::move(writer));
  }
  ::signal(SIGPIPE, SIG_IGN);
  EXPECT_EQ(::write(writers.front().number(), "x", 1), -1);
  put(writers.back(), "still heard\n");
  writers.clear();
  context.run();
  EXPECT_THAT(outputs.log_of("m").last_lines(), ElementsAre("still heard"));
}

}  // namespace
}  // namespace starling::agent
