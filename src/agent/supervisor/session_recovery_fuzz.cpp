// running_modules.json with any content: a plan for every module comes of it. Content that is JSON is also
// tried with a good checksum, to get past it.
#include "agent/supervisor/session_recovery.hpp"

#include <cstdint>
#include <cstdlib>

#include "agent/fake_disk.hpp"
#include "agent/settings/sealed_json.hpp"

namespace {

void plan_from(std::string_view text) {
  using starling::agent::SessionRecovery;
  starling::agent::FakeDisk disk;
  disk.put(SessionRecovery::path, text);
  SessionRecovery recovery(disk, "boot", starling::Logger());
  const auto plan = recovery.plan({{"recorder", true}, {"camera", false}}, {"recorder"});
  if (plan.modules.size() != 2) std::abort();
  const bool told = !recovery.problem().empty();
  if (told && plan.modules.at("camera").wanted) std::abort();  // else what is enabled is started
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  plan_from(text);
  auto json = starling::parse_json(text);
  if (!json || !json->is_object()) return 0;
  json->get_object().erase("checksum");
  plan_from(starling::agent::seal(json->get_object()));
  return 0;
}
