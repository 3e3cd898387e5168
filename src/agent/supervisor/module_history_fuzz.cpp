// module_history.json with any content: what is read of it is bounded by what it was, and is written back.
// Content that is JSON is also tried with a good checksum, to get past it.
#include "agent/supervisor/module_history.hpp"

#include <cstdint>
#include <cstdlib>

#include "agent/fake_disk.hpp"
#include "agent/settings/sealed_json.hpp"
#include "base/clock.hpp"

namespace {

void read(std::string_view text) {
  using starling::agent::ModuleHistory;
  starling::agent::FakeDisk disk;
  disk.put(ModuleHistory::path, text);
  starling::ManualClock clock;
  ModuleHistory history(disk, clock, starling::Logger());
  const starling::agent::DeathCount deaths = history.deaths("recorder");
  if (deaths.all < 0 || deaths.kinds.size() > starling::agent::DeathCount::max_kinds) std::abort();
  history.quarantined("recorder", "exit status 1");
  const ModuleHistory again(disk, clock, starling::Logger());
  if (again.deaths("recorder").all != deaths.all) std::abort();
  if (again.of("recorder").quarantine != "exit status 1") std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read(text);
  auto json = starling::parse_json(text);
  if (!json || !json->is_object()) return 0;
  json->get_object().erase("checksum");
  read(starling::agent::seal(json->get_object()));
  return 0;
}
