#include "agent/supervisor/folders/arriving_folders.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/temporary_folder.hpp"

namespace starling::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Arrivals : testing::Test {
  void write(const std::string& file, std::string_view text) const {
    std::filesystem::create_directories((folder / file).parent_path());
    std::ofstream(folder / file, std::ios::app) << text;
  }
  std::vector<std::string> after(Milliseconds time) {
    clock.advance(time);
    return folders.take_arrived();
  }
  static constexpr Milliseconds quiet = ArrivingFolders::quiet;
  const TemporaryFolder folder;
  ManualClock clock;
  bool complete = true;
  ArrivingFolders folders{folder.path(), clock, [this](const std::string&) { return complete; }};
};

TEST_F(Arrivals, HaveArrivedWhenTheyAreLeftAlone) {
  EXPECT_EQ(folders.next_deadline(), std::nullopt);
  write("a/run", "x");
  folders.came("a");
  EXPECT_EQ(folders.next_deadline(), clock.steady() + quiet);
  EXPECT_THAT(after(quiet), IsEmpty()) << "looked at for the first time";
  EXPECT_THAT(after(quiet / 2), IsEmpty());
  folders.came("a");
  EXPECT_THAT(after(quiet / 2), IsEmpty());
  EXPECT_THAT(after(quiet / 2), ElementsAre("a"));
  EXPECT_EQ(folders.next_deadline(), std::nullopt);
}

TEST_F(Arrivals, AreAwaitedWhileSomethingInThemGrows) {
  write("a/module.toml", "exec = 'run'");
  folders.came("a");
  for (int part = 0; part < 5; ++part) {
    write("a/models/deep/down/big", "x");
    EXPECT_THAT(after(quiet), IsEmpty()) << part;
  }
  EXPECT_THAT(after(quiet), ElementsAre("a"));
}

TEST_F(Arrivals, AreAwaitedLongerWhereSomethingIsMissing) {
  complete = false;
  write("a/module.toml", "exec = 'run'");
  folders.came("a");
  (void)after(quiet);
  for (Milliseconds time{0}; time + quiet < ArrivingFolders::incomplete; time += quiet)
    EXPECT_THAT(after(quiet), IsEmpty());
  EXPECT_THAT(after(quiet), ElementsAre("a")) << "so that somebody learns what is missing";
}

TEST_F(Arrivals, OfWhichOnlyKnownFilesChangeAreNotLookedThrough) {
  complete = false;
  write("a/log", "");
  folders.changed("a");
  EXPECT_THAT(after(quiet / 2), IsEmpty());
  folders.changed("a");
  write("a/log", "the module runs");
  EXPECT_THAT(after(quiet / 2), IsEmpty());
  EXPECT_THAT(after(quiet / 2), ElementsAre("a"));
}

TEST_F(Arrivals, AreNotAwaitedForEver) {
  for (const bool whole : {false, true}) {
    const SteadyTime began = clock.steady();
    std::vector<std::string> arrived;
    do {
      write("a/log", "x");
      whole ? folders.came("a") : folders.changed("a");
      arrived = after(quiet / 2);
    } while (arrived.empty());
    EXPECT_EQ(clock.steady(), began + (whole ? ArrivingFolders::patience : ArrivingFolders::impatience));
  }
}

TEST_F(Arrivals, AreLookedThroughOneByOne) {
  for (const char* name : {"a", "b"}) {
    write(std::string(name) + "/run", "x");
    folders.came(name);
  }
  std::vector<std::string> all;
  for (int look = 0; look < 8; ++look)
    for (const std::string& name : after(quiet / 4))
      all.push_back(name);
  EXPECT_LT(all.size(), 2u);
  for (int look = 0; look < 8; ++look)
    for (const std::string& name : after(quiet))
      all.push_back(name);
  EXPECT_THAT(all, testing::UnorderedElementsAre("a", "b"));
}

TEST_F(Arrivals, MayGoAgain) {
  write("a/run", "x");
  folders.came("a");
  folders.went("a");
  folders.went("b");
  EXPECT_EQ(folders.count(), 0u);
  EXPECT_THAT(after(quiet), IsEmpty());
}

}  // namespace
}  // namespace starling::agent
