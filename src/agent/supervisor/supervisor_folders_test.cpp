// Module folders that come, go and change while the agent runs.
#include "agent/supervisor/supervisor_folders_fixture.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

TEST_F(SupervisorFolders, AsManyAsMayBeAreRunHoweverTheyCome) {
  constexpr std::string_view manifest = "exec = 'run'\n";
  for (std::size_t i = 1; i < max_modules; ++i)
    write_module("m" + std::to_string(i), manifest);
  start();
  write_module("last", manifest);
  eventually([&] { return problem("last").empty(); });
  write_module("more", manifest, "enabled = true\n");
  eventually([&] { return problem("more") != "there is none"; });
  EXPECT_THAT(problem("more"), HasSubstr("256 modules besides"));
  EXPECT_EQ(device->section().names().size(), max_modules)
      << "the hub refuses the link of one that tells of more";
  write_module("more", "exec = 'another'\n");
  turn();
  EXPECT_THAT(problem("more"), HasSubstr("256 modules besides")) << "however it changes";
  pass(Seconds(1));
  EXPECT_EQ(config("more"), "enabled = true\n");
  fs::remove_all(modules() / "m1");
  eventually([&] { return problem("more").empty(); });
}

TEST_F(SupervisorFolders, WhatHoldsNoModuleIsLeftAsItIs) {
  write_module("recorder", "exec = 'run'\n");
  fs::create_directories(modules() / "lib");
  start();
  fs::create_directories(modules() / "coming");
  eventually([&] { return problem("coming") != "there is none"; });
  pass(Seconds(1));
  EXPECT_EQ(config("recorder"), "enabled = false\n");
  for (const char* name : {"lib", "coming"})
    EXPECT_TRUE(fs::is_empty(modules() / name)) << name;
  write_module("coming", "exec = 'run'\n");
  eventually([&] { return problem("coming").empty(); });
  pass(Seconds(1));
  EXPECT_EQ(config("coming"), "enabled = false\n");
}

TEST_F(SupervisorFolders, AFolderThatIsBeingMadeIsNoError) {
  start();
  fs::create_directories(modules() / "coming");
  eventually([&] { return problem("coming") != "there is none"; });
  EXPECT_THAT(log_text(), HasSubstr("a module has no module.toml yet"));
  write_module("coming", "exec = 'run'\n");
  eventually([&] { return problem("coming").empty(); });
  EXPECT_THAT(log_text(), Not(HasSubstr("cannot be used")));
  fs::remove(modules() / "coming/module.toml");
  eventually([&] { return !problem("coming").empty(); });
  EXPECT_THAT(log_text(), HasSubstr("a module cannot be used")) << "it was one";
}

TEST_F(SupervisorFolders, ALinkThatLeadsToNothingIsShownUntilItIsGone) {
  start();
  fs::create_directory_symlink(folder / "away", modules() / "linked");
  eventually([&] { return problem("linked") != "there is none"; });
  EXPECT_THAT(problem("linked"), HasSubstr("it is a link to"));
  fs::create_directories(folder / "away");
  std::ofstream(folder / "away/module.toml") << "exec = 'run'\n";
  fs::remove(modules() / "linked");
  fs::create_directory_symlink(folder / "away", modules() / "linked");
  eventually([&] { return problem("linked").empty(); });
  fs::remove(modules() / "linked");
  eventually([&] { return problem("linked") == "there is none"; });
}

TEST_F(SupervisorFolders, TheHubHearsAtOnceOfAConfigTxtThatCannotBeUsed) {
  root = folder / "none";  // what the board says is no news
  write_module("recorder", "exec = 'run'\n", "enabled = false\n");
  start();
  establish();
  write_module("recorder", "exec = 'run'\n", "enabled = yes\n");
  eventually([&] { return !reported("recorder", "config_problem").empty(); });
  EXPECT_THAT(reported("recorder", "config_problem"), HasSubstr("'yes', but must be true or false"));
  expect_news("come");
  write_module("recorder", "exec = 'run'\n", "enabled = false\n");
  eventually([&] { return reported("recorder", "config_problem").empty(); });
  expect_news("gone");
}

TEST_F(SupervisorFolders, WhatTakesAFilesPlaceAndIsNoneHoldsNobodyUp) {
  write_module("recorder", "exec = 'run'\n", "enabled = false\n");
  write_module("camera", "exec = 'run'\n", "enabled = false\n");
  start();
  fs::remove(modules() / "recorder/config.txt");
  fs::create_directory(modules() / "recorder/config.txt");
  fs::remove(modules() / "camera/module.toml");
  ASSERT_EQ(::mkfifo((modules() / "camera/module.toml").c_str(), 0600), 0);
  eventually([&] { return !reported("recorder", "config_problem").empty(); });
  eventually([&] { return problem("camera").find("no file") != std::string::npos; });
}

TEST_F(SupervisorFolders, AConfigTxtThatIsGoneIsWrittenAgain) {
  write_module("recorder", "exec = 'run'\n", "enabled = true\n");
  write_module("camera", "exec = 'run'\n", "enabled = false\n");
  start();
  fs::remove(modules() / "camera/config.txt");
  eventually([&] { return config("camera") == "enabled = false\n"; });
  write_module("camera", "exec = 'run'\n", "# of ours\n");
  eventually([&] { return config("camera").find("enabled = false") != std::string::npos; });
  EXPECT_THAT(config("camera"), HasSubstr("# of ours"));
  EXPECT_TRUE(device->section().pending_edits().empty()) << "nobody has said anything";
  EXPECT_EQ(supervisor->descriptions().at("camera").at("enabled"), Json(false));
}

TEST_F(SupervisorFolders, AFileThatCannotBeMadeIsPastWithTheManifestThatAskedForIt) {
  write_module("recorder",
               "exec = 'run'\nuses = ['hotword']\nrender = [{ template = 'x.in', file = 'x' }]\n");
  start();
  device->settings().offer(make_update(catalog, 1, {{"hotword.threshold", 0.7}}));
  EXPECT_THAT(reported("recorder", "render_problem"), HasSubstr("x.in"));
  write_module("recorder", "exec = 'run'\nuses = ['hotword']\n");
  eventually([&] { return reported("recorder", "render_problem").empty(); });
}

TEST_F(SupervisorFolders, TheFolderOfAllModulesMayComeLater) {
  fs::remove_all(modules());
  start();
  EXPECT_TRUE(supervisor->statuses().empty());
  write_module("recorder", "exec = 'run'\n");
  eventually([&] { return problem("recorder").empty(); });
}

TEST_F(SupervisorFolders, OneThatWasEnabledAndIsGoneIsToldUntilItIsBack) {
  write_module("clock", "exec = 'run'\n");
  write_module("recorder", "exec = 'run'\nrequires = ['bus']\n", "enabled = true\n");
  start();
  for (const char* name : {"clock", "recorder"})
    fs::rename(modules() / name, folder / name);
  eventually([this] { return supervisor->statuses().empty(); });
  const JsonObject all = supervisor->descriptions();
  EXPECT_FALSE(all.contains("clock")) << "nobody wants it";
  EXPECT_EQ(all.at("recorder").at("enabled"), Json(true));
  EXPECT_EQ(all.at("recorder").at("missing"), Json(true));
  EXPECT_THAT(std::string(all.at("recorder").at("manifest_problem").as_string()), HasSubstr("is gone"));
  fs::rename(folder / "recorder", modules() / "recorder");
  eventually([this] { return problem("recorder").empty(); });
  EXPECT_FALSE(supervisor->descriptions().at("recorder").as_object().contains("manifest_problem"));
}

TEST_F(SupervisorFolders, OneThatSomebodyHasToCareForSaysSo) {
  write_module("recorder", "exec = 'run'\nrequires = ['bus']\n", "enabled = true\n");
  start();
  EXPECT_EQ(supervisor->descriptions().at("recorder").at("held_up"), Json(true));
  write_module("bus", "exec = 'run'\n", "enabled = true\n");
  eventually([this] { return !supervisor->descriptions().at("recorder").as_object().contains("held_up"); });
}

TEST_F(SupervisorFolders, OrUntilNobodyWantsIt) {
  root = folder / "none";
  write_module("recorder", "exec = 'run'\nrequires = ['bus']\n", "enabled = true\n");
  start();
  establish();
  fs::rename(modules() / "recorder", folder / "recorder");
  eventually([this] { return supervisor->statuses().empty(); });
  EXPECT_TRUE(supervisor->descriptions().contains("recorder"));
  tell();
  want({{"recorder", false}});
  EXPECT_FALSE(supervisor->descriptions().contains("recorder"));
  expect_news("it is no problem any more");
}

TEST_F(SupervisorFolders, ItIsNotDisabledBeforeWhatLivesOfItHasEnded) {
  write_module("recorder", "exec = 'run'\n", "enabled = true\n");
  const keeper::HeldChild alive{.id = "recorder:1", .pid = 0x7000'0000, .start = 1};  // of no process
  start({alive});
  establish();
  fs::remove_all(modules() / "recorder");
  eventually([this] { return !supervisor->statuses().front().wanted; });
  want({{"recorder", false}});
  EXPECT_EQ(device->section().names(), std::vector<std::string>{"recorder"});
  EXPECT_EQ(device->section().status().phase, protocol::Phase::provisional);
  std::string answer;
  device->section().toggle("recorder", true, [&](const Result<ModuleState>& settled) {
    answer = settled ? "" : settled.error().message;
  });
  EXPECT_THAT(answer, HasSubstr("it needs a folder"));
  say(keeper::Exited{alive.id, alive.pid, {.kind = keeper::ExitKind::killed, .status = SIGTERM}});
  eventually([this] { return device->section().names().empty(); });
  EXPECT_EQ(device->section().status().phase, protocol::Phase::applied);
}

TEST_F(SupervisorFolders, WhatCouldNotBeEnabledIsTriedAgainWhenItsRequirementComes) {
  write_module("camera", "exec = 'run'\nrequires = ['bus']\n");
  start();
  want({{"camera", true}});
  const auto& quarantine = device->settings().module_quarantine();
  ASSERT_TRUE(quarantine.contains("camera"));
  EXPECT_THAT(std::string(quarantine.at("camera").as_string()), HasSubstr("'bus', which does not exist"));
  write_module("bus", "exec = 'run'\n");
  eventually([&] { return !device->settings().module_quarantine().contains("camera"); });
}

TEST_F(SupervisorFolders, WhatWasSaidWhileTheManifestWasAwayIsNoEditOfConfigTxt) {
  write_module("recorder", "exec = 'run'\n", "enabled = true\n");
  start();
  pass(Seconds(1));
  fs::remove(modules() / "recorder/module.toml");
  eventually([&] { return problem("recorder").find("is missing") != std::string::npos; });
  want({{"recorder", false}});
  want({{"recorder", true}});
  write_module("recorder", "exec = 'run'\n");
  eventually([&] { return problem("recorder").empty(); });
  for (int looks = 0; looks < 3; ++looks) {
    context.restart();
    context.run_for(Milliseconds(300));  // between two looks at the folders
    pass(Seconds(1));
  }
  EXPECT_THAT(device->section().pending_edits(), testing::IsEmpty());
  EXPECT_EQ(device->section().wanted("recorder"), true);
}

TEST_F(SupervisorFolders, SoIsWhatRequiresItByWayOfAnother) {
  write_module("ape", "exec = 'run'\nrequires = ['camera']\n");
  write_module("camera", "exec = 'run'\nrequires = ['bus']\n");
  start();
  protocol::ConfigUpdate wish;
  wish.section = protocol::Section::modules;
  wish.revision = 1;
  wish.payload =
      JsonObject{{"ape", JsonObject{{"enabled", true}}}, {"camera", JsonObject{{"enabled", true}}}};
  wish.hash = protocol::hash_of(wish.payload);
  device->section().offer(wish);
  EXPECT_EQ(device->settings().module_quarantine().size(), 2u);
  write_module("bus", "exec = 'run'\n");
  eventually([&] { return device->settings().module_quarantine().empty(); });
}

TEST_F(SupervisorFolders, AnEarlierAgentsQuarantineIsPastWhereTheModuleWasDisabledSince) {
  write_module("camera", "exec = 'run'\nrequires = ['bus']\n");
  const auto quarantine = [this] {
    return supervisor->descriptions().at("camera").as_object().contains("quarantine");
  };
  start();
  device->section().toggle("camera", true, [](const Result<ModuleState>&) {});
  EXPECT_TRUE(quarantine());
  end_agent();
  start();
  EXPECT_TRUE(quarantine());
  device->section().toggle("camera", false, [](const Result<ModuleState>&) {});
  EXPECT_FALSE(quarantine());
  end_agent();
  start();
  EXPECT_FALSE(quarantine());
}

TEST_F(SupervisorFolders, WhyAFolderIsNoModuleIsAnsweredToo) {
  write_module("Bad-Name", "exec = 'run'\n");
  start();
  for (const ModuleCommand command : {ModuleCommand::enable, ModuleCommand::disable, ModuleCommand::start}) {
    std::string answer;
    supervisor->command("Bad-Name", command,
                        [&](const Result<ModuleState>& settled) { answer = settled.error().message; });
    EXPECT_THAT(answer, HasSubstr("Bad-Name: a module's folder is named with a-z"));
  }
}

TEST_F(SupervisorFolders, WhatLooksLikeASlipIsSaid) {
  write_module("recorder", "exec = 'run'\nuses = ['hotwrd']\n");
  start();
  const auto note = [this] { return reported("recorder", "manifest_note"); };
  EXPECT_THAT(note(), HasSubstr("did you mean hotword?"));
  write_module("recorder", "exec = 'run'\nuses = ['hotword']\n");
  eventually([&] { return note().empty(); });
}

TEST_F(SupervisorFolders, WhereThoseOfAReleaseCannotBeReadTheOthersRun) {
  release_modules = folder / "no-folder";
  std::ofstream(release_modules) << "damaged";
  write_module("ear", "exec = 'run'\n");
  start();
  EXPECT_EQ(problem("ear"), "");
}

TEST_F(SupervisorFolders, ThoseOfAReleaseStandBesideOthersAndBeforeTheirNamesakes) {
  release_modules = folder / "release/modules";
  write_module("recorder", "exec = 'of-the-device'\n", "enabled = true\n");
  write_module("ear", "exec = 'run'\n");
  write_module_in(release_modules, "recorder", "readiness = 'nonsense'\n", "enabled = false\n");
  write_module_in(release_modules, "mouth", "exec = 'run'\n", "enabled = true\n");
  start();
  EXPECT_NE(problem("recorder"), "");
  EXPECT_EQ(problem("ear"), "");
  EXPECT_EQ(problem("mouth"), "");
  EXPECT_EQ(supervisor->statuses().size(), 3u);
  const auto enabled = [this](std::string_view module) {
    for (const ModuleStatus& status : supervisor->statuses())
      if (status.name == module) return status.enabled;
    return false;
  };
  EXPECT_TRUE(enabled("mouth"));
  EXPECT_FALSE(enabled("recorder"));
  write_module("mouth", "exec = 'another'\n");
  turn();
  EXPECT_EQ(supervisor->statuses().size(), 3u);
  EXPECT_EQ(problem("mouth"), "");

  // What the next release ships is no edit by hand.
  end_agent();
  release_modules = folder / "next/modules";
  write_module_in(release_modules, "mouth", "exec = 'run'\n", "enabled = false\n");
  start();
  EXPECT_FALSE(enabled("mouth"));
  EXPECT_TRUE(device->section().pending_edits().empty());
  pass(Seconds(1));
  EXPECT_EQ(read_file(release_modules / "mouth/config.txt", max_config_bytes).value_or(""),
            "enabled = false\n");
}

TEST_F(SupervisorFolders, AModuleOfAReleaseWithAUserOfItsOwnGetsToItsFolder) {
  namespace fs = std::filesystem;
  release_modules = folder / "releases/1/payload/modules";
  write_module_in(release_modules, "mouth", "exec = 'run'\n");
  write_module("ear", "exec = 'run'\nlimits.user = 'nobody'\n");
  fs::permissions(folder.path(), fs::perms(0700));
  fs::permissions(folder / "releases", fs::perms(0700));
  start();
  const auto mode = [](const fs::path& path) {
    return static_cast<unsigned>(fs::status(path).permissions());
  };
  EXPECT_EQ(mode(folder.path()), 0700u) << "nobody has to";
  end_agent();
  write_module_in(release_modules, "mouth", "exec = 'run'\nlimits.user = 'nobody'\n");
  start();
  EXPECT_EQ(mode(folder.path()), 0711u) << "and nobody may list it";
  for (const char* part : {"releases", "releases/1", "releases/1/payload", "releases/1/payload/modules",
                           "releases/1/payload/modules/mouth"})
    EXPECT_EQ(mode(folder / part) & 0111u, 0111u) << part;
  EXPECT_EQ(mode(folder / "logs"), 0700u);
}

TEST_F(SupervisorFolders, AModuleWithAUserOfItsOwnGetsToTheFilesThatItsSettingsName) {
  namespace fs = std::filesystem;
  write_module("ear", "exec = 'run'\nuses = ['hotword']\n");
  fs::permissions(folder.path(), fs::perms(0700));
  start();
  const auto mode = [](const fs::path& path) {
    return static_cast<unsigned>(fs::status(path).permissions());
  };
  EXPECT_EQ(mode(folder.path()), 0700u) << "nobody has to";
  for (const bool there : {false, true}) {
    end_agent();
    write_module("ear", "exec = 'run'\nuses = ['hotword']\nlimits.user = 'nobody'\n");
    if (there) fs::create_directory(folder / "assets");
    fs::permissions(folder.path(), fs::perms(0700));
    start();
    EXPECT_EQ(mode(folder.path()), 0711u);
  }
  EXPECT_EQ(mode(folder / "assets") & 0111u, 0111u);
  EXPECT_EQ(mode(folder / "logs"), 0700u);
}

TEST_F(SupervisorFolders, ADeathIsOfTheReleaseThatBroughtTheModule) {
  release_modules = folder / "release/modules";
  release = "v1.0.0";
  write_module("ear", "exec = 'run'\n", "enabled = true\n");
  write_module_in(release_modules, "mouth", "exec = 'run'\n", "enabled = true\n");
  std::vector<keeper::HeldChild> ended(2);
  for (std::size_t i = 0; i < ended.size(); ++i) {
    ended[i].id = i == 0 ? "ear:1" : "mouth:1";
    ended[i].pid = 500'000'000;  // beyond what the kernel gives
    ended[i].state = keeper::ChildState::exited;
    ended[i].exit = keeper::Exit{};
    ended[i].exit->status = 3;
  }
  start(ended);
  const auto death_of = [this](const char* module) {
    return supervisor->descriptions().at(module).at("last_death").as_object();
  };
  EXPECT_EQ(death_of("mouth").at("release"), Json("v1.0.0"));
  EXPECT_FALSE(death_of("ear").contains("release")) << "it is the device's own";
}

TEST_F(SupervisorFolders, AfterAReleaseTheModuleOfTheDeviceIsAsItWas) {
  const auto enabled = [this] { return supervisor->statuses().front().enabled; };
  write_module("ear", "exec = 'run'\n", "enabled = true\n");
  start();
  pass(Seconds(1));
  end_agent();
  release_modules = folder / "release/modules";
  write_module_in(release_modules, "ear", "exec = 'run'\n", "enabled = false\n");
  for (int starts = 0; starts < 2; ++starts) {
    start();
    EXPECT_FALSE(enabled());
    EXPECT_TRUE(device->section().pending_edits().empty());
    pass(Seconds(1));
    end_agent();
  }
  release_modules.clear();
  start();
  EXPECT_TRUE(enabled());
  EXPECT_TRUE(device->section().pending_edits().empty());
  pass(Seconds(1));
  EXPECT_EQ(config("ear"), "enabled = true\n");
}

}  // namespace
}  // namespace starling::agent
