#include "agent/supervisor/arriving_folders.hpp"

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
  const TemporaryFolder folder;
  ManualClock clock;
  ArrivingFolders folders{folder.path(), clock};
};

TEST_F(Arrivals, HaveArrivedWhenTheyAreLeftAlone) {
  EXPECT_EQ(folders.next_deadline(), std::nullopt);
  write("b/run", "x");
  write("a/run", "x");
  folders.came("b");
  EXPECT_THAT(after(ArrivingFolders::quiet / 2), IsEmpty());
  folders.came("a");
  EXPECT_EQ(folders.next_deadline(), clock.steady() + ArrivingFolders::quiet / 2);
  EXPECT_THAT(after(ArrivingFolders::quiet / 2), ElementsAre("b"));
  EXPECT_THAT(after(ArrivingFolders::quiet / 2), ElementsAre("a"));
  EXPECT_EQ(folders.next_deadline(), std::nullopt);
}

TEST_F(Arrivals, AreAwaitedWhileSomethingInThemGrows) {
  write("a/module.toml", "exec = 'run'");
  folders.came("a");
  for (int part = 0; part < 5; ++part) {
    write("a/models/big", "x");
    EXPECT_THAT(after(ArrivingFolders::quiet), IsEmpty()) << part;
  }
  EXPECT_THAT(after(ArrivingFolders::quiet), ElementsAre("a"));
}

TEST_F(Arrivals, AreNotAwaitedForEver) {
  write("a/log", "");
  for (const bool told : {false, true}) {
    folders.came("a");
    const SteadyTime began = clock.steady();
    for (bool arrived = false; !arrived; arrived = !after(ArrivingFolders::quiet / 2).empty()) {
      write("a/log", "x");
      if (told && folders.contains("a")) folders.came("a");
    }
    EXPECT_EQ(clock.steady(), began + ArrivingFolders::patience);
  }
}

TEST_F(Arrivals, MayGoAgain) {
  write("a/run", "x");
  folders.came("a");
  folders.went("a");
  folders.went("b");
  EXPECT_EQ(folders.count(), 0u);
  EXPECT_THAT(after(ArrivingFolders::quiet), IsEmpty());
}

}  // namespace
}  // namespace starling::agent
