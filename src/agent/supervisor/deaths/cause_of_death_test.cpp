#include "agent/supervisor/deaths/cause_of_death.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <fstream>

#include "base/temporary_folder.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;

using Kind = ChildExit::Kind;

Death death(Kind kind, int status, EndedFor ended_for = EndedFor::none, bool forced = false) {
  Death death;
  death.module = "recorder";
  death.child_id = "recorder:3";
  death.pid = 812;
  death.exit.kind = kind;
  death.exit.status = status;
  death.ended_for = ended_for;
  death.forced = forced;
  return death;
}

TEST(CauseOfDeath, SaysWhatTheModuleSaid) {
  Death told = death(Kind::exited, 1);
  told.said_error = ENOENT;
  told.said_status = 42;
  EXPECT_EQ(cause_of_death(told, {}).text,
            "exited with status 1; it said ERRNO=2 (No such file or directory); it said EXIT_STATUS=42");
  EXPECT_EQ(cause_of_death(told, {}).fingerprint, cause_of_death(death(Kind::exited, 1), {}).fingerprint);
}

TEST(CauseOfDeath, SaysWhichSignalWasNotHeeded) {
  Death hanging = death(Kind::killed, SIGKILL, EndedFor::watchdog, true);
  hanging.end_signal = SIGABRT;
  hanging.unheeded = Milliseconds(5'003);
  const std::string how = "killed by SIGKILL (kill) 5 s after SIGABRT, which it did not heed";
  EXPECT_EQ(cause_of_death(hanging, {}).text, "the watchdog was not fed; " + how);
  EXPECT_EQ(cause_of_death(hanging, {}).evidence.front(), how);
  hanging.unheeded = Milliseconds(200);
  hanging.end_signal = 40;
  EXPECT_THAT(cause_of_death(hanging, {}).text, testing::HasSubstr("200 ms after signal 40, which"));
  hanging.exit.status = SIGABRT;  // at last
  EXPECT_THAT(cause_of_death(hanging, {}).text, testing::EndsWith("killed by SIGABRT (abort)"));
  hanging.exit.status = SIGKILL;
  hanging.end_signal = SIGKILL;  // as its stop_signal
  EXPECT_THAT(cause_of_death(hanging, {}).text, testing::EndsWith("killed by SIGKILL (kill)"));
}

TEST(CauseOfDeath, FollowsFromTheEvidence) {
  const std::optional<MemoryEvents> none, no_kill{MemoryEvents{0, 0}}, kill{MemoryEvents{1, 1}};
  const struct {
    Death death;
    std::optional<MemoryEvents> memory;
    std::optional<std::uint64_t> vm_kills;
    std::optional<bool> named;
    DeathClass death_class;
    Confidence confidence;
    std::string_view text;
  } cases[] = {
      {death(Kind::exited, 0), none, 0, false, DeathClass::finished, Confidence::certain,
       "exited with status 0"},
      {death(Kind::exited, 78), none, 0, false, DeathClass::exit_code, Confidence::certain, "status 78"},
      {death(Kind::killed, SIGSEGV), none, 0, false, DeathClass::signal, Confidence::certain,
       "killed by SIGSEGV (segmentation fault)"},
      {death(Kind::dumped, SIGABRT), none, 9, false, DeathClass::signal, Confidence::certain,
       ", core dumped"},
      {death(Kind::killed, 40), none, 0, false, DeathClass::signal, Confidence::certain,
       "killed by signal 40"},
      {death(Kind::killed, SIGKILL), kill, 1, true, DeathClass::out_of_memory, Confidence::certain,
       "its limit"},
      {death(Kind::killed, SIGKILL), none, 1, true, DeathClass::out_of_memory, Confidence::certain,
       "whole device"},
      {death(Kind::killed, SIGKILL), none, 1, false, DeathClass::out_of_memory, Confidence::likely,
       "about then"},
      {death(Kind::killed, SIGKILL), no_kill, 0, false, DeathClass::signal, Confidence::certain,
       "by somebody outside of the agent"},
      {death(Kind::killed, SIGKILL), no_kill, 1, false, DeathClass::signal, Confidence::certain,
       "by somebody outside of the agent"},
      {death(Kind::killed, SIGKILL), none, std::nullopt, false, DeathClass::signal, Confidence::certain,
       "outside"},
      {death(Kind::killed, SIGKILL, EndedFor::stop, true), kill, 1, true, DeathClass::stopped,
       Confidence::certain, "it was stopped; killed by SIGKILL"},
      {death(Kind::killed, SIGKILL, EndedFor::none, true), none, 1, false, DeathClass::signal,
       Confidence::certain, "killed by SIGKILL (kill)"},
      {death(Kind::dumped, SIGABRT, EndedFor::watchdog), none, 0, false, DeathClass::watchdog,
       Confidence::certain, "the watchdog was not fed; killed by SIGABRT (abort), core dumped"},
      {death(Kind::exited, 1, EndedFor::start_timeout), none, 0, false, DeathClass::start_timeout,
       Confidence::certain, "it was not ready in time"},
      {death(Kind::unknown, 0), none, 0, false, DeathClass::unknown, Confidence::guess,
       "only its parent process was told"},
  };
  for (const auto& c : cases) {
    const DeathReport report = cause_of_death(c.death, {c.memory, c.vm_kills, c.named, {}});
    EXPECT_EQ(report.death_class, c.death_class) << report.text;
    EXPECT_EQ(report.confidence, c.confidence) << report.text;
    EXPECT_THAT(report.text, testing::HasSubstr(c.text));
    EXPECT_FALSE(report.evidence.empty());
  }
}

TEST(CauseOfDeath, DoesNotSayThatALogThatCannotBeReadIsSilent) {
  const Death killed = death(Kind::killed, SIGKILL);
  EXPECT_THAT(cause_of_death(killed, {{}, {}, std::nullopt, {}}).evidence,
              testing::Contains("the kernel's log cannot be read"));
  EXPECT_THAT(cause_of_death(killed, {{}, {}, false, {}}).evidence,
              testing::Contains("the kernel's log does not name its process"));
}

TEST(CauseOfDeath, TellsTheLastLinesPrintably) {
  std::vector<std::string> lines;
  for (int i = 0; i < 30; ++i)
    lines.push_back("line " + std::to_string(i));
  lines.push_back("\x1b[31m" + std::string(100'000, 'x'));
  const DeathReport report = cause_of_death(death(Kind::exited, 1), {{}, {}, false, lines});
  ASSERT_EQ(report.last_lines.size(), told_lines);
  EXPECT_EQ(report.last_lines.front(), "line 11");
  EXPECT_EQ(report.last_lines.back().size(), 400u);
  EXPECT_TRUE(report.last_lines.back().starts_with(" [31m"));
}

TEST(CauseOfDeath, TheSameCrashHasTheSameFingerprint) {
  const auto fingerprint = [](const Death& d, std::vector<std::string> lines) {
    return cause_of_death(d, {{}, {}, false, std::move(lines)}).fingerprint;
  };
  const Death crash = death(Kind::killed, SIGSEGV);
  const std::string one =
      fingerprint(crash, {"started", "at 2026-11-20 10:11:12 pid 812", "bad pointer 0x7ffe12ab"});
  EXPECT_EQ(one.size(), 16u);
  EXPECT_EQ(one, fingerprint(crash, {"started", "at 2026-12-01 01:02:03 pid 7", "bad pointer 0x55d0"}));
  EXPECT_NE(one, fingerprint(crash, {"started", "at 2026-12-01 01:02:03 pid 7", "bad handle 0x55d0"}));
  EXPECT_NE(one, fingerprint(death(Kind::killed, SIGBUS), {"started", "at 1 pid 2", "bad pointer 0x1"}));
  EXPECT_NE(fingerprint(death(Kind::exited, 1), {}), fingerprint(death(Kind::exited, 2), {}));
}

TEST(CauseOfDeath, WhatItWroteOfItsWorkDoesNotTellCrashesApart) {
  const auto fingerprint = [](const Death& d, std::vector<std::string> lines) {
    return cause_of_death(d, {{}, {}, false, std::move(lines)}).fingerprint;
  };
  const Death crash = death(Kind::killed, SIGSEGV);
  EXPECT_EQ(fingerprint(crash, {"listening"}), fingerprint(crash, {"listening", "request of mouse served"}));
  EXPECT_EQ(fingerprint(crash, {"listening"}), fingerprint(crash, {}));
  EXPECT_EQ(fingerprint(crash, {"ERROR: no camera", "still here"}),
            fingerprint(crash, {"listening", "ERROR: no camera"}));
  const Death gave_up = death(Kind::exited, 1);
  EXPECT_NE(fingerprint(gave_up, {"listening", "the camera is gone"}), fingerprint(gave_up, {"listening"}))
      << "the last word of who gives up is why";
  EXPECT_EQ(fingerprint(gave_up, {"for mouse", "Fatal: no camera", "bye"}),
            fingerprint(gave_up, {"for cat", "Fatal: no camera", "good night"}));
}

TEST(CauseOfDeath, NormalisedLinesKeepTheirWords) {
  const struct {
    std::string_view line, normal;
  } cases[] = {
      {"pid 812", "pid #"},
      {"took 12ms, 13.5 s", "took #ms, #.# s"},
      {"0x7ffe12ab: dead", "#: dead"},
      {"id 3f2504e0-4f89-beef-9a0c-0305e82c3301", "id #-#-#-#-#"},
      {"a bad face", "a bad face"},
      {"utf8 and sha256", "utf# and sha#"},
      {"/dev/ttyUSB3: device snd123 busy", "/dev/ttyUSB#: device snd# busy"},
      {"worker-17 gone", "worker-# gone"},
      {"", ""},
  };
  for (const auto& c : cases)
    EXPECT_EQ(normalised_line(c.line), c.normal) << c.line;
}

TEST(KernelLog, FindsWhomItEndedForMemory) {
  const struct {
    std::string_view record;
    std::optional<std::int32_t> pid;
  } cases[] = {
      {"3,1234,5678,-;Out of memory: Killed process 812 (recorder) total-vm:1kB, anon-rss:2kB", 812},
      {"3,1,2,-;Memory cgroup out of memory: Killed process 9 (x y) total-vm:1kB", 9},
      {"6,1,2,-;usb 1-1: new device", {}},
      {"12,1,2,-;Out of memory: Killed process 812 (a lie from user space)", {}},
      {"3,1,2,-;Out of memory: Killed process many", {}},
      {"Out of memory: Killed process 812", {}},
      {"", {}},
  };
  for (const auto& c : cases)
    EXPECT_EQ(oom_killed_pid(c.record), c.pid) << c.record;
  EXPECT_EQ(oom_kills_in("nr_free_pages 1\noom_kill 3\n"), 3u);
  EXPECT_EQ(oom_kills_in("nr_free_pages 1\n"), std::nullopt);
}

struct Machine {
  void kernel_ended(int processes) const {
    fs::create_directories(folder.path() / "proc");
    std::ofstream(folder.path() / "proc/vmstat") << "a 1\noom_kill " << processes << '\n';
  }

  TemporaryFolder folder;
};

TEST(MachineExaminer, SeesTheCountOfTheMachineRise) {
  const Machine machine;
  machine.kernel_ended(3);
  MachineExaminer examiner(
      nullptr, [](std::string_view) { return std::vector<std::string>{"last words"}; }, {},
      machine.folder.path());
  EXPECT_EQ(examiner.examine(death(Kind::killed, SIGKILL)).death_class, DeathClass::signal);
  machine.kernel_ended(4);
  const DeathReport report = examiner.examine(death(Kind::killed, SIGKILL));
  EXPECT_EQ(report.death_class, DeathClass::out_of_memory);
  EXPECT_EQ(report.confidence, Confidence::likely);
  EXPECT_EQ(report.last_lines, std::vector<std::string>{"last words"});
  EXPECT_EQ(examiner.examine(death(Kind::killed, SIGKILL)).death_class, DeathClass::signal);
}

TEST(MachineExaminer, WhatTheKernelEndedLongAgoIsNoReason) {
  const Machine machine;
  machine.kernel_ended(0);
  MachineExaminer examiner(nullptr, {}, {}, machine.folder.path());
  machine.kernel_ended(1);  // some other program
  examiner.look();
  EXPECT_EQ(examiner.examine(death(Kind::killed, SIGKILL)).death_class, DeathClass::out_of_memory)
      << "a look may come between the end and its examination";
  machine.kernel_ended(2);
  examiner.look();
  examiner.look();
  EXPECT_EQ(examiner.examine(death(Kind::killed, SIGKILL)).death_class, DeathClass::signal);
}

}  // namespace
}  // namespace starling::agent
