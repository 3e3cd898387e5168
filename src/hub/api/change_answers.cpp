#include "hub/api/change_answers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "hub/device_link/reported_module.hpp"
#include "hub/settings/explain.hpp"
#include "hub/settings/wanted_modules.hpp"

namespace starling::hub {

namespace {

constexpr std::size_t read_in_one_turn = 32;
constexpr std::size_t max_waits_told = 100;

DeviceFacts parsed_facts(const DeviceRecord* record) {
  return DeviceFacts::parse(record == nullptr ? std::string_view() : record->facts).value_or(DeviceFacts{});
}

}  // namespace

std::vector<std::string_view> ChangeAnswers::states() {
  std::vector<std::string_view> states;
  for (const Standing standing : {Standing::applied, Standing::pending, Standing::refused, Standing::offline,
                                  Standing::cannot_answer}) {
    states.push_back(to_string(standing));
  }
  states.insert(states.end(), {lacks_component, lacks_module, Overruled::masked, Overruled::overtaken});
  return states;
}

ChangeAnswers::ChangeAnswers(Hub& hub, const FleetState& state, FleetStandings& standings,
                             const Change& change)
    : hub_(hub),
      state_(state),
      standings_(standings),
      revision_(change.revision),
      written_(change),
      set_(state, change),
      sections_(sections_of(change, state)) {}

std::optional<ChangeAnswers::Answer> ChangeAnswers::of(Place place) {
  const auto standing = standings_.standing(place, sections_);
  if (!standing) return std::nullopt;
  const Device& device = *state_.device_index().at(place);
  const DeviceRecord* record = hub_.records().find(device.id);
  if (set_.is_contested(place)) ++read_;
  const auto overruled = set_.overruled_on(state_, place);
  const bool moot = overruled && overruled->wholly;  // whatever the device says is of something else
  const bool by_module =
      *standing == Standing::pending && sections_.modules && standings_.modules_are_tried(place);
  const bool may_lack_folders = !written_.enabled_modules().empty() && hub_.records().has_problems(device.id);
  const bool lacks_folders = *standing == Standing::applied && may_lack_folders;
  const bool may_have_refused = sections_.settings && hub_.records().has_problems(device.id);
  const bool reads =
      !moot && (by_module || lacks_folders || may_have_refused || *standing == Standing::refused);
  Judgement judged = reads ? judge(place, record) : Judgement{*standing};
  const bool nothing_to_send = moot || judged.standing == Standing::applied;
  if (standings_.is_offline(place) && !(may_lack_folders && judged.standing == Standing::offline))
    judged.standing = known_of_absent(judged.standing, record);
  const bool settled = moot || judged.standing == Standing::applied;
  if (const auto lacks = settled || nothing_to_send ? written_.lacked_by(record) : std::nullopt)
    return Answer{*lacks};
  if (settled && overruled) {
    return Answer{overruled->how, {{"key", overruled->key}, {"layer", overruled->layer.text()}}};
  }
  Answer answer{to_string(judged.standing)};
  if (judged.standing == Standing::refused) answer.more["errors"] = shown_errors(judged.errors);
  const bool waits = judged.standing == Standing::pending && !written_.enabled_modules().empty() &&
                     waits_told_ < max_waits_told;
  if (!waits) return answer;
  ++waits_told_;
  if (const std::string waits_for = waits_of(record); !waits_for.empty())
    answer.more["waits_for"] = waits_for;
  return answer;
}

bool ChangeAnswers::turn_is_over() {
  const bool over = read_ >= read_in_one_turn;
  if (over) read_ = 0;
  return over;
}

// That its document was as desired before the change says nothing: it must have got this revision, or a later
// one, before it went. It may do so in one section where another has not altered.
ChangeAnswers::Standing ChangeAnswers::known_of_absent(Standing standing, const DeviceRecord* record) const {
  bool in_one = false;
  bool in_all = record != nullptr;
  const auto look = [&](bool touched, protocol::Section name) {
    if (!touched || record == nullptr) return;
    const SectionRecord& told = record->section(name);
    const bool has_got_it = told.running_revision >= revision_;
    const bool in_force =
        name == protocol::Section::settings || (told.phase != protocol::Phase::provisional && !told.refused);
    in_one = in_one || has_got_it;
    in_all = in_all && has_got_it && in_force;
  };
  look(sections_.settings, protocol::Section::settings);
  look(sections_.modules, protocol::Section::modules);
  look(sections_.software, protocol::Section::software);
  if (standing == Standing::applied) return in_one ? Standing::applied : Standing::offline;
  return standing == Standing::offline && in_all ? Standing::applied : standing;
}

// Of a device that has refused something in these sections, tries it, or may lack what it would start.
ChangeAnswers::Judgement ChangeAnswers::judge(Place place, const DeviceRecord* record) {
  ++read_;
  const DeviceFacts facts = parsed_facts(record);
  Judgement judged;
  const auto add = [&](Judgement of) {
    judged.standing = slower(judged.standing, of.standing);
    if (of.standing != Standing::refused) return;
    judged.errors.insert(judged.errors.end(), of.errors.begin(), of.errors.end());
  };
  const auto whole = [&](Sections of, const std::vector<protocol::KeyError>& errors) {
    add({standings_.standing(place, of).value_or(Standing::applied), errors});
  };
  if (sections_.settings) add(judge_settings(place, record, facts));
  if (sections_.software) whole({.software = true}, facts.software_errors);
  if (sections_.modules) add(judge_modules(place, record, facts));
  return judged;
}

// Settings are in force all or none, but for those that the device has refused.
ChangeAnswers::Judgement ChangeAnswers::judge_settings(Place place, const DeviceRecord* record,
                                                       const DeviceFacts& facts) {
  Judgement judged{standings_.standing(place, {.settings = true}).value_or(Standing::applied), facts.errors};
  if (facts.quarantine.empty()) return judged;
  const SharedSection wanted =
      hub_.documents()
          .desired(state_, *state_.device_index().at(place), declared_by(state_, record))
          .settings;
  Judgement own{Standing::refused};
  for (const std::string& key : wanted->quarantined) {
    const QuarantinedSetting* kept = find(facts.quarantine, key);
    if (kept != nullptr && has_brought(*kept)) own.errors.push_back({key, kept->why});
  }
  if (!own.errors.empty()) return own;
  const bool runs_the_rest = record->settings.running == wanted->hash;
  return judged.standing == Standing::refused && runs_the_rest ? Judgement{Standing::applied} : judged;
}

// What is in force by another change since this one took something away, or moved the device.
bool ChangeAnswers::has_brought(const QuarantinedSetting& kept) const {
  if (kept.revision == revision_) return true;
  const bool in_between = kept.ran < revision_ && revision_ <= kept.offered;
  return in_between && (set_.takes_away(kept.key) || !set_.sets_only());
}

// While a device tries a section, that some other module of it is waited for is no matter of this change;
// nor, where one is refused, is what an older change has.
ChangeAnswers::Judgement ChangeAnswers::judge_modules(Place place, const DeviceRecord* record,
                                                      const DeviceFacts& facts) {
  Judgement judged{standings_.standing(place, {.modules = true}).value_or(Standing::applied)};
  const bool tried = standings_.modules_are_tried(place);
  if (tried) judged.standing = Standing::pending;
  Judgement own{Standing::applied, without_folder(facts)};
  if (!tried && judged.standing != Standing::refused && own.errors.empty()) return judged;
  for (const protocol::KeyError& error : facts.module_errors)
    if (written_.concerned_by(error)) own.errors.push_back(error);
  if (!own.errors.empty() || (!tried && facts.module_errors.empty())) own.standing = Standing::refused;
  return tried && own.errors.empty() && is_under_way(record, facts) ? judged : own;
}

// Of those that are to be enabled, what keeps each from ever being started there.
std::vector<protocol::KeyError> ChangeAnswers::without_folder(const DeviceFacts& facts) const {
  std::vector<protocol::KeyError> errors;
  for (const std::string& name : written_.enabled_modules()) {
    const JsonObject* module = reported_module(facts, name);
    if (module == nullptr || !says(*module, "missing", true)) continue;
    errors.push_back({protocol::enabled_key(name), std::string(text_in(*module, "manifest_problem"))});
  }
  return errors;
}

// Whether one of the written modules that it has is not yet as the change says, by what it has reported.
bool ChangeAnswers::is_under_way(const DeviceRecord* record, const DeviceFacts& facts) const {
  if (!written_.tells_all()) return true;
  for (const std::string_view name :
       split_names(record == nullptr ? std::string_view() : record->module_names)) {
    if (!written_.modules().contains(name)) continue;
    const JsonObject* module = reported_module(facts, name);
    if (module == nullptr || !is_settled(*module)) return true;
    if (written_.enabled_modules().contains(name) && !says(*module, "enabled", true)) return true;
  }
  return false;
}

// What keeps the modules that are to be enabled, as the device has told; empty: nothing that it knows of.
std::string ChangeAnswers::waits_of(const DeviceRecord* record) const {
  const DeviceFacts facts = parsed_facts(record);
  std::string waits;
  for (const std::string& name : written_.enabled_modules()) {
    const JsonObject* module = reported_module(facts, name);
    const Json* why = module == nullptr ? nullptr : module->if_contains("waits_for");
    if (why == nullptr || !why->is_string()) continue;
    waits += fmt::format("{}{} {}", waits.empty() ? "" : "; ", name, std::string_view(why->get_string()));
  }
  return waits;
}

}  // namespace starling::hub
