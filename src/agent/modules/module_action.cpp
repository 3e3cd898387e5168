#include "agent/modules/module_action.hpp"

namespace starling::agent {

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

}  // namespace starling::agent
