#include "agent/supervisor/folders/module_watch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <fstream>
#include <set>

#include "agent/supervisor/folders/module_folder.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

struct Watched : testing::Test {
  Watched()
      : base(fs::temp_directory_path() / ("starling-watch-" + std::to_string(::getpid()))),
        root(base / "modules"),
        watch(context.get_executor(), [this](std::string_view module) { changed.emplace_back(module); }, {}) {
    fs::remove_all(base);
    fs::create_directories(root / "one");
    fs::create_directories(root / "two");
    EXPECT_TRUE(watch.open(root));
    watch.start();
  }
  ~Watched() override {
    TaskGroup stopping(context.get_executor(), {});
    stopping.start("stop", watch.stop());
    context.run();
    fs::remove_all(base);
  }
  void put(const std::string& path, std::string_view text) const { std::ofstream(root / path) << text; }
  // What was noticed by one look.
  std::vector<std::string> look() {
    changed.clear();
    while (changed.empty())
      context.run_one();
    return changed;
  }
  // What was noticed until this was.
  std::set<std::string> look_until(const std::string& module) {
    std::set<std::string> seen;
    while (!seen.contains(module)) {
      look();
      seen.insert(changed.begin(), changed.end());
    }
    return seen;
  }

  fs::path base, root;
  asio::io_context context;
  std::vector<std::string> changed;
  ModuleWatch watch;
};

TEST_F(Watched, EditsAreNoticedOnce) {
  put("one/config.txt", "enabled = true\n");
  put("one/config.txt", "enabled = false\n");
  put("one/recording.wav", "...");
  EXPECT_THAT(look(), ElementsAre("one"));
  put("two/recording.wav", "...");
  put("two/module.toml", "exec = 'x'");
  EXPECT_THAT(look(), ElementsAre("two"));
  ASSERT_TRUE(write_enabled(root / "one", true));  // by renaming
  fs::remove(root / "two/module.toml");
  EXPECT_THAT(look(), ElementsAre("one", "two"));
}

TEST_F(Watched, ModulesComeAndGo) {
  fs::create_directories(root / "three");
  fs::create_directories(root / "No Module");
  fs::create_directories(root / ".hidden");
  EXPECT_THAT(look(), ElementsAre("No Module", "three")) << "who cannot be a module is told so";
  put("three/config.txt", "enabled = true\n");
  EXPECT_THAT(look(), ElementsAre("three"));
  fs::remove_all(root / "one");
  EXPECT_THAT(look(), ElementsAre("one"));
}

TEST_F(Watched, WhatComesBeforeTheyAreToldIsNotMissed) {
  ModuleWatch early(context.get_executor(), [this](std::string_view module) { changed.emplace_back(module); },
                    {});
  ASSERT_TRUE(early.open(root));
  fs::create_directories(base / "other/three");
  fs::rename(base / "other/three", root / "three");
  EXPECT_THAT(look(), ElementsAre("three"));
  early.start();
  EXPECT_THAT(look(), ElementsAre("three"));
  TaskGroup stopping(context.get_executor(), {});
  stopping.start("stop", early.stop());
  while (stopping.running() > 0)
    context.run_one();
}

TEST_F(Watched, AModuleThatWritesALotIsStillOneChange) {
  for (int i = 0; i < 20'000; ++i)
    put("one/" + std::to_string(i % 2), "");
  put("two/config.txt", "enabled = true\n");
  // Whether or not the kernel's queue overflowed, the edit is noticed, and each module named once a look.
  std::vector<std::string> seen;
  while (std::ranges::find(seen, "two") == seen.end())
    seen = look();
  EXPECT_LE(seen.size(), 2u);
}

TEST_F(Watched, TheFolderOfAllModulesIsReplaced) {
  fs::rename(root, base / "former");
  fs::create_directories(root / "three");
  EXPECT_THAT(look_until("three"), ElementsAre("one", "three", "two"));
  put("../former/one/config.txt", "enabled = true\n");
  put("three/config.txt", "enabled = true\n");
  EXPECT_THAT(look_until("three"), ElementsAre("three"));
}

TEST_F(Watched, TheFolderOfAllModulesIsAwayForAWhile) {
  fs::rename(root, base / "former");
  EXPECT_THAT(look(), ElementsAre("one", "two"));
  fs::rename(base / "former", root);
  EXPECT_THAT(look(), ElementsAre("one", "two"));
  fs::remove_all(root);
  EXPECT_THAT(look(), ElementsAre("one", "two"));
  fs::create_directories(root / "three");
  EXPECT_THAT(look_until("three"), ElementsAre("three"));
}

TEST_F(Watched, ALinkToTheFolderIsTurned) {
  fs::create_directories(base / "next/three");
  ModuleWatch linked(context.get_executor(),
                     [this](std::string_view module) { changed.emplace_back(module); }, {});
  fs::create_directory_symlink(root, base / "link");
  ASSERT_TRUE(linked.open(base / "link/"));
  linked.start();
  fs::create_directory_symlink(base / "next", base / "turned");
  fs::rename(base / "turned", base / "link");
  EXPECT_THAT(look_until("three"), ElementsAre("one", "three", "two"));
  TaskGroup stopping(context.get_executor(), {});
  stopping.start("stop", linked.stop());
  while (stopping.running() > 0)
    context.run_one();
}

TEST_F(Watched, TheFolderOfAllModulesComesLater) {
  ModuleWatch waiting(context.get_executor(),
                      [this](std::string_view module) { changed.emplace_back(module); }, {});
  ASSERT_TRUE(waiting.open(base / "disk/device/modules"));
  waiting.start();
  fs::create_directories(base / "disk");
  fs::create_directories(base / "disk/device/modules/three");
  EXPECT_THAT(look_until("three"), ElementsAre("three"));
  put("../disk/device/modules/three/config.txt", "enabled = true\n");
  EXPECT_THAT(look_until("three"), ElementsAre("three"));
  TaskGroup stopping(context.get_executor(), {});
  stopping.start("stop", waiting.stop());
  while (stopping.running() > 0)
    context.run_one();
}

TEST_F(Watched, WhatIsNoFolderIsAnError) {
  std::ofstream(base / "file") << "x";
  for (const char* place : {"file", "file/modules"}) {
    ModuleWatch other(context.get_executor(), {}, {});
    const auto opened = other.open(base / place);
    ASSERT_FALSE(opened) << place;
    EXPECT_EQ(opened.error().code, ErrorCode::io);
  }
}

}  // namespace
}  // namespace starling::agent
