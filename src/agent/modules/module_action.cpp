#include "agent/modules/module_action.hpp"

#include <memory>

#include "protocol/excerpt.hpp"

namespace starling::agent {
namespace {

constexpr std::size_t max_why_bytes = 200;  // of each module, as there may be many

}  // namespace

void ModuleActionRunner::run(const protocol::Action& action, Done done) {
  const JsonReader reader(action.parameters);
  const auto module = reader.string("module", 256);
  if (!module) return done(fail(module));
  auto word = reader.string("action", 256);
  if (!word) return done(fail(word));
  const auto parameters = reader.optional_object("parameters");
  if (!parameters) return done(fail(parameters));
  modules_.act(*module, std::move(*word), *parameters == nullptr ? JsonObject() : **parameters,
               std::move(done));
}

void IdentifyRunner::run(const protocol::Action&, Done done) {
  log_.info("identify: this is the device that somebody is looking for", {{"device", device_id_}});
  struct Asked {
    std::size_t waiting = 1;  // for the end of asking, too
    JsonArray shown;
    JsonObject failed;
  };
  const auto asked = std::make_shared<Asked>();
  const auto answered = [asked, id = device_id_, done = std::move(done)] {
    if (--asked->waiting > 0) return;
    JsonObject result{{"device_id", id}, {"modules", std::move(asked->shown)}};
    if (!asked->failed.empty()) result["failed"] = std::move(asked->failed);
    done(std::move(result));
  };
  for (const auto& [module, said] : modules_.report()) {
    ++asked->waiting;
    modules_.act(module, "identify", {},
                 [asked, answered, name = JsonString(module)](const Result<JsonObject>& result) {
                   if (result) {
                     asked->shown.push_back(name);
                   } else {
                     asked->failed[name] = protocol::excerpt(result.error().message, max_why_bytes);
                   }
                   answered();
                 });
  }
  answered();
}

}  // namespace starling::agent
