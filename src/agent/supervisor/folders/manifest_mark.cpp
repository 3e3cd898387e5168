#include "agent/supervisor/folders/manifest_mark.hpp"

#include "protocol/canonical_json.hpp"

namespace starling::agent {
namespace {

JsonArray json_of(const std::vector<std::string>& texts) {
  JsonArray array;
  for (const std::string& text : texts)
    array.push_back(JsonString(text));
  return array;
}

template <typename Number>
Json json_of(const std::optional<Number>& number) {
  return number ? Json(std::to_string(*number)) : Json();
}

Json json_of(const std::optional<Account>& account) {
  if (!account) return {};
  JsonArray json{JsonString(account->name), account->uid, account->gid, JsonString(account->home)};
  for (const std::uint32_t group : account->groups)
    json.push_back(group);
  return json;
}

JsonArray json_of(const ModuleLimits& limits) {
  const auto& [memory_bytes, cpu_percent, files, nice, core_bytes] = limits;
  return {json_of(memory_bytes), json_of(cpu_percent), json_of(files), json_of(nice), json_of(core_bytes)};
}

}  // namespace

// Each field has its place. The names below have to be all that there are, or this does not compile.
std::string mark_of(const ModuleManifest& manifest) {
  const auto& [name, folder, exec, args, environment, working_folder, readiness, ready_after, start_timeout,
               stop_timeout, stop_signal, watchdog, retry, after, requirements, uses, on_change,
               change_signal, render, data, prepare_timeout, limits, account] = manifest;
  JsonArray variables, files;
  for (const auto& [variable, value] : environment)
    variables.push_back(JsonArray{JsonString(variable), JsonString(value)});
  for (const RenderedFile& file : render)
    files.push_back(JsonArray{JsonString(file.template_path), JsonString(file.path)});
  const JsonArray json{JsonString(name),
                       JsonString(folder),
                       JsonString(exec),
                       json_of(args),
                       std::move(variables),
                       JsonString(working_folder),
                       static_cast<int>(readiness),
                       ready_after.count(),
                       start_timeout.count(),
                       stop_timeout.count(),
                       stop_signal,
                       watchdog.count(),
                       static_cast<int>(retry),
                       json_of(after),
                       json_of(requirements),
                       json_of(uses),
                       static_cast<int>(on_change),
                       change_signal,
                       std::move(files),
                       json_of(data),
                       prepare_timeout.count(),
                       json_of(limits),
                       json_of(account)};
  constexpr std::size_t digits = 15;
  return protocol::hash_of(Json(json)).hex().substr(0, digits);
}

}  // namespace starling::agent
