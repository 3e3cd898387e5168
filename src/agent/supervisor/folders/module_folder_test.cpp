#include "agent/supervisor/folders/module_folder.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "agent/supervisor/config_txt_files.hpp"
#include "base/files.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;

struct ModuleFolder : testing::Test {
  ModuleFolder() : root(fs::temp_directory_path() / ("starling-modules-" + std::to_string(getpid()))) {
    fs::remove_all(root);
    fs::create_directories(root);
  }
  ~ModuleFolder() override { fs::remove_all(root); }

  void put(const std::string& path, std::string_view text) {
    fs::create_directories((root / path).parent_path());
    std::ofstream(root / path, std::ios::binary) << text;
  }
  std::string text(const std::string& path) { return read_file(root / path, 1 << 20).value(); }
  std::vector<FoundModule> found() { return find_modules(root, system_account).value(); }

  fs::path root;
};

TEST_F(ModuleFolder, WhatIsRememberedOfAManifestIsWhatWasRead) {
  const std::string first = "exec = '/bin/true'\n[limits]\nuser = 'nobody'\n";
  put("ear/module.toml", first);
  const auto writing = [this](std::string_view user) {
    put("ear/module.toml", "exec = '/bin/false'");  // while it is being read
    return system_account(user);
  };
  EXPECT_EQ(find_module(root, "ear", writing).manifest_text, sha256(first));
  const FoundModule next = find_module(root, "ear", system_account);
  EXPECT_EQ(next.manifest_text, sha256(text("ear/module.toml")));
  fs::remove(root / "ear/module.toml");
  EXPECT_NE(find_module(root, "ear", system_account).manifest_text, next.manifest_text);
}

TEST_F(ModuleFolder, BrokenModulesAreFoundBesideGoodOnes) {
  put("recorder/module.toml", "exec = 'recorder'");
  put("recorder/config.txt", "# mine\nenabled = true\n");
  put("broken/module.toml", "exec = ");
  put("empty/notes", "");
  put("Loud/module.toml", "exec = 'x'");
  put("odd/module.toml", "exec = 'x'");
  put("odd/config.txt", "\n\nenabled = maybe\n");
  put(".git/module.toml", "exec = 'x'");
  put("README", "");
  const auto modules = found();
  ASSERT_EQ(modules.size(), 5u);

  EXPECT_EQ(modules[0].name, "Loud");
  EXPECT_NE(modules[0].manifest.error().message.find("rename it"), std::string::npos);
  EXPECT_EQ(modules[1].name, "broken");
  EXPECT_TRUE(modules[1].manifest.error().message.starts_with("broken/module.toml:1: "));
  EXPECT_EQ(modules[2].name, "empty");
  EXPECT_EQ(modules[2].manifest.error().code, ErrorCode::not_found);
  EXPECT_NE(modules[2].manifest.error().message.find("empty/module.toml is missing: write one"),
            std::string::npos);
  EXPECT_EQ(modules[3].name, "odd");
  EXPECT_TRUE(modules[3].manifest);
  EXPECT_EQ(modules[3].enabled.error().message,
            "config.txt:3: enabled is 'maybe', but must be true or false");
  EXPECT_EQ(modules[4].name, "recorder");
  EXPECT_EQ(modules[4].manifest->exec, (root / "recorder/recorder").string());
  EXPECT_EQ(modules[4].enabled.value(), true);
}

TEST_F(ModuleFolder, ALinkThatLeadsToNothingIsFound) {
  put("ear/module.toml", "exec = 'x'");
  fs::create_directory_symlink(root / "ear", root / "linked");
  fs::create_directory_symlink("/nowhere/mouth", root / "mouth");
  put("README", "");
  fs::create_symlink(root / "README", root / "notes");
  const auto modules = found();
  ASSERT_EQ(modules.size(), 3u);
  EXPECT_TRUE(modules[1].manifest);
  EXPECT_EQ(modules[2].name, "mouth");
  EXPECT_TRUE(modules[2].manifest.error().message.starts_with(
      "mouth: it is a link to /nowhere/mouth, which is not there"));
}

TEST_F(ModuleFolder, ANameThatIsTooLongIsNotCutToOneThatIsValid) {
  const FoundModule module = find_module(root, std::string(65, 'm'), system_account);
  EXPECT_EQ(module.name, std::string(63, 'm') + "…");
  EXPECT_FALSE(valid_module_name(module.name));
  EXPECT_NE(module.manifest.error().message.find("rename it"), std::string::npos);
  EXPECT_EQ(find_module(root, std::string(64, 'M'), system_account).name, std::string(64, 'M'));
}

TEST_F(ModuleFolder, WhatIsNoFileIsToBeReplacedByOne) {
  fs::create_directories(root / "ear/module.toml");
  fs::create_directories(root / "ear/config.txt");
  const FoundModule ear = find_module(root, "ear", system_account);
  for (const std::string& message : {ear.manifest.error().message, ear.enabled.error().message}) {
    EXPECT_TRUE(message.ends_with("it is a folder, and no file: put a file in its place")) << message;
  }
}

TEST_F(ModuleFolder, AFolderThatIsNotThereIsAnError) {
  EXPECT_EQ(find_modules(root / "none", system_account).error().code, ErrorCode::not_found);
}

TEST_F(ModuleFolder, TooManyAreVisibleButBroken) {
  for (std::size_t i = 0; i <= max_modules; ++i)
    put("m" + std::to_string(1000 + i) + "/module.toml", "exec = 'x'");
  const auto modules = found();
  ASSERT_EQ(modules.size(), max_modules + 1);
  EXPECT_TRUE(modules[max_modules - 1].manifest);
  EXPECT_FALSE(modules[max_modules].manifest);
}

TEST(ConfigText, IsReadAndRewrittenKeepingAllElse) {
  const struct {
    std::string_view before;
    std::optional<bool> enabled;
    std::string_view after_true;
  } cases[] = {
      {"", {}, "enabled = true\n"},
      {"rate = 5", {}, "rate = 5\nenabled = true\n"},
      {"enabled = false\n", false, "enabled = true\n"},
      {"enabled = True", true, "enabled = true"},
      {"  Enabled=FALSE # at night\nx = 1\n", false, "  Enabled=true # at night\nx = 1\n"},
      {"enabled = false\r\nx = 1\r\n", false, "enabled = true\r\nx = 1\r\n"},
      {"# enabled = true\n", {}, "# enabled = true\nenabled = true\n"},
      {"enabled = true\nenabled = false\n", false, "enabled = true\nenabled = true\n"},
      {"enabled_by = false\n", {}, "enabled_by = false\nenabled = true\n"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(enabled_in(c.before).value(), c.enabled) << c.before;
    EXPECT_EQ(config_with_enabled(c.before, true), c.after_true) << c.before;
    EXPECT_EQ(enabled_in(config_with_enabled(c.before, false)).value(), false) << c.before;
  }
  EXPECT_FALSE(enabled_in("enabled =\n"));
  for (const char* slip : {"enabled: true\n", "Enabled true", " enabled\n",
                           "\xEF\xBB\xBF"
                           "enabled: true"})
    EXPECT_FALSE(enabled_in(slip)) << slip;
  EXPECT_EQ(enabled_in("\xEF\xBB\xBF"
                       "enabled = false\n")
                .value(),
            false)
      << "as some editors begin a file";
  EXPECT_EQ(enabled_in("enabled_by: somebody\nenabled modules: a\n# enabled: true\n").value(), std::nullopt);
  EXPECT_EQ(config_with_enabled("enabled =\n", true), "enabled =true\n");
  EXPECT_EQ(config_with_enabled("x = 1\nenabled: true\n", false), "x = 1\nenabled = false\n");
  EXPECT_FALSE(enabled_in(std::string_view("e\0n\0", 4))) << "UTF-16";
}

TEST_F(ModuleFolder, ConfigIsWrittenOnlyWhenItChanges) {
  put("m/config.txt", "# keep\nenabled = false\n");
  fs::permissions(root / "m/config.txt", fs::perms(0600));
  ASSERT_TRUE(write_enabled(root / "m", true));
  EXPECT_EQ(text("m/config.txt"), "# keep\nenabled = true\n");
  EXPECT_EQ(fs::status(root / "m/config.txt").permissions(), fs::perms(0600));
  const auto written = fs::last_write_time(root / "m/config.txt");
  ASSERT_TRUE(write_enabled(root / "m", true));
  EXPECT_EQ(fs::last_write_time(root / "m/config.txt"), written);
}

TEST_F(ModuleFolder, TheMirrorWritesOnlyBelowItsFolder) {
  fs::create_directories(root / "modules/m");
  ConfigTxtFiles files(root / "modules");
  EXPECT_TRUE(files.write_enabled("m", false));
  EXPECT_EQ(text("modules/m/config.txt"), "enabled = false\n");
  EXPECT_EQ(files.write_enabled("..", true).error().code, ErrorCode::invalid_argument);
  EXPECT_FALSE(files.holds_module("m"));
  put("modules/m/module.toml", "exec = [");
  EXPECT_TRUE(files.holds_module("m")) << "a broken one";
}

TEST_F(ModuleFolder, ConfigThatCannotBeWrittenIsAnErrorAndStays) {
  put("huge/config.txt", std::string(max_config_bytes + 1, '#'));
  EXPECT_EQ(write_enabled(root / "huge", true).error().code, ErrorCode::too_large);
  EXPECT_EQ(text("huge/config.txt").size(), max_config_bytes + 1);
  EXPECT_FALSE(write_enabled(root / "none", true));
  fs::create_directories(root / "folder/config.txt");
  EXPECT_FALSE(write_enabled(root / "folder", true));
}

}  // namespace
}  // namespace starling::agent
