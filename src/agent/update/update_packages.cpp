// The Debian packages of a release: there before it is switched to, and taken back with it.
#include <fmt/format.h>

#include "agent/update/update_core.hpp"

namespace starling::agent {

using protocol::PackageAction;
using protocol::PackageAnswer;
using protocol::PackageOutcome;

namespace {

std::vector<std::string> packages_of(const ReleaseTarget& target) {
  std::vector<std::string> packages;
  const auto named = JsonReader(target.custom).optional_array("packages");
  if (!named || *named == nullptr) return packages;
  for (const Json& one : **named)
    packages.emplace_back(one.is_string() ? std::string_view(one.get_string()) : std::string_view());
  return packages;
}

}  // namespace

// What runs has them.
bool UpdateCore::needs_packages() const {
  return settings_.release() != record_.target->release && !packages_of(*record_.target).empty();
}

std::optional<UpdateCore::Event> UpdateCore::ask(PackageAction action) {
  protocol::PackageRequest request{action, {}, {}, clock_.wall().time_since_epoch().count()};
  if (action == PackageAction::fetch) {
    request.release = record_.target->release.hash;
    request.packages = packages_of(*record_.target);
  } else {
    request.release = record_.packages->release;
  }
  if (action == PackageAction::install) request.attempt = record_.packages->attempt;
  if (auto asked = desk_.ask(std::move(request)); !asked)
    return fails("disk", asked.error().message, Event::hindered);
  return std::nullopt;
}

// It may be under way, and be what has brought the device down: it is not begun anew as another.
bool UpdateCore::installs_packages() const {
  const auto& packages = record_.packages;
  return packages && packages->attempt != 0 && packages->release == record_.target->release.hash;
}

std::optional<UpdateCore::Event> UpdateCore::stage_packages() {
  if (const auto first = packages_due()) return ask(*first);
  if (!needs_packages()) return Event::staged;
  if (auto able = port_.can_install_packages(); !able)
    return fails(std::string(no_installer), able.error().message, Event::refused);
  if (installs_packages()) return ask(PackageAction::install);
  if (!download_policy(settings_.values()).allows_whole()) {
    return fails(std::string(metered), "its Debian packages wait for a link that is not metered",
                 Event::hindered);
  }
  return ask(PackageAction::fetch);
}

// From here on they may be changed.
std::optional<UpdateCore::Event> UpdateCore::install_packages() {
  if (!needs_packages()) return Event::installed;
  record_.packages->changed = true;
  record_.packages->attempt = clock_.wall().time_since_epoch().count();
  if (auto recorded = record(RecordedStep::waiting); !recorded)
    return fails("disk", recorded.error().message, Event::hindered);
  return ask(PackageAction::install);
}

void UpdateCore::hear_packages() {
  const auto asked = desk_.asked();
  const auto answer = desk_.answer();
  if (!answer) return;
  log_.info("starling-install has answered", {{"action", to_string(asked->action)},
                                              {"outcome", to_string(answer->outcome)},
                                              {"message", answer->message}});
  switch (asked->action) {
    case PackageAction::fetch:
      if (state_ == State::staging_packages) step(packages_fetched(*answer));
      return;
    case PackageAction::install: return packages_installed(*answer);
    case PackageAction::go_back: return packages_went_back(*answer);
    case PackageAction::keep: return packages_stay(*answer);
  }
}

UpdateCore::Event UpdateCore::packages_fetched(const PackageAnswer& answer) {
  const Digest& release = record_.target->release.hash;
  if (answer.outcome == PackageOutcome::fetched) {
    // Of whichever release: what it has changed has the same way back now.
    const bool changed = record_.packages && record_.packages->changed;
    record_.packages = RecordedPackages{release, changed, 0, answer.outcome, {}, answer.without_way_back};
    packages_stuck_ = false;
    return Event::staged;
  }
  const bool refused = answer.outcome == PackageOutcome::refused;
  return *fails("packages-not-fetched", answer.message, refused ? Event::refused : Event::hindered);
}

void UpdateCore::packages_installed(const PackageAnswer& answer) {
  const PackageOutcome outcome = answer.outcome;
  if (answer.request) record_.packages->attempt = 0;
  if (outcome != PackageOutcome::hindered) {
    record_.packages->outcome = outcome;
    record_.packages->message = answer.message;
    record_.packages->changed = outcome == PackageOutcome::wanted || outcome == PackageOutcome::mixed;
  }
  note(record_.step);
  if (!is_wanted(record_.target->release)) return follow_section();
  if (outcome == PackageOutcome::wanted)
    return step(state_ == State::staging_packages ? Event::staged : Event::installed);
  const bool mixed = outcome == PackageOutcome::mixed;
  step(*fails(mixed ? "packages-mixed" : "packages-not-installed", answer.message,
              outcome == PackageOutcome::hindered ? Event::hindered : Event::refused));
}

// What is to be asked about those that were changed: they stay with their release, once it is confirmed; they
// go where it neither runs nor is about to, or where they got stuck on the way.
std::optional<PackageAction> UpdateCore::packages_due() const {
  const auto& packages = record_.packages;
  if (!packages || !packages->changed || !port_.can_install_packages()) return std::nullopt;
  if (settings_.release() && settings_.release()->hash == packages->release)
    return settings_.release_on_trial() ? std::nullopt : std::optional(PackageAction::keep);
  const bool in_work =
      state_ != State::refused && record_.target && record_.target->release.hash == packages->release;
  const bool stuck = packages->outcome == PackageOutcome::mixed;
  return packages_stuck_ || (in_work && !stuck) ? std::nullopt : std::optional(PackageAction::go_back);
}

// Where nothing else is in work.
void UpdateCore::see_to_packages() {
  if ((state_ != State::idle && state_ != State::refused) || desk_.asked()) return;
  const auto due = packages_due();
  if (due && ask(*due))
    disk_refused("nothing is asked about packages", {ErrorCode::unavailable, trouble_->message, {}});
}

// What does not go back is told, and tried again at the next start, or when somebody says so.
void UpdateCore::packages_went_back(const PackageAnswer& answer) {
  if (answer.outcome == PackageOutcome::former) {
    record_.packages.reset();
  } else if (record_.packages) {
    packages_stuck_ = true;
    if (answer.outcome != PackageOutcome::hindered) record_.packages->outcome = answer.outcome;
    record_.packages->message = answer.message;
  }
  note(record_.step);
  if (state_ != State::staging_packages) return tell();
  if (const auto next = stage_packages()) step(*next);
}

// Before that is known no others are fetched, which would be taken back with them.
void UpdateCore::packages_stay(const PackageAnswer& answer) {
  const bool stages = state_ == State::staging_packages;
  const bool waits = answer.outcome == PackageOutcome::hindered && (!stages || needs_packages());
  if (!waits) record_.packages.reset();
  note(record_.step);
  if (!stages) return tell();
  if (waits) return step(*fails("packages-not-kept", answer.message, Event::hindered));
  if (const auto next = stage_packages()) step(*next);
}

Json UpdateCore::packages_report() const {
  const RecordedPackages& packages = *record_.packages;
  JsonObject report{{"state", to_string(packages.outcome)}};
  if (!packages.message.empty()) report["message"] = packages.message;
  if (!packages.without_way_back.empty()) {
    report["without_way_back"] =
        JsonArray(packages.without_way_back.begin(), packages.without_way_back.end());
  }
  return report;
}

}  // namespace starling::agent
