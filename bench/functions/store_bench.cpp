// The store by itself: durable changes a second by waiting callers, the hub's start with many devices,
// history.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <stdexcept>

#include "hub/hub.hpp"
#include "hub/store/sqlite/sqlite_store.hpp"
#include "hub/store/store_fixture.hpp"

namespace starling::hub {
namespace {

class StoreOnDisk {
 public:
  StoreOnDisk() {
    auto opened = SqliteStore::open({folder_.path(), ""}, executor_, clock_, Logger());
    if (!opened) throw std::runtime_error(opened.error().message);
    store_ = std::move(*opened);
  }
  SqliteStore& store() { return *store_; }
  TurnExecutor& executor() { return executor_; }

 private:
  TemporaryFolder folder_;
  TurnExecutor executor_;
  SystemClock clock_;
  std::unique_ptr<SqliteStore> store_;
};

// Callers that each wait for their change to be durable before they ask for the next.
class WaitingCallers {
 public:
  explicit WaitingCallers(StoreOnDisk& disk) : disk_(disk) {}

  void start(std::int64_t callers) {
    for (std::int64_t i = 0; i < callers; ++i)
      ask();
  }
  void wait_for(std::int64_t more) {
    const std::int64_t goal = stored_ + more;
    disk_.executor().run_until([&] { return stored_ >= goal; });
  }
  void finish() {
    asking_ = false;
    disk_.executor().run_until([&] { return stored_ == asked_; });
  }

 private:
  void ask() {
    const std::int64_t revision = ++asked_;
    Edit edit = set_setting(fmt::format("hotword.k{}", revision % 50), 0.5);
    edit.before = 0.25;
    Batch batch = batch_of({make_change("default", revision, {std::move(edit)})});
    disk_.store().commit(std::move(batch), [this](const Result<void>& outcome) {
      if (!outcome) throw std::runtime_error(outcome.error().message);
      ++stored_;
      if (asking_) ask();
    });
  }

  StoreOnDisk& disk_;
  std::int64_t asked_ = 0;
  std::int64_t stored_ = 0;
  bool asking_ = true;
};

void durable_changes(benchmark::State& state) {
  StoreOnDisk disk;
  WaitingCallers callers(disk);
  callers.start(state.range(0));
  callers.wait_for(state.range(0));
  for (auto _ : state)
    callers.wait_for(state.range(0));
  callers.finish();
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(durable_changes)
    ->Arg(1)
    ->Arg(64)
    ->Arg(256)
    ->MeasureProcessCPUTime()
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

std::string device_id(int number) {
  return fmt::format("01912345-6789-7abc-8def-{:012}", number);
}

void register_devices(StoreOnDisk& disk, int count) {
  constexpr int together = 500;
  for (int first = 0; first < count; first += together) {
    Batch batch;
    for (int n = first; n < first + together; ++n) {
      const JsonObject body{{"name", fmt::format("lamp {}", n)},
                            {"timezone", "Europe/Berlin"},
                            {"device_type", "raspberrypi-zero2"},
                            {"labels", JsonObject{{"room", "nursery"}, {"kind", "lamp"}}},
                            {"public_key", "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"},
                            {"serial", fmt::format("10000000{:08x}", n)},
                            {"registered_at_ms", 1'700'000'000'000}};
      batch.changes.push_back(
          make_change("default", n + 1, {{EntityKind::device, device_id(n), nullptr, body}}));
      DeviceRecord record;
      record.fleet = "default";
      record.device_id = device_id(n);
      record.token_hash = sha256(record.device_id);
      record.settings.target = record.settings.running = sha256("document");
      record.version = "0.1.0";
      record.components = "acknowledgement,audio,hotword,logger";
      record.facts = R"({"capabilities":{"memory_mb":512,"assets_mb":256,"arch":"arm64"},)"
                     R"("metadata":{"os":"Raspberry Pi OS 12","model":"Raspberry Pi Zero 2 W Rev 1.0"}})";
      batch.records.push_back(std::move(record));
    }
    if (!commit_now(disk.store(), disk.executor(), std::move(batch))) throw std::runtime_error("commit");
  }
}

// The store alone, then all that a hub does before it serves.
void start_with_registered_devices(benchmark::State& state) {
  StoreOnDisk disk;
  register_devices(disk, static_cast<int>(state.range(1)));
  const SystemClock clock;
  for (auto _ : state) {
    if (state.range(0) == 0) {
      auto stored = disk.store().load();
      if (!stored) state.SkipWithError(stored.error().message.c_str());
      benchmark::DoNotOptimize(stored);
      continue;
    }
    Hub hub(disk.store(), disk.executor(), clock, nullptr, {});
    if (auto loaded = hub.load(); !loaded) state.SkipWithError(loaded.error().message.c_str());
    const FleetState* fleet = hub.changes().published("default");
    if (fleet == nullptr || fleet->devices().size() != static_cast<std::size_t>(state.range(1)))
      state.SkipWithError("not every device came back");
    hub.stop();
  }
}
BENCHMARK(start_with_registered_devices)
    ->ArgNames({"whole_hub", "devices"})
    ->Args({0, 100'000})
    ->Args({1, 100'000})
    ->MeasureProcessCPUTime()
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void read_history(benchmark::State& state) {
  StoreOnDisk disk;
  WaitingCallers callers(disk);
  callers.start(200);
  callers.wait_for(20'000);
  callers.finish();
  ChangeQuery query{.fleet = "default", .limit = 100, .newest_first = true};
  if (state.range(0) == 1) {
    query.kind = EntityKind::setting;
    query.id_prefix = "fleet hotword.k7";
  }
  for (auto _ : state)
    benchmark::DoNotOptimize(changes_now(disk.store(), disk.executor(), query));
  state.SetItemsProcessed(state.iterations() * 100);
}
BENCHMARK(read_history)
    ->ArgName("of_one_entity")
    ->Arg(0)
    ->Arg(1)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace starling::hub
