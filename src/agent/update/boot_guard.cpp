#include "agent/update/boot_guard.hpp"

#include <charconv>

#include "agent/settings/generation_store.hpp"
#include "agent/settings/sealed_json.hpp"

namespace starling::agent {
namespace {

std::uint32_t value_of(std::string_view text, std::string_view key) {
  const std::size_t found = text.find(key);
  std::uint32_t value = 0;
  if (found != std::string_view::npos) {
    std::from_chars(text.data() + found + key.size(), text.data() + text.size(), value);
  }
  return value;
}

// Looks, and leaves what is damaged to those who report it.
class Guard {
 public:
  Guard(Disk& disk, const Clock& clock, Logger log)
      : disk_(disk), clock_(clock), log_(log), store_(disk, clock, log) {}

  Result<void> look() {
    auto current = store_.peek("current");
    if (!current) return fail(current);
    current_ = std::move(*current);
    const auto confirmed = store_.peek("confirmed");
    if (!confirmed) return fail(confirmed);
    if (*confirmed) confirmed_ = (*confirmed)->release;
    auto record = peek_update_record(disk_);
    damaged_ = !record && is_damage(record.error());
    if (!record && !damaged_) return fail(record);
    if (record) record_ = std::move(*record);
    return {};
  }
  std::optional<Release> runs() const { return current_ ? current_->release : std::nullopt; }
  bool on_trial() const { return current_ && current_->release != confirmed_; }
  const UpdateRecord& record() const { return record_; }
  std::int64_t now_ms() const { return clock_.wall().time_since_epoch().count(); }

  // Of the release on trial: before it, since it may come to nothing. Whoever cannot be counted would be
  // started for ever.
  Result<void> count_start() {
    if (damaged_) return fail(ErrorCode::corrupted, "the record of software updates cannot be used");
    ++record_.trial_starts;
    return save_update_record(disk_, record_);
  }

  // The record first: it says why, whatever happens then. It may fail: the way back does not depend on it.
  Result<void> go_back(UpdateFailure failure) {
    log_.error("going back from a release that does not work",
               {{"version", runs() ? runs()->version : ""}, {"why", failure.message}});
    if (!damaged_ && record_.step != RecordedStep::going_back) {
      record_.failure = failure;
      record_.step = RecordedStep::going_back;
      if (auto saved = save_update_record(disk_, record_); !saved) {
        log_.warning("why it goes back was not written down", {{"error", saved.error().message}});
      }
    }
    if (auto opened = store_.open(); !opened) return fail(opened);
    if (auto back = store_.revert_release(*current_, std::move(failure.message)); !back) return fail(back);
    current_->release = confirmed_;
    return {};
  }

 private:
  Disk& disk_;
  const Clock& clock_;
  Logger log_;
  GenerationStore store_;
  std::optional<Generation> current_;
  std::optional<Release> confirmed_;
  UpdateRecord record_;
  bool damaged_ = false;  // the record is
};

}  // namespace

Result<std::optional<Release>> choose_release(Disk& disk, const Clock& clock, const StartCounts& counts,
                                              Logger log) {
  Guard guard(disk, clock, log);
  if (auto looked = guard.look(); !looked) return fail(looked);
  if (!guard.on_trial()) return guard.runs();
  auto failure = failure_of_starts(guard.record(), counts, guard.now_ms());
  if (!failure && guard.record().step == RecordedStep::going_back) failure = guard.record().failure;
  if (!failure) {
    const auto counted = guard.count_start();
    if (counted) return guard.runs();
    failure = UpdateFailure{"starts-not-counted", counted.error().message, guard.now_ms()};
  }
  if (auto back = guard.go_back(std::move(*failure)); !back) return fail(back);
  return guard.runs();
}

Result<void> give_up_release(Disk& disk, const Clock& clock, std::string why, Logger log) {
  Guard guard(disk, clock, log);
  if (auto looked = guard.look(); !looked) return looked;
  if (!guard.on_trial()) return {};
  return guard.go_back({"agent-cannot-run", std::move(why), guard.now_ms()});
}

StartCounts parse_start_counts(std::string_view text) {
  return {value_of(text, "crashes="), value_of(text, "unrecorded=")};
}

}  // namespace starling::agent
