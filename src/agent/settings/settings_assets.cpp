// Files that documents name: a document waits for its own, beside what goes on, and modules hear of paths.
#include "agent/assets/asset_path.hpp"
#include "agent/settings/settings_core.hpp"

namespace starling::agent {

using protocol::Assets;
using protocol::Phase;

// What runs, what it would go back to, what a restart would run where the way back is not on disk, and what
// may come.
void SettingsCore::want_assets() {
  if (assets_ == nullptr) return;
  const auto confirmed = store_.peek("confirmed");
  const auto current = way_back_unkept_ ? store_.peek("current") : Result<std::optional<Generation>>();
  if (!confirmed || !current) return;  // it cannot be read at the moment: nothing is given up
  std::vector<const Assets*> all{&running_.settings.assets};
  for (const auto* kept : {&*confirmed, &*current}) {
    if (*kept) all.push_back(&(**kept).settings.assets);
  }
  if (candidate_ && candidate_->kind == Kind::document)
    all.push_back(&candidate_->generation.settings.assets);
  if (waiting_offer_) all.push_back(&waiting_offer_->generation.settings.assets);
  const auto with_release = with_patch(coming_.settings);
  if (with_release) all.push_back(&with_release->assets);
  assets_->want(all, link_policy());
}

// Of what waits, if something does: it may allow what it waits for, or forbid it.
DownloadPolicy SettingsCore::link_policy() const {
  if (!waiting_offer_) return download_policy(values_);
  return download_policy(values_in_force(catalog_, waiting_offer_->generation.settings, unexpired_edits()));
}

bool SettingsCore::offer_is_staged() const {
  if (!waiting_offer_ || listener_.modules_come_by()) return false;
  const Assets& needed = waiting_offer_->generation.settings.assets;
  return needed.empty() || assets_->standing(needed).complete;
}

void SettingsCore::assets_changed() {
  if (!waiting_offer_) return;
  if (!offer_is_staged()) return say_what_offer_waits_for();
  if (state_ == State::preparing && candidate_->kind == Kind::document) return step(Event::replaced);
  begin_waiting();
}

void SettingsCore::say_what_offer_waits_for() {
  const Generation& offered = waiting_offer_->generation;
  std::vector<protocol::KeyError> errors;
  const Assets& needed = offered.settings.assets;
  std::string failure = needed.empty() ? "" : assets_->standing(needed).failure;
  if (!failure.empty()) errors.push_back({"", std::move(failure)});
  send_status(offered.settings_hash, Phase::staging, std::move(errors));
}

Values SettingsCore::heard_with(const Values& values, const protocol::SettingsDocument& document) const {
  Values heard = values;
  if (document.assets.empty()) return heard;
  const auto path_of = [&](std::string_view name) -> Json {
    const auto file = document.assets.find(name);
    if (file == document.assets.end()) return JsonString(name);
    return JsonString(options_.state_folder + "/" + asset_path(name, file->second));
  };
  for (auto& [key, value] : heard) {
    const protocol::SettingSchema* schema = catalog_.find(key);
    if (schema == nullptr || !schema->names_files) continue;
    if (value.is_string()) value = path_of(value.get_string());
    if (!value.is_array()) continue;
    for (Json& each : value.get_array()) {
      if (each.is_string()) each = path_of(each.get_string());
    }
  }
  JsonObject listed;
  if (const Json* names = document.persona.if_contains(protocol::persona_assets_field)) {
    protocol::for_each_file(*names, [&](std::string_view name) { listed[name] = path_of(name); });
  }
  if (!listed.empty()) heard.insert_or_assign(std::string(persona_assets_key), std::move(listed));
  return heard;
}

}  // namespace starling::agent
