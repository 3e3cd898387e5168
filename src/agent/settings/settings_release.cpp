// The release that the generation runs on, and the settings and modules that it brings along: they go with it
// if it does not stay.
#include <utility>

#include "agent/settings/settings_core.hpp"
#include "protocol/merge_patch.hpp"
#include "protocol/modules_document.hpp"

namespace starling::agent {

using protocol::SettingsDocument;
using protocol::TiedSections;

namespace {

Json with_patch_on(JsonObject section, const JsonObject& patch) {
  Json patched = std::move(section);
  protocol::apply_merge_patch(patched, patch);
  return patched;
}

}  // namespace

Result<void> SettingsCore::put_software(JsonObject software, std::optional<Release> release,
                                        const protocol::TiedSections& with) {
  Generation next = stored_form();
  next.software = std::move(software);
  next.release = std::move(release);
  if (with.empty()) return put(next);
  if (auto laid = lay_over(next, with); !laid) return laid;
  if (auto done = put(next); !done) return done;
  next.number = running_.number;
  if (next.settings_hash != running_.settings_hash) provisional_until_ = clock_.steady();
  running_ = std::move(next);
  state_ = resting_state();
  next_start_is_due_ = true;
  return {};
}

Result<void> SettingsCore::confirm_release() {
  if (way_back_unkept_) {  // else what does not work would be confirmed with it
    if (auto kept = put(stored_form()); !kept) return kept;
  }
  const bool all = is_tied() || !provisional_until_;
  auto confirmed = all ? store_.confirm() : store_.confirm(GenerationStore::Part::release, stored_form());
  if (!confirmed) return confirmed;
  confirmed_release_ = running_.release;
  if (std::exchange(running_.tied, false) && provisional_until_) {
    have_proved_themselves();
    state_ = resting_state();
  }
  store_.collect();
  return {};
}

Result<void> SettingsCore::revert_release(std::string why) {
  auto former = store_.revert_release(stored_form(), std::move(why));
  if (!former) return fail(former);
  if (running_.tied) {
    run_with(std::move(*former));
    provisional_until_.reset();
    unhealthy_why_.clear();
    if (at_rest()) state_ = resting_state();
    next_start_is_due_ = true;  // which knows by what is taken back whose the override file is
    return {};
  }
  running_.number = former->number;
  running_.software = std::move(former->software);
  running_.release = std::move(former->release);
  store_.collect();
  return {};
}

Result<SettingsDocument> SettingsCore::with_patch(const JsonObject& patch) const {
  if (patch.empty()) return running_.settings;
  return SettingsDocument::from_json(with_patch_on(running_.settings.to_json().get_object(), patch));
}

void SettingsCore::is_coming(TiedSections with) {
  coming_ = std::move(with);
  want_assets();
}

Result<void> SettingsCore::fits(const TiedSections& with) const {
  const auto document = with_patch(with.settings);
  if (!document) return fail(document);
  if (assets_ == nullptr && !document->assets.empty()) {
    return fail(ErrorCode::invalid_argument, "its settings name assets, and this agent fetches none");
  }
  for (const auto& [key, value] : document->settings) {
    if (catalog_.component(protocol::component_of(key)) == nullptr) continue;
    if (auto valid = catalog_.validate(key, value); !valid) return fail(valid, key);
  }
  auto modules = protocol::modules_from_json(with_patch_on(running_.modules, with.modules));
  return modules ? Result<void>() : fail(modules);
}

std::string SettingsCore::holds_up(const TiedSections& with) const {
  if (state_ != State::idle) return "settings that prove themselves";
  if (with.settings.empty()) return {};
  if (running_.cursor.hub_generation.empty()) {
    // A hub that finds here what it wants already, which may be nothing, does not offer it by itself.
    listener_.section_needed(protocol::Section::settings);
    return "settings from the hub";
  }
  const auto document = with_patch(with.settings);
  if (!document || document->assets.empty() || assets_ == nullptr) return {};
  const AssetPort::Standing standing = assets_->standing(document->assets);
  if (standing.complete) return {};
  return standing.failure.empty() ? "the files of its settings" : standing.failure;
}

// What could not be enabled is tried anew where something is said of it.
Result<void> SettingsCore::lay_over(Generation& next, const TiedSections& with) const {
  auto document = with_patch(with.settings);
  if (!document) return fail(document);
  next.tied = true;
  if (!with.settings.empty()) {
    next.settings = std::move(*document);
    next.settings_hash = next.settings.hash();
    const Values values = values_in_force(catalog_, next.settings, unexpired_edits());
    next.override_hash = sha256(override_text(catalog_, values));
    next.witnesses = listener_.witnesses(changed_keys(heard_, heard_with(values, next.settings)));
    next.taken_back.reset();
  }
  Json modules = with_patch_on(next.modules, with.modules);
  if (auto read = protocol::modules_from_json(modules); !read) return fail(read);
  next.modules = std::move(modules.get_object());
  for (const auto& member : with.modules)
    next.quarantine.erase(member.key());
  return {};
}

SettingsVerdict SettingsCore::verdict_with_release() const {
  if (!is_tied() || !provisional_until_) return {};
  if (!unhealthy_why_.empty()) return {.over = true, .failure = unhealthy_why_};
  SettingsVerdict verdict = listener_.verdict();
  verdict.over &= at_rest() && clock_.steady() >= *provisional_until_;
  return verdict;
}

}  // namespace starling::agent
