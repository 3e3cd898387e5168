// A hub that is killed with SIGKILL while it stores as fast as it can loses nothing that it acknowledged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>

#include "hub/store/sqlite/sqlite_store.hpp"
#include "hub/store/store_fixture.hpp"

namespace starling::hub {
namespace {

// Sets and removes a few settings over and over, so that the entities differ from the log's last changes.
SharedChange nth_change(std::int64_t revision) {
  const std::string key = "a.k" + std::to_string(revision % 7);
  const Json after = revision % 5 == 0 ? Json(nullptr) : Json(revision);
  return make_change("home", revision, {set_setting(key, after), set_setting("a.newest", revision)});
}

// The child: keeps some batches in flight and writes each acknowledged revision into the pipe, until killed.
class EndlessWriter {
 public:
  EndlessWriter(Store& store, int acknowledged, std::int64_t head)
      : store_(store), acknowledged_(acknowledged), next_(head + 1) {}

  void start() {
    for (int i = 0; i < 16; ++i)
      write_next();
  }

 private:
  void write_next() {
    Batch batch;
    for (std::int64_t i = 0; i <= next_ % 3; ++i)
      batch.changes.push_back(nth_change(next_ + i));
    next_ += static_cast<std::int64_t>(batch.changes.size());
    store_.commit(std::move(batch), [this, last = next_ - 1](const Result<void>& outcome) {
      if (!outcome || write(acknowledged_, &last, sizeof(last)) != sizeof(last)) _exit(3);
      write_next();
    });
  }

  Store& store_;
  int acknowledged_;
  std::int64_t next_;
};

[[noreturn]] void write_until_killed(const sqlite::DataFolder& data, int acknowledged) {
  TurnExecutor executor;
  const SystemClock clock;
  auto store = SqliteStore::open(data, executor, clock, Logger());
  if (!store) _exit(1);
  const auto hub = (*store)->load();
  if (!hub) _exit(2);
  EndlessWriter writer(**store, acknowledged, hub->fleets.empty() ? 0 : hub->fleets[0].head);
  writer.start();
  executor.run_until([] { return false; });
  _exit(4);
}

// Kills a writing child once it has acknowledged `enough` batches; gives the newest acknowledged revision.
std::int64_t kill_a_writer(const sqlite::DataFolder& data, int enough) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("pipe");
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    write_until_killed(data, ends[1]);
  }
  close(ends[1]);
  std::int64_t newest = 0;
  std::int64_t revision = 0;
  for (int acknowledged = 0;; ++acknowledged) {
    if (acknowledged == enough) kill(child, SIGKILL);
    if (read(ends[0], &revision, sizeof(revision)) != sizeof(revision)) break;
    newest = revision;
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself with " << WEXITSTATUS(status);
  return newest;
}

class SqliteKillTest : public testing::Test {
 protected:
  // The state that the next hub would find.
  void check(std::int64_t acknowledged) {
    TurnExecutor executor;
    const SystemClock clock;
    auto store = SqliteStore::open(data_, executor, clock, Logger());
    ASSERT_TRUE(store.has_value()) << store.error().message;
    const auto hub = (*store)->load();
    ASSERT_TRUE(hub.has_value()) << hub.error().message;
    if (!generation_.empty()) {
      EXPECT_EQ(hub->generation, generation_);
    }
    generation_ = hub->generation;
    if (hub->fleets.empty()) {
      EXPECT_EQ(acknowledged, 0);
      return;
    }
    const std::int64_t head = hub->fleets[0].head;
    EXPECT_GE(head, acknowledged);
    const auto changes = changes_now(**store, executor, {.fleet = "home", .limit = SIZE_MAX});
    ASSERT_TRUE(changes.has_value());
    ASSERT_EQ(static_cast<std::int64_t>(changes->size()), head);
    for (std::int64_t i = 0; i < head; ++i)
      ASSERT_EQ((*changes)[static_cast<std::size_t>(i)]->revision, i + 1);
    EXPECT_EQ(entity_table(hub->fleets[0]), replay(*changes));
  }

  TemporaryFolder folder_;
  sqlite::DataFolder data_{folder_.path(), ""};
  std::string generation_;
};

TEST_F(SqliteKillTest, KeepsEveryAcknowledgedChange) {
  std::mt19937 random(20'261'120);
  std::int64_t acknowledged = 0;
  for (int round = 0; round < 25; ++round) {
    const int enough = round % 5 == 0 ? 0 : static_cast<int>(random() % 60);
    SCOPED_TRACE("round " + std::to_string(round) + ", killed after " + std::to_string(enough));
    acknowledged = std::max(acknowledged, kill_a_writer(data_, enough));
    check(acknowledged);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(acknowledged, 0);
}

}  // namespace
}  // namespace starling::hub
