#include "agent/supervisor/module_watch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <fstream>

#include "agent/supervisor/module_folder.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

struct Watched : testing::Test {
  Watched()
      : root(fs::temp_directory_path() / ("starling-watch-" + std::to_string(::getpid()))),
        watch(context.get_executor(), [this](std::string_view module) { changed.emplace_back(module); }, {}) {
    fs::remove_all(root);
    fs::create_directories(root / "one");
    fs::create_directories(root / "two");
    EXPECT_TRUE(watch.start(root));
  }
  ~Watched() override {
    TaskGroup stopping(context.get_executor(), {});
    stopping.start("stop", watch.stop());
    context.run();
    fs::remove_all(root);
  }
  void put(const std::string& path, std::string_view text) const { std::ofstream(root / path) << text; }
  // What was noticed by one look.
  std::vector<std::string> look() {
    changed.clear();
    while (changed.empty())
      context.run_one();
    return changed;
  }

  fs::path root;
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
  EXPECT_THAT(look(), ElementsAre("three"));
  put("three/config.txt", "enabled = true\n");
  EXPECT_THAT(look(), ElementsAre("three"));
  fs::remove_all(root / "one");
  EXPECT_THAT(look(), ElementsAre("one"));
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

TEST(ModuleWatch, AFolderThatIsNotThereIsAnError) {
  asio::io_context context;
  ModuleWatch watch(context.get_executor(), {}, {});
  EXPECT_EQ(watch.start("/nonexistent/modules").error().code, ErrorCode::io);
}

}  // namespace
}  // namespace starling::agent
