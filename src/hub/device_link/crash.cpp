#include "hub/device_link/crash.hpp"

#include <algorithm>

#include "base/utf8.hpp"
#include "protocol/modules_document.hpp"

namespace starling::hub {

namespace {

constexpr std::size_t max_text_bytes = 256;

std::string text_of(const JsonObject& object, std::string_view name) {
  const Json* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return {};
  return std::string(cut_utf8(value->get_string(), max_text_bytes));
}

std::int64_t number_of(const JsonObject& object, std::string_view name) {
  return JsonReader(object).optional_integer(name).value_or(std::nullopt).value_or(0);
}

Crash& crash_of(const std::string& module, const JsonObject& death, std::vector<Crash>& crashes) {
  Crash told;
  told.module = module;
  told.death_class = text_of(death, "class");
  told.text = text_of(death, "text");
  told.confidence = text_of(death, "confidence");
  told.fingerprint = text_of(death, "fingerprint");
  if (told.fingerprint.empty()) told.fingerprint = told.death_class;
  const auto known = std::ranges::find_if(crashes, [&](const Crash& each) {
    return each.module == told.module && each.fingerprint == told.fingerprint;
  });
  if (known != crashes.end()) return *known;
  if (crashes.size() >= max_crashes) crashes.erase(std::ranges::min_element(crashes, {}, &Crash::last_ms));
  return crashes.emplace_back(std::move(told));
}

}  // namespace

JsonArray to_json(const std::vector<Crash>& crashes) {
  JsonArray list;
  for (const Crash& crash : crashes) {
    JsonArray releases;
    for (const std::string& release : crash.releases)
      releases.emplace_back(release);
    list.push_back(JsonObject{{"module", crash.module},
                              {"fingerprint", crash.fingerprint},
                              {"class", crash.death_class},
                              {"text", crash.text},
                              {"confidence", crash.confidence},
                              {"deaths", crash.deaths},
                              {"first_ms", crash.first_ms},
                              {"last_ms", crash.last_ms},
                              {"brought_by", std::move(releases)}});
  }
  return list;
}

std::vector<Crash> crashes_from_json(const Json* stored) {
  std::vector<Crash> crashes;
  if (stored == nullptr || !stored->is_array()) return crashes;
  for (const Json& each : stored->get_array()) {
    if (!each.is_object()) continue;
    const JsonObject& object = each.get_object();
    Crash crash{text_of(object, "module"),     text_of(object, "fingerprint"), text_of(object, "class"),
                text_of(object, "text"),       text_of(object, "confidence"),  number_of(object, "deaths"),
                number_of(object, "first_ms"), number_of(object, "last_ms"),   {}};
    const Json* releases = object.if_contains("brought_by");
    if (releases != nullptr && releases->is_array()) {
      for (const Json& release : releases->get_array()) {
        if (release.is_string()) crash.releases.emplace_back(release.get_string());
      }
    }
    crashes.push_back(std::move(crash));
  }
  return crashes;
}

void count_deaths(const JsonObject& modules, std::int64_t now_ms, JsonObject& counted,
                  std::vector<Crash>& crashes) {
  for (const auto& [name, report] : modules) {
    if (!report.is_object() || !protocol::valid_module_name(name)) continue;
    const std::int64_t told = number_of(report.get_object(), "deaths");
    const std::int64_t known = number_of(counted, name);
    if (told == known || told < 0) continue;
    if (known == 0 && counted.size() >= protocol::max_modules) continue;
    counted[name] = told;
    const std::int64_t fresh = told > known ? told - known : told;
    const Json* death = report.get_object().if_contains("last_death");
    if (fresh == 0 || death == nullptr || !death->is_object()) continue;
    Crash& crash = crash_of(std::string(name), death->get_object(), crashes);
    crash.deaths += fresh;
    crash.last_ms = now_ms;
    if (crash.first_ms == 0) crash.first_ms = now_ms;
    const std::string release = text_of(death->get_object(), "release");
    const bool known_release =
        release.empty() || std::ranges::find(crash.releases, release) != crash.releases.end();
    if (!known_release && crash.releases.size() < max_crash_releases) crash.releases.push_back(release);
  }
}

}  // namespace starling::hub
