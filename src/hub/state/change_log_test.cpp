#include "hub/state/change_log.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include "hub/queue_executor.hpp"
#include "hub/state/scripted_store.hpp"

namespace starling::hub {
namespace {

const Error disk_full{ErrorCode::unavailable, "the disk is full", {}};

class Witness final : public ChangeObserver {
 public:
  void on_change(const SharedChange& change, const FleetState& state) override {
    revisions.push_back(change->revision);
    EXPECT_EQ(state.revision(), change->revision);
  }
  std::vector<std::int64_t> revisions;
};

class ChangeLogTest : public ::testing::Test {
 protected:
  ChangeLogTest() {
    EXPECT_TRUE(log_.load(*store_.load()));
    log_.observe(witness_);
    store_.automatic = false;
  }

  // A plan that sets a group's priority to one more than what it sees: it shows which state it was planned
  // on.
  static Result<Draft> count_up(const FleetState& head) {
    const auto found = head.groups().find("counter");
    Group group;
    group.priority = found == head.groups().end() ? 1 : found->second->priority + 1;
    Draft draft;
    draft.actor = {"key:1", "test"};
    draft.action = "group.put";
    draft.edits.push_back(head.edit(EntityKind::group, "counter", group.to_json()));
    return draft;
  }
  void append_count() {
    log_.append(
        "default", [](const FleetState& head, std::int64_t) { return count_up(head); },
        [this](Result<SharedChange> outcome) { answers_.push_back(std::move(outcome)); });
  }
  void finish(Result<void> outcome) {
    store_.finish(std::move(outcome));
    executor_.run_all();
  }
  std::int64_t published_count() const {
    const auto& groups = log_.published("default")->groups();
    const auto found = groups.find("counter");
    return found == groups.end() ? 0 : found->second->priority;
  }

  QueueExecutor executor_;
  ScriptedStore store_{executor_};
  ManualClock clock_;
  ChangeLog log_{store_, executor_, clock_, Logger()};
  Witness witness_;
  std::vector<Result<SharedChange>> answers_;
};

TEST_F(ChangeLogTest, NothingIsPublishedOrAnsweredBeforeItIsDurable) {
  append_count();
  executor_.run_all();
  EXPECT_EQ(published_count(), 0);
  EXPECT_TRUE(answers_.empty());
  EXPECT_TRUE(witness_.revisions.empty());

  finish({});
  EXPECT_EQ(published_count(), 1);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ((*answers_[0])->revision, 1);
  EXPECT_EQ(witness_.revisions, std::vector<std::int64_t>{1});
}

TEST_F(ChangeLogTest, WhatArrivesDuringACommitIsPlannedOnTheHeadAndCommittedTogether) {
  append_count();
  append_count();
  append_count();
  EXPECT_EQ(store_.waiting(), 1u);
  finish({});
  EXPECT_EQ(published_count(), 1);
  EXPECT_EQ(store_.waiting(), 1u) << "the two that waited are one batch";
  finish({});
  EXPECT_EQ(published_count(), 3);
  EXPECT_EQ(witness_.revisions, (std::vector<std::int64_t>{1, 2, 3}));
}

TEST_F(ChangeLogTest, OldActionsDoNotComeBackWithARestart) {
  const std::int64_t now = clock_.wall().time_since_epoch().count();
  const std::int64_t day = 24 * 3'600'000LL;
  StoredHub stored{"g", {StoredFleet{"default", 2, {}, {}}}};
  for (const auto& [id, expired_days_ago] : {std::pair("old", 8), std::pair("young", 6)}) {
    ActionRequest action;
    action.name = "echo";
    action.expires_at_ms = now - expired_days_ago * day;
    stored.fleets[0].entities.push_back({EntityKind::action, id, action.to_json(), 1});
  }
  ChangeLog log(store_, executor_, clock_, Logger());
  ASSERT_TRUE(log.load(stored));
  EXPECT_FALSE(log.published("default")->actions().contains("old"));
  EXPECT_TRUE(log.published("default")->actions().contains("young"));
}

TEST_F(ChangeLogTest, WhatWaitsIsBounded) {
  append_count();  // is being committed
  const auto nothing = [](const FleetState&, std::int64_t) -> Result<Draft> { return Draft{}; };
  std::size_t refused = 0;
  const auto count = [&](const Result<SharedChange>& outcome) {
    if (outcome) return;
    EXPECT_EQ(outcome.error().code, ErrorCode::unavailable);
    ++refused;
  };
  for (std::size_t i = 0; i < ChangeLog::max_planned + 3; ++i)
    log_.append("default", nothing, count);
  executor_.run_all();
  EXPECT_EQ(refused, 3u);
  finish({});
  append_count();
  finish({});
  EXPECT_EQ(published_count(), 2) << "there is room again";
}

TEST_F(ChangeLogTest, AFailedBatchFailsItsCallersAndTheRestIsPlannedAnewWithoutAGap) {
  append_count();
  append_count();
  append_count();
  finish(std::unexpected(disk_full));
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].error().code, ErrorCode::unavailable);
  EXPECT_EQ(published_count(), 0);

  finish({});
  ASSERT_EQ(answers_.size(), 3u);
  EXPECT_EQ((*answers_[1])->revision, 1);
  EXPECT_EQ((*answers_[2])->revision, 2);
  EXPECT_EQ(published_count(), 2) << "the failed change left no trace in the head";
  EXPECT_EQ(witness_.revisions, (std::vector<std::int64_t>{1, 2}));
}

TEST_F(ChangeLogTest, ARefusedPlanAndAPlanWithoutEditsWriteNoRow) {
  const auto keep = [this](Result<SharedChange> outcome) { answers_.push_back(std::move(outcome)); };
  log_.append(
      "default",
      [](const FleetState&, std::int64_t) -> Result<Draft> {
        return fail(ErrorCode::conflict, "lost a race");
      },
      keep);
  log_.append(
      "nowhere", [](const FleetState&, std::int64_t) -> Result<Draft> { return Draft{}; }, keep);
  log_.append(
      "default", [](const FleetState&, std::int64_t) -> Result<Draft> { return Draft{}; }, keep);
  executor_.run_all();
  ASSERT_EQ(answers_.size(), 3u);
  EXPECT_EQ(answers_[0].error().code, ErrorCode::conflict);
  EXPECT_EQ(answers_[1].error().code, ErrorCode::not_found);
  ASSERT_TRUE(answers_[2].has_value());
  EXPECT_EQ(*answers_[2], nullptr);
  EXPECT_EQ(log_.published("default")->revision(), 0);
  EXPECT_EQ(store_.waiting(), 0u);
}

TEST_F(ChangeLogTest, APlanWithoutEditsWaitsForTheHeadThatItSaw) {
  append_count();
  log_.append(
      "default", [](const FleetState&, std::int64_t) -> Result<Draft> { return Draft{}; },
      [this](Result<SharedChange> outcome) { answers_.push_back(std::move(outcome)); });
  executor_.run_all();
  EXPECT_TRUE(answers_.empty()) << "it may have been answered from state that never becomes durable";
  finish({});
  EXPECT_EQ(answers_.size(), 2u);
}

TEST_F(ChangeLogTest, AnUnreadableBodyFailsItsCallerAndLeavesTheHeadUsable) {
  log_.append(
      "default",
      [](const FleetState& head, std::int64_t) -> Result<Draft> {
        Draft draft;
        draft.edits.push_back(head.edit(EntityKind::group, "broken", Json("not a group")));
        return draft;
      },
      [this](Result<SharedChange> outcome) { answers_.push_back(std::move(outcome)); });
  executor_.run_all();
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].error().code, ErrorCode::internal);
  append_count();
  finish({});
  EXPECT_EQ(published_count(), 1);
}

Json component_file(const std::string& name) {
  return JsonObject{
      {"x-component", name},
      {"type", "object"},
      {"properties",
       JsonObject{{"level", JsonObject{{"type", "integer"}, {"default", 1}, {"x-alias", "LEVEL"}}}}}};
}

TEST_F(ChangeLogTest, AComponentWithAnAliasOfAnotherOneIsRefusedAndTheHeadGoesOn) {
  const auto put = [this](const std::string& name) {
    log_.append(
        "default",
        [name](const FleetState& head, std::int64_t) -> Result<Draft> {
          Draft draft;
          draft.edits.push_back(head.edit(EntityKind::component, name, component_file(name)));
          return draft;
        },
        [this](Result<SharedChange> outcome) { answers_.push_back(std::move(outcome)); });
  };
  put("lamp");
  append_count();
  put("horn");
  append_count();
  executor_.run_all();
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].error().code, ErrorCode::already_exists);
  EXPECT_NE(answers_[0].error().message.find("lamp.level"), std::string::npos);
  finish({});
  finish({});
  EXPECT_EQ(witness_.revisions, (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(published_count(), 2);
  EXPECT_EQ(log_.published("default")->catalog().find("LEVEL")->key, "lamp.level");
}

TEST_F(ChangeLogTest, ALogWithTwoOwnersOfAnAliasIsLoadedWithTheFirstAndSaysSo) {
  store_.contents.fleets[0].head = 2;
  store_.contents.fleets[0].entities = {{EntityKind::component, "horn", component_file("horn"), 2},
                                        {EntityKind::component, "lamp", component_file("lamp"), 1}};
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  Log lines(clock_, ends[1], LogFormat::json);
  ChangeLog log(store_, executor_, clock_, Logger(lines, "changes"));
  const auto loaded = log.load(*store_.load());
  ::close(ends[1]);
  std::string said(4096, '\0');
  said.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::read(ends[0], said.data(), said.size()))));
  ::close(ends[0]);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(log.published("default")->catalog().find("LEVEL")->key, "lamp.level");
  EXPECT_EQ(log.published("default")->catalog().component("horn"), nullptr);
  for (const char* named : {"\"error\"", "horn.level", "LEVEL", "lamp.level"})
    EXPECT_NE(said.find(named), std::string::npos) << said;
}

}  // namespace
}  // namespace starling::hub
