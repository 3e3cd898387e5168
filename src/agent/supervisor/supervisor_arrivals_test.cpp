// Module folders whose files come one after the other, by a copy or by hand.
#include "agent/supervisor/supervisor_folders_fixture.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using SupervisorArrivals = SupervisorFolders;

// As `cp -r` does it, and by hand: its files one after the other.
TEST_F(SupervisorArrivals, WhatIsStillCopiedIsNotTakenIn) {
  start();
  fs::create_directories(modules() / "recorder");
  std::ofstream(modules() / "recorder/config.txt") << "enabled = true\n";
  for (int look = 0; look < 3; ++look) {
    turn();
    pass(ArrivingFolders::quiet - Milliseconds(1));
    EXPECT_EQ(problem("recorder"), "there is none");
    std::ofstream(modules() / "recorder/model", std::ios::app) << "more of it";
    turn();
  }
  std::ofstream(modules() / "recorder/module.toml") << "exec = 'run'\n";
  eventually([&] { return problem("recorder").empty(); });
  EXPECT_EQ(supervisor->descriptions().at("recorder").at("enabled"), Json(true));
  EXPECT_TRUE(device->section().pending_edits().empty()) << "it shipped so, nobody has edited it";
}

TEST_F(SupervisorArrivals, WhatComesMuchLaterIsNoEditEither) {
  for (const bool wanted : {true, false}) {
    const std::string name = wanted ? "player" : "recorder", says = wanted ? "true" : "false";
    if (!supervisor) start();
    fs::create_directories(modules() / name);
    eventually([&] { return problem(name) != "there is none"; });
    EXPECT_THAT(problem(name), HasSubstr("module.toml is missing"));
    std::ofstream(modules() / name / "config.txt") << "enabled = " << says << "\n";
    turn();
    pass(Seconds(5));
    std::ofstream(modules() / name / "module.toml") << "exec = 'run'\n";
    eventually([&] { return problem(name).empty(); });
    EXPECT_EQ(supervisor->descriptions().at(name).at("enabled"), Json(wanted));
    EXPECT_EQ(config(name), "enabled = " + says + "\n");
  }
  EXPECT_TRUE(device->section().pending_edits().empty());
}

TEST_F(SupervisorArrivals, WhatCouldNotBeEnabledForWantOfItsManifestIsWhenThatComes) {
  start();
  establish();
  fs::create_directories(modules() / "recorder");
  eventually([&] { return problem("recorder") != "there is none"; });
  want({{"recorder", true}});
  eventually([&] { return !reported("recorder", "quarantine").empty(); });
  write_module("recorder", "exec = 'run'\n");
  eventually([&] { return problem("recorder").empty(); });
  EXPECT_EQ(supervisor->descriptions().at("recorder").at("enabled"), Json(true));
  EXPECT_THAT(reported("recorder", "quarantine"), "");
}

// However its files come: they belong together.
TEST_F(SupervisorArrivals, WhatIsCopiedOverAModuleIsNoEditByHand) {
  for (const bool config_first : {true, false}) {
    const std::string name = config_first ? "player" : "recorder";
    if (!supervisor) start();
    write_module(name, "exec = 'run1'\n", "enabled = false\n");
    eventually([&] { return problem(name).empty(); });
    for (const bool config : {config_first, !config_first}) {
      std::ofstream(modules() / name / (config ? "config.txt" : "module.toml"))
          << (config ? "enabled = true\n" : "exec = 'run2'\n");
      turn();
      pass(ArrivingFolders::quiet / 3);
      EXPECT_EQ(supervisor->descriptions().at(name).at("enabled"), Json(false));
    }
    eventually([&] { return supervisor->descriptions().at(name).at("enabled") == Json(true); });
    EXPECT_FALSE(supervisor->descriptions().at(name).as_object().contains("manifest_pending"));
    EXPECT_EQ(config(name), "enabled = true\n");
  }
  EXPECT_TRUE(device->section().pending_edits().empty());
}

TEST_F(SupervisorArrivals, ACopyOverAModuleTakesNothingBackThatTheHubHasSaid) {
  write_module("recorder", "exec = 'run'\n", "enabled = true\n");
  start();
  want({{"recorder", false}});
  eventually([&] { return config("recorder") == "enabled = false\n"; });
  for (const char* manifest : {"exec = 'run'\n", "exec = 'other'\n"}) {
    fs::remove(modules() / "recorder/module.toml");
    write_module("recorder", manifest, "enabled = true\n");
    eventually([&] { return config("recorder") == "enabled = false\n"; });
    EXPECT_EQ(supervisor->descriptions().at("recorder").at("enabled"), Json(false));
    EXPECT_TRUE(device->section().pending_edits().empty());
  }
  std::ofstream(modules() / "recorder/config.txt") << "enabled = true\n";
  eventually([&] { return supervisor->descriptions().at("recorder").at("enabled") == Json(true); });
}

TEST_F(SupervisorArrivals, SoItIsWhileTheAgentIsAway) {
  write_module("recorder", "exec = 'run'\n", "enabled = true\n");
  start();
  want({{"recorder", false}});
  eventually([&] { return config("recorder") == "enabled = false\n"; });
  end_agent();
  fs::remove(modules() / "recorder/module.toml");
  write_module("recorder", "exec = 'run'\n", "enabled = true\n");
  start();
  pass(Seconds(1));
  EXPECT_EQ(config("recorder"), "enabled = false\n");
  EXPECT_TRUE(device->section().pending_edits().empty());
  end_agent();
  std::ofstream(modules() / "recorder/config.txt") << "enabled = true\n";
  start();
  EXPECT_EQ(supervisor->descriptions().at("recorder").at("enabled"), Json(true)) << "that is an edit";
}

TEST_F(SupervisorArrivals, NothingIsWrittenIntoOneThatIsStillCopied) {
  write_module("clock", "exec = 'run'\n");
  start();
  fs::create_directories(modules() / "recorder");
  eventually([&] { return problem("recorder") != "there is none"; });
  std::ofstream(modules() / "recorder/module.toml") << "exec = 'run'\n";
  want({{"clock", true}});
  pass(Milliseconds(500));
  pass(Milliseconds(500));
  EXPECT_FALSE(fs::exists(modules() / "recorder/config.txt"));
  std::ofstream(modules() / "recorder/config.txt") << "enabled = true\n";
  eventually([&] { return problem("recorder").empty(); });
  EXPECT_EQ(supervisor->descriptions().at("recorder").at("enabled"), Json(true));
}

TEST_F(SupervisorArrivals, AConfigTxtThatComesALittleLaterIsHowItShips) {
  start();
  write_module("recorder", "exec = 'run'\n");
  supervisor->look_for("recorder");
  pass(Seconds(1));
  EXPECT_EQ(config("recorder"), "enabled = false\n");
  turn();
  pass(Seconds(5));
  std::ofstream(modules() / "recorder/config.txt") << "enabled = true\n";
  eventually([&] { return supervisor->descriptions().at("recorder").at("enabled") == Json(true); });
  EXPECT_TRUE(device->section().pending_edits().empty());
  EXPECT_EQ(device->section().wanted("recorder"), std::nullopt) << "nobody has said so";
}

TEST_F(SupervisorArrivals, WhatSomebodyMendsIsNotWrittenOver) {
  write_module("recorder", "exec = 'run'\n", "enabled: true\n");
  start();
  pass(Seconds(1));
  EXPECT_EQ(config("recorder"), "enabled: true\n");
  std::ofstream(modules() / "recorder/config.txt") << "enabled = true\n";
  eventually([&] { return supervisor->descriptions().at("recorder").at("enabled") == Json(true); });
  EXPECT_EQ(config("recorder"), "enabled = true\n");
}

// Without it in between, its section would be without it, too.
TEST_F(SupervisorArrivals, ThatOneIsFinishedIsToldWithoutItsBeingGone) {
  start();
  establish();
  fs::create_directories(modules() / "recorder");
  eventually([&] { return problem("recorder") != "there is none"; });
  tell();
  sent_to_hub.clear();
  write_module("recorder", "exec = 'run'\n");
  eventually([&] { return problem("recorder").empty(); });
  tell();
  std::erase_if(sent_to_hub,
                [](const std::string& text) { return text.find(R"("type":"modules")") == text.npos; });
  ASSERT_EQ(sent_to_hub.size(), 1u);
  EXPECT_THAT(sent_to_hub[0], HasSubstr("recorder"));
}

TEST_F(SupervisorArrivals, ACommandTakesInWhatHasJustCome) {
  start();
  write_module("recorder", "exec = 'run'\n");
  supervisor->look_for("recorder");
  EXPECT_EQ(problem("recorder"), "");
  supervisor->look_for("nobody");
  EXPECT_EQ(problem("nobody"), "there is none");
}

TEST_F(SupervisorArrivals, OneThatAnEarlierAgentKnewBeginsNothingAnew) {
  write_module("recorder", "exec = 'run'\n", "enabled = false\n");
  start();
  want({{"recorder", true}});
  turn();
  pass(Seconds(1));
  end_agent();
  std::ofstream(modules() / "recorder/config.txt") << "enabled = true\n";  // as it may have been by then
  fs::remove(modules() / "recorder/module.toml");
  start();
  write_module("recorder", "exec = 'run'\n");
  eventually([&] { return problem("recorder").empty(); });
  want({{"recorder", false}});
  want({});
  turn();
  EXPECT_EQ(supervisor->descriptions().at("recorder").at("enabled"), Json(false)) << "it shipped so";
}

}  // namespace
}  // namespace starling::agent
