// Every module of this repository is one that the agent understands.
#include <gtest/gtest.h>

#include <filesystem>

#include "agent/supervisor/folders/module_folder.hpp"
#include "base/build_folders.hpp"
#include "base/files.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;

class ModuleFolders : public testing::TestWithParam<const char*> {};

TEST_P(ModuleFolders, AreUnderstood) {
  int found = 0;
  for (const auto& entry : fs::directory_iterator(source_folder() / GetParam())) {
    if (!fs::exists(entry.path() / "module.toml")) continue;
    ++found;
    std::string text = read_file(entry.path() / "module.toml", max_manifest_bytes).value();
    constexpr std::string_view user = "@USER@";  // a line that a test of the daemons fills in
    if (const auto at = text.find(user); at != std::string::npos) text.erase(at, user.size());
    const auto manifest =
        parse_manifest(text, entry.path().filename().string(), entry.path().string(), system_account);
    EXPECT_TRUE(manifest) << manifest.error().message;
    const auto enabled = read_enabled(entry.path());
    EXPECT_TRUE(enabled && enabled->has_value()) << entry.path();
  }
  EXPECT_GT(found, 0);
}

INSTANTIATE_TEST_SUITE_P(Each, ModuleFolders,
                         testing::Values("examples/modules", "tests/modules", "tests/modules/daemons"));

}  // namespace
}  // namespace starling::agent
