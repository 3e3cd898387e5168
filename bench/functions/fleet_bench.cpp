// A fleet of 100,000 devices: finding some by name or labels, and counting how all stand after a change.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <memory>
#include <stdexcept>

#include "base/build_folders.hpp"
#include "base/files.hpp"
#include "hub/api/standings.hpp"
#include "hub/queue_executor.hpp"
#include "hub/settings/scope.hpp"
#include "hub/state/scripted_store.hpp"

namespace starling::hub {
namespace {

constexpr int registered = 100'000;

// A hub that has started, with devices that are away and hold a document.
class LargeHub {
 public:
  LargeHub() {
    StoredFleet& fleet = store_.contents.fleets.front();
    const auto hotword = read_file(source_folder() / "components/hotword.json", 1u << 20);
    fleet.entities.push_back({EntityKind::component, "hotword", parse_json(hotword.value()).value(), 1});
    for (int n = 0; n < registered; ++n) {
      Device device;
      device.name = fmt::format("lamp {}", n);
      device.labels = {{"kind", "lamp"}, {"room", fmt::format("room-{}", n % 100)}};
      const std::string id = fmt::format("01912345-6789-7abc-8def-{:012}", n);
      fleet.entities.push_back({EntityKind::device, id, device.to_json(), 2});
      DeviceRecord record;
      record.fleet = fleet.name;
      record.device_id = id;
      record.components = "hotword";
      record.settings.running = sha256("an older document");
      fleet.records.push_back(std::move(record));
    }
    fleet.head = 2;
    if (auto loaded = hub_.load(); !loaded) throw std::runtime_error(loaded.error().message);
  }

  const FleetState& state() { return *hub_.changes().published("default"); }
  FleetStandings& standings() { return standings_.of(state()); }
  std::uint64_t resolved() { return hub_.documents().counters().resolved_documents; }

  void change_fleet() {
    hub_.changes().append(
        "default",
        [value = 0.1 + 1e-6 * ++changes_](const FleetState& head, std::int64_t) -> Result<Draft> {
          Draft draft;
          draft.edits.push_back(head.edit(EntityKind::setting, "fleet hotword.threshold", value));
          return draft;
        },
        [](const Result<SharedChange>& outcome) {
          if (!outcome) throw std::runtime_error(outcome.error().message);
        });
    executor_.run_all();
  }

 private:
  QueueExecutor executor_;
  ScriptedStore store_{executor_};
  SystemClock clock_;
  Hub hub_{store_, executor_, clock_, nullptr, Sessions::Options{}};
  DeviceDescription description_{hub_};
  Standings standings_{hub_, description_};
  int changes_ = 0;
};

LargeHub& large_hub() {
  static const auto hub = std::make_unique<LargeHub>();
  return *hub;
}

void devices_by_selector(benchmark::State& state, const char* text) {
  const auto selector = protocol::Selector::parse(text).value();
  const DeviceIndex& index = large_hub().state().device_index();
  std::size_t found = 0;
  for (auto _ : state)
    benchmark::DoNotOptimize(found = index.matching(selector).size());
  state.counters["found"] = static_cast<double>(found);
}
BENCHMARK_CAPTURE(devices_by_selector, one_room, "room=room-42")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(devices_by_selector, all_of_a_kind_but_a_room, "kind=lamp,room!=room-42")
    ->Unit(benchmark::kMicrosecond);

void device_by_name(benchmark::State& state) {
  const FleetState& fleet = large_hub().state();
  for (auto _ : state)
    benchmark::DoNotOptimize(find_device(fleet, "lamp 54321"));
}
BENCHMARK(device_by_name);

// What the first request after a change of the whole fleet costs, and what those after it do.
void standings_of_all(benchmark::State& state, bool after_change) {
  LargeHub& hub = large_hub();
  const auto resolved_before = hub.resolved();
  for (auto _ : state) {
    if (after_change) {
      state.PauseTiming();
      hub.change_fleet();
      state.ResumeTiming();
    }
    FleetStandings& standings = hub.standings();
    std::size_t offline = 0;
    for (const Place place : hub.state().device_index().all()) {
      if (standings.standing(place, {.settings = true}) == DeviceDescription::Standing::offline) ++offline;
    }
    if (offline != registered) state.SkipWithError("not every device is offline");
  }
  state.counters["resolved"] = benchmark::Counter(static_cast<double>(hub.resolved() - resolved_before),
                                                  benchmark::Counter::kAvgIterations);
}
BENCHMARK_CAPTURE(standings_of_all, after_a_change, true)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(standings_of_all, again, false)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace starling::hub
