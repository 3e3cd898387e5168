// Modules whose module.toml changes beneath them, or names what is not there.
#include "agent/supervisor/supervisor_bench_test.hpp"

namespace starling::agent {
namespace {

struct ChangedManifest : SupervisorBenchTest {
  void start_ready(OnChange on_change = OnChange::notify) {
    module("recorder", true).on_change = on_change;
    start_agent();
    up("recorder");
  }
  void spoil() {
    core->replace_manifest("recorder", fail(ErrorCode::invalid_argument, "module.toml:1: not TOML"));
  }
  void mend() { core->replace_manifest("recorder", manifests.at("recorder")); }
  void change_requirements(const std::string& name, std::vector<std::string> requirements) {
    manifests.at(name)->requirements = std::move(requirements);
    core->replace_manifest(name, manifests.at(name));
  }
  // The camera requires the driver, and that one the engine.
  void start_chain() {
    module("camera", true).requirements = {"driver"};
    module("driver", true).requirements = {"engine"};
    module("engine", true);
    start_agent();
    for (const char* name : {"engine", "driver", "camera"})
      up(name);
  }
};

TEST_F(ChangedManifest, WhatCouldNotBeStartedAgainIsNotRestarted) {
  start_ready();
  spoil();
  Result<ModuleState> answer = disabled;
  core->command("recorder", restart, [&answer](const Result<ModuleState>& settled) { answer = settled; });
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::failed_precondition);
  EXPECT_THAT(answer.error().message, HasSubstr("runs on"));
  EXPECT_THAT(answer.error().message, HasSubstr("module.toml:1: not TOML"));
  core->command("recorder", restart, {});
  EXPECT_EQ(state("recorder"), idle);
  mend();
  command("recorder", restart);
  EXPECT_EQ(state("recorder"), stopping);
  exit("recorder", 0);
  EXPECT_EQ(state("recorder"), starting);
}

TEST_F(ChangedManifest, ARestartOfOneThatDoesNotRunSaysWhyItCannot) {
  start_ready();
  spoil();
  die("recorder");
  pass_until("recorder", error);
  command("recorder", restart);
  EXPECT_THAT(answers, ElementsAre("recorder: failed_precondition"));
}

TEST_F(ChangedManifest, NewSettingsWaitUntilItCanBeStartedAgain) {
  start_ready(OnChange::restart);
  spoil();
  core->settings_changed("recorder");
  EXPECT_EQ(state("recorder"), idle);
  mend();
  EXPECT_EQ(state("recorder"), stopping);
  exit("recorder", 0);
  up("recorder");
  spoil();
  mend();
  EXPECT_EQ(state("recorder"), idle) << "it has been started with them";
}

TEST_F(ChangedManifest, IsPendingUntilTheNextStart) {
  start_ready();
  EXPECT_FALSE(status("recorder").manifest_pending);
  const int told = changes;
  ModuleManifest other = *manifests.at("recorder");
  other.args = {"--fast"};
  core->replace_manifest("recorder", other);
  EXPECT_TRUE(status("recorder").manifest_pending);
  EXPECT_GT(changes, told);
  mend();
  EXPECT_FALSE(status("recorder").manifest_pending) << "it is what it runs with";
  core->replace_manifest("recorder", other);
  command("recorder", restart);
  exit("recorder", 0);
  EXPECT_FALSE(status("recorder").manifest_pending);
}

TEST_F(ChangedManifest, IsPendingForTheNextAgentTooWhileTheProcessLives) {
  for (const bool keeps_marks : {true, false}) {
    board.keeps_marks = keeps_marks;
    start_ready();
    ModuleManifest other = *manifests.at("recorder");
    other.args = {"--fast"};
    core->replace_manifest("recorder", other);
    kill_agent();
    const ModuleManifest former = std::exchange(*manifests.at("recorder"), other);
    start_agent();
    EXPECT_EQ(status("recorder").cause, Cause::adopted);
    EXPECT_EQ(status("recorder").manifest_pending, keeps_marks);
    core->replace_manifest("recorder", former);
    EXPECT_FALSE(keeps_marks && status("recorder").manifest_pending) << "it is what it runs with";
    core->replace_manifest("recorder", other);
    command("recorder", restart);
    exit("recorder", 0);
    EXPECT_FALSE(status("recorder").manifest_pending);
    up("recorder");
    kill_agent();
    start_agent();
    EXPECT_FALSE(status("recorder").manifest_pending);
    pull_plug("next boot");
  }
}

// ---- what it requires, by which manifest

TEST_F(ChangedManifest, ANewRequirementCountsFromTheNextStart) {
  start_ready();
  core->add("bus", module("bus"), false);
  change_requirements("recorder", {"bus"});
  EXPECT_EQ(state("recorder"), idle);
  EXPECT_TRUE(status("recorder").manifest_pending);
  command("recorder", restart);
  EXPECT_EQ(state("recorder"), stopping);
  exit("recorder", 0);
  EXPECT_EQ(state("recorder"), disabled);
  EXPECT_THAT(status("recorder").waits_for, HasSubstr("'bus', which is not to run"));
  EXPECT_THAT(answers, ElementsAre("recorder: unavailable"));
  command("bus", start);
  up("bus");
  EXPECT_EQ(state("recorder"), starting);
}

TEST_F(ChangedManifest, ANewRequirementCountsForOneThatHasDied) {
  start_ready();
  core->add("bus", module("bus"), false);
  change_requirements("recorder", {"bus"});
  die("recorder");
  EXPECT_EQ(state("recorder"), disabled);
  EXPECT_EQ(status("recorder").cause, Cause::requirement);
  EXPECT_THAT(status("recorder").waits_for, HasSubstr("'bus', which is not to run"));
}

TEST_F(ChangedManifest, AFormerRequirementCountsUntilTheNextStart) {
  start_chain();
  change_requirements("camera", {});
  command("engine", stop);
  EXPECT_EQ(state("driver"), stopping);
  EXPECT_EQ(state("camera"), stopping) << "by way of the driver";
  exit("camera", 0);
  EXPECT_EQ(state("camera"), starting) << "it does not require it any more";
  up("camera");
  exit("driver", 0);
  EXPECT_EQ(state("camera"), idle);
}

TEST_F(ChangedManifest, AFormerRequirementCountsAlsoWhereTheNewestManifestIsBroken) {
  start_chain();
  core->replace_manifest("camera", fail(ErrorCode::invalid_argument, "module.toml:1: not TOML"));
  EXPECT_EQ(state("camera"), idle);
  command("driver", stop);
  EXPECT_EQ(state("camera"), stopping);
  exit("camera", 0);
  EXPECT_EQ(state("camera"), error);
}

TEST_F(ChangedManifest, ARestartIsHeldUpByTheNewestManifestAlone) {
  start_chain();
  change_requirements("camera", {});
  command("camera", restart);
  command("driver", stop);
  exit("driver", 0);
  EXPECT_EQ(state("camera"), stopping);
  exit("camera", 0);
  EXPECT_EQ(state("camera"), starting);
}

TEST_F(ChangedManifest, TheEndOfANewChainIsSaid) {
  module("camera", true);
  module("driver", true).requirements = {"engine"};
  module("engine");
  start_agent();
  up("camera");
  change_requirements("camera", {"driver"});
  command("camera", restart);
  exit("camera", 0);
  EXPECT_THAT(status("camera").waits_for,
              HasSubstr("'driver', which waits for 'engine', which is not to run"));
}

TEST_F(ChangedManifest, WhatTheAgentTakesOverIsJudgedByTheManifestThatItFindsThen) {
  start_ready();
  pass(Seconds(1));
  kill_agent();
  start_agent();
  change_requirements("recorder", {"bus"});
  EXPECT_EQ(state("recorder"), idle);
  kill_agent();
  start_agent();
  EXPECT_EQ(state("recorder"), stopping) << "what it was started with is not known any more";
}

TEST_F(ChangedManifest, GoesDownInTheOrderThatItRunsBy) {
  start_chain();
  change_requirements("camera", {});
  core->shut_down([] {});
  EXPECT_EQ(state("camera"), stopping);
  EXPECT_EQ(state("driver"), idle);
  exit("camera", 0);
  EXPECT_EQ(state("driver"), stopping);
}

TEST_F(ChangedManifest, GoesDownAlthoughTwoRequireEachOtherByManifestsOfDifferentTimes) {
  module("camera", true).requirements = {"driver"};
  module("driver", true);
  start_agent();
  up("driver");
  up("camera");
  change_requirements("camera", {});
  change_requirements("driver", {"camera"});
  command("driver", restart);
  EXPECT_EQ(state("camera"), idle);
  exit("driver", 0);
  up("driver");
  bool down = false;
  core->shut_down([&down] { down = true; });
  EXPECT_EQ(state("camera"), stopping);
  EXPECT_EQ(state("driver"), idle);
  exit("camera", 0);
  exit("driver", 0);
  EXPECT_TRUE(down);
}

// ---- a requirement that is not there

TEST_F(ChangedManifest, EnablingWithoutARequirementIsRefusedAtOnce) {
  module("camera").requirements = {"bus"};
  start_agent();
  command("camera", enable);
  EXPECT_THAT(answers, ElementsAre("camera: failed_precondition"));
  EXPECT_THAT(reverts, ElementsAre(HasSubstr("'bus', which does not exist")));
  EXPECT_FALSE(status("camera").enabled);
  EXPECT_EQ(state("camera"), disabled);
}

TEST_F(ChangedManifest, ARequirementThatComesStartsWhatWaitsForIt) {
  module("camera", true).requirements = {"bus"};
  start_agent();
  EXPECT_THAT(status("camera").waits_for, HasSubstr("'bus', which does not exist"));
  EXPECT_TRUE(status("camera").enabled) << "it was proved once";
  core->add("bus", module("bus"), true);
  up("bus");
  EXPECT_EQ(state("camera"), starting);
}

TEST_F(ChangedManifest, WhatIsMissingAtTheEndOfAChainIsSaidAtOnce) {
  module("viewer").requirements = {"camera"};
  module("camera", true).requirements = {"bus"};
  module("bus", true).requirements = {"power"};
  start_agent();
  EXPECT_THAT(status("camera").waits_for, HasSubstr("'bus', which waits for 'power', which does not exist"));
  command("viewer", enable);
  EXPECT_THAT(answers, ElementsAre("viewer: failed_precondition"));
  EXPECT_THAT(reverts, ElementsAre(HasSubstr("'camera', which waits for 'power', which does not exist")));
  core->add("power", module("power"), true);
  up("power");
  up("bus");
  EXPECT_EQ(state("camera"), starting);
}

TEST_F(ChangedManifest, SoItIsWhereTheNearerOneIsNotToRun) {
  module("camera").requirements = {"bus"};
  module("bus").requirements = {"power"};
  start_agent();
  command("camera", enable);
  EXPECT_THAT(reverts,
              ElementsAre(HasSubstr("'bus', which is not to run and requires 'power', which does not "
                                    "exist")));
  module("viewer").requirements = {"lamp"};
  core->add("viewer", manifests.at("viewer"), false);
  core->add("lamp", module("lamp"), false);
  command("viewer", enable);
  EXPECT_EQ(reverts.size(), 1u) << "somebody may yet enable the lamp";
}

TEST_F(ChangedManifest, WhatRequiresOneThatCouldNotBeEnabledSaysSoAtOnce) {
  module("camera").requirements = {"bus"};
  module("bus").requirements = {"power"};
  start_agent();
  std::vector<Commanded> both;
  both.push_back({"camera", enable, {}});
  both.push_back({"bus", enable, {}});
  core->command(std::move(both));
  EXPECT_THAT(reverts,
              UnorderedElementsAre(HasSubstr("bus: it waits for 'power', which does not exist"),
                                   HasSubstr("camera: it waits for 'bus', which could not be enabled: it "
                                             "waits for 'power', which does not exist")));
}

TEST_F(ChangedManifest, WhatRequiresOneThatIsNotTriedAgainSaysSoAtOnce) {
  module("camera").requirements = {"bus"};
  module("bus", true);
  start_agent();
  make("bus");
  exit("bus", SupervisedModule::exit_not_configured);
  command("camera", enable);
  EXPECT_THAT(reverts, ElementsAre(HasSubstr("'bus', which is crashed: exit status 78")));
  EXPECT_FALSE(status("camera").enabled);
}

TEST_F(ChangedManifest, WhatRequiresOneThatIsTriedAgainWaitsForIt) {
  module("camera").requirements = {"bus"};
  module("bus", true);
  start_agent();
  make("bus");
  die("bus");
  command("camera", enable);
  EXPECT_THAT(reverts, IsEmpty());
  pass_until("bus", starting);
  up("bus");
  EXPECT_EQ(state("camera"), starting);
}

// ---- restarts

TEST_F(ChangedManifest, OnlyStartsThatNobodyAskedForAreRestarts) {
  start_ready();
  command("recorder", restart);
  exit("recorder", 0);
  up("recorder");
  command("recorder", stop);
  exit("recorder", 0);
  command("recorder", start);
  up("recorder");
  EXPECT_EQ(status("recorder").restarts, 0);
  die("recorder");
  pass_until("recorder", starting);
  EXPECT_EQ(status("recorder").restarts, 1);
  make("recorder");
  die("recorder");
  command("recorder", start);
  EXPECT_EQ(status("recorder").restarts, 1) << "somebody did not wait for it";
  EXPECT_EQ(status("recorder").starts, 5);
}

// ---- why it is down

TEST_F(ChangedManifest, WhatIsDownSaysWhy) {
  start_ready();
  command("recorder", stop);
  EXPECT_EQ(status("recorder").cause, Cause::stopped);
  exit("recorder", 0);
  EXPECT_EQ(state("recorder"), disabled);
  EXPECT_EQ(status("recorder").cause, Cause::stopped);
}

}  // namespace
}  // namespace starling::agent
