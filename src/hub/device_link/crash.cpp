#include "hub/device_link/crash.hpp"

#include <algorithm>

#include "base/utf8.hpp"
#include "hub/device_link/told_json.hpp"
#include "protocol/modules_document.hpp"

namespace starling::hub {

namespace {

constexpr std::size_t max_crash_text_bytes = 256;
constexpr std::size_t max_fingerprint_bytes = 64;
constexpr std::size_t max_kinds = 8;  // of a module, that a device tells apart

std::string kept_text(const JsonObject& object, std::string_view name) {
  return std::string(cut_utf8(text_in(object, name), max_crash_text_bytes));
}

std::int64_t number_of(const JsonObject& object, std::string_view name) {
  return JsonReader(object).optional_integer(name).value_or(std::nullopt).value_or(0);
}

std::string fingerprint_of(const JsonObject& death) {
  std::string fingerprint = kept_text(death, "fingerprint");
  return fingerprint.empty() ? kept_text(death, "class") : fingerprint;
}

// The deaths of kinds that the device has not kept are one.
constexpr std::string_view of_other_kinds = "other";
JsonObject other_death() {
  return {{"class", "unknown"},
          {"text", "of kinds that the device no longer tells apart"},
          {"confidence", "guess"}};
}

// Beside the numbers of the modules, none of which can be called so: module → fingerprint → how many.
constexpr std::string_view by_kind = "by kind";

bool knows_kinds(const JsonObject& counted, std::string_view module) {
  const JsonObject* kinds = object_in(counted, by_kind);
  return kinds != nullptr && object_in(*kinds, module) != nullptr;
}

JsonObject& object_at(JsonObject& object, std::string_view name) {
  Json& value = object[name];
  return value.is_object() ? value.get_object() : value.emplace_object();
}

JsonObject& kinds_of(JsonObject& counted, std::string_view module) {
  return object_at(object_at(counted, by_kind), module);
}

void forget_kinds(JsonObject& counted, std::string_view module) {
  if (knows_kinds(counted, module)) object_at(counted, by_kind).erase(module);
}

// What has died fewer times than were counted began anew.
std::int64_t new_ones(std::int64_t told, std::int64_t known) {
  return told < known ? told : told - known;
}

// What is new of one device.
class NewDeaths {
 public:
  NewDeaths(std::int64_t now_ms, std::vector<Crash>& crashes) : now_ms_(now_ms), crashes_(crashes) {}

  void add(std::string_view module, std::string_view fingerprint, const JsonObject& death,
           std::int64_t deaths) {
    if (deaths <= 0) return;
    Crash& crash = crash_of(module, fingerprint, death);
    crash.deaths += deaths;
    crash.last_ms = now_ms_;
    if (crash.first_ms == 0) crash.first_ms = now_ms_;
    const std::string release = kept_text(death, "release");
    const bool known_release =
        release.empty() || std::ranges::find(crash.releases, release) != crash.releases.end();
    if (!known_release && crash.releases.size() < max_crash_releases) crash.releases.push_back(release);
  }

 private:
  Crash& crash_of(std::string_view module, std::string_view fingerprint, const JsonObject& death) {
    const auto known = std::ranges::find_if(crashes_, [&](const Crash& each) {
      return each.module == module && each.fingerprint == fingerprint;
    });
    if (known != crashes_.end()) return *known;
    if (crashes_.size() >= max_crashes) {
      crashes_.erase(std::ranges::min_element(crashes_, {}, &Crash::last_ms));
    }
    Crash told;
    told.module = module;
    told.fingerprint = fingerprint;
    told.death_class = kept_text(death, "class");
    told.text = kept_text(death, "text");
    told.confidence = kept_text(death, "confidence");
    return crashes_.emplace_back(std::move(told));
  }

  std::int64_t now_ms_;
  std::vector<Crash>& crashes_;
};

// Adds of each kind what is told of it and not counted, the newest first: together `fresh` at most. How many
// of these were of no kind.
std::int64_t add_kinds(std::string_view module, const JsonObject& report, std::int64_t fresh,
                       JsonObject& counted, NewDeaths& deaths) {
  const JsonObject* newest = object_in(report, "last_death");
  const std::string newest_kind = newest == nullptr ? std::string() : fingerprint_of(*newest);
  JsonObject counted_now;
  for (const bool of_newest : {true, false}) {
    for (const auto& [fingerprint, death] : *object_in(report, "deaths_by_kind")) {
      const bool readable = death.is_object() && fingerprint.size() <= max_fingerprint_bytes;
      if (!readable || (fingerprint == newest_kind) != of_newest) continue;
      const std::int64_t told = number_of(death.get_object(), "deaths");
      if (told <= 0 || counted_now.size() == max_kinds) continue;
      const std::int64_t added = std::min(fresh, new_ones(told, number_of(counted, fingerprint)));
      deaths.add(module, fingerprint, death.get_object(), added);
      fresh -= added;
      counted_now[fingerprint] = told;
    }
  }
  counted = std::move(counted_now);
  return fresh;
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
    Crash crash{kept_text(object, "module"),   kept_text(object, "fingerprint"), kept_text(object, "class"),
                kept_text(object, "text"),     kept_text(object, "confidence"),  number_of(object, "deaths"),
                number_of(object, "first_ms"), number_of(object, "last_ms"),     {}};
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

// How many deaths of all modules are counted is told by how many each has died, of which kinds only by these:
// so none is counted twice, whatever a device has forgotten.
void count_deaths(const JsonObject& modules, std::int64_t now_ms, JsonObject& counted,
                  std::vector<Crash>& crashes) {
  NewDeaths deaths(now_ms, crashes);
  for (const auto& [name, told] : modules) {
    if (!told.is_object() || !protocol::valid_module_name(name)) continue;
    const JsonObject& report = told.get_object();
    const std::int64_t all = number_of(report, "deaths");
    const std::int64_t known = number_of(counted, name);
    const bool has_kinds = all > 0 && object_in(report, "deaths_by_kind") != nullptr;
    const bool kinds_are_news = has_kinds && !knows_kinds(counted, name);
    if (all < 0 || (all == known && !kinds_are_news)) continue;
    if (known == 0 && counted.size() > protocol::max_modules) continue;
    counted[name] = all;
    if (all < known) forget_kinds(counted, name);
    const std::int64_t fresh = new_ones(all, known);
    if (has_kinds) {
      const std::int64_t others = add_kinds(name, report, fresh, kinds_of(counted, name), deaths);
      deaths.add(name, of_other_kinds, other_death(), others);
    } else if (const JsonObject* newest = object_in(report, "last_death"); newest != nullptr) {
      deaths.add(name, fingerprint_of(*newest), *newest, fresh);
    }
  }
}

}  // namespace starling::hub
