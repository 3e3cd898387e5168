#include "install/installer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "base/files.hpp"
#include "base/json.hpp"

namespace starling::install {
namespace {

using protocol::PackageAction;
using protocol::PackageAnswer;
using protocol::PackageOutcome;
using protocol::PackageRequest;

constexpr std::size_t max_plan_bytes = 1u << 20;
constexpr std::uint64_t reserve_bytes = 32u << 20;
constexpr std::uint64_t unpacked_is = 5;  // times as much as what is packed, with that

PackageAnswer answer(PackageOutcome outcome, std::string message = {}) {
  return {{}, outcome, std::move(message), {}};
}

// Of those that are asked for. One without a version will do as it is.
std::vector<std::string> lacking_of(const std::vector<std::string>& packages,
                                    const std::vector<InstalledPackage>& installed) {
  std::vector<std::string> lacking;
  for (const std::string& package : packages) {
    const std::string_view name = std::string_view(package).substr(0, package.find('='));
    const bool there = std::ranges::any_of(installed, [&](const InstalledPackage& one) {
      return one.whole && one.name == name &&
             (name.size() == package.size() || one.version == package.substr(name.size() + 1));
    });
    if (!there) lacking.push_back(package);
  }
  return lacking;
}

PackageOutcome outcome_of(Standing standing) {
  switch (standing) {
    case Standing::former: return PackageOutcome::former;
    case Standing::wanted: return PackageOutcome::wanted;
    case Standing::mixed: break;
    case Standing::elsewhere: break;
  }
  return PackageOutcome::mixed;
}

std::string interrupted(int starts) {
  return fmt::format("it was interrupted {} times", starts - 1);
}

PackageAnswer fetched_answer(const Plan& plan) {
  PackageAnswer answer{{}, PackageOutcome::fetched, {}, {}};
  for (const PlannedChange& change : plan.changes) {
    if (!change.from.empty() && !change.way_back)
      answer.without_way_back.push_back(change.name + "=" + change.from);
  }
  return answer;
}

}  // namespace

Installer::Installer(std::filesystem::path folder, Debian& debian, Logger log)
    : folder_(std::move(folder)), debian_(debian), files_(folder_ / "files"), log_(log) {}

Result<void> Installer::carry_out(std::string_view request_text) {
  const Digest id = sha256(request_text);
  const std::filesystem::path answer_path = folder_ / "answer.json";
  const auto last = read_file(answer_path, protocol::max_package_answer_bytes);
  if (last) {
    const auto answered = protocol::parse_package_answer(*last);
    if (answered && answered->request == id) return {};
  }
  const auto request = protocol::parse_package_request(request_text);
  Result<Answer> answered =
      request ? answer_to(*request) : answer(PackageOutcome::refused, request.error().message);
  if (!answered) answered = answer(PackageOutcome::hindered, answered.error().message);
  answered->request = id;
  log_.info("answers", {{"outcome", to_string(answered->outcome)}, {"message", answered->message}});
  return write_file_durably(answer_path, text_of(*answered));
}

Result<PackageAnswer> Installer::answer_to(const PackageRequest& request) {
  const auto starts = count_start(request);
  if (!starts) return fail(starts);
  const bool fetches = request.action == PackageAction::fetch;
  Result<Answer> answered = !fetches                ? change(request, *starts)
                            : *starts > fetch_tries ? answer(PackageOutcome::refused, interrupted(*starts))
                                                    : fetch(request);
  // The way back is asked for at every start of the device.
  const bool gave_up = request.action == PackageAction::go_back && *starts > tries;
  if (!gave_up) {
    if (auto forgotten = forget_starts(); !forgotten) return fail(forgotten);
  }
  return answered;
}

// ---- fetching

Result<PackageAnswer> Installer::fetch(const PackageRequest& request) {
  const auto installed = debian_.installed();
  if (!installed) return fail(installed);
  const auto lacking = lacking_of(request.packages, *installed);
  if (const auto plan = read_plan(); plan && plan->release == request.release && lacking.empty() &&
                                     standing_of(*plan, *installed) == Standing::wanted) {
    return fetched_answer(*plan);  // which knows the way back
  }
  auto plan = make_plan(request.release, lacking, *installed);
  if (!plan) {
    // The lists may be old.
    if (auto renewed = debian_.renew_lists(); !renewed) return fail(plan);
    plan = make_plan(request.release, lacking, *installed);
    if (!plan) return fail(plan);
  }
  if (auto written = write_plan(*plan); !written) return fail(written);
  return fetched_answer(*plan);
}

Result<Plan> Installer::make_plan(const Digest& release, const std::vector<std::string>& lacking,
                                  const std::vector<InstalledPackage>& installed) {
  Plan plan{release, {}};
  if (lacking.empty()) return plan;
  const auto pins = debian_.plan(lacking);
  if (!pins) return fail(pins);
  if (auto room = check_room(*pins); !room) return fail(room);
  for (const Pin& pin : *pins) {
    if (auto kept = keep(pin); !kept) return fail(kept);
    PlannedChange change{pin.name, pin.architecture, {}, pin.version, pin.hash, {}};
    if (const auto* there = find_package(installed, pin.name, pin.architecture)) {
      change.from = there->version;
      const auto way_back = keep_way_back(*there);
      if (way_back) change.way_back = *way_back;
      if (!way_back) {
        log_.warning(
            "there is no way back to a package",
            {{"package", there->name}, {"version", there->version}, {"why", way_back.error().message}});
      }
    }
    plan.changes.push_back(std::move(change));
  }
  return plan;
}

Result<void> Installer::keep(const Pin& pin) {
  if (files_.check(pin.hash)) return {};
  const auto file = debian_.download(pin);
  return file ? files_.keep(*file, pin.hash) : Result<void>(fail(file));
}

// It may be what the former plan brought, which no archive has any more.
Result<Digest> Installer::keep_way_back(const InstalledPackage& package) {
  if (const auto plan = read_plan()) {
    for (const PlannedChange& change : plan->changes) {
      if (change.name != package.name || change.architecture != package.architecture) continue;
      for (const auto& [version, hash] : {std::pair(change.to, change.file), {change.from, change.way_back}})
        if (version == package.version && hash && files_.check(hash)) return hash;
    }
  }
  const auto pin = debian_.find(package);
  if (!pin) return fail(pin);
  if (auto kept = keep(*pin); !kept) return fail(kept);
  return pin->hash;
}

Result<void> Installer::check_room(const std::vector<Pin>& pins) const {
  std::uint64_t bytes = 0;
  for (const Pin& pin : pins)
    bytes += pin.bytes;
  std::error_code error;
  const auto space = std::filesystem::space(folder_, error);
  if (error) return fail(ErrorCode::io, fmt::format("{}: {}", folder_.string(), error.message()));
  if (bytes < space.available / unpacked_is && bytes * unpacked_is + reserve_bytes <= space.available)
    return {};
  return fail(ErrorCode::unavailable, fmt::format("the disk has no room for {} bytes of packages", bytes));
}

// ---- what is written down

Result<Plan> Installer::read_plan() const {
  const auto text = read_file(folder_ / "plan.json", max_plan_bytes);
  return text ? parse_plan(*text) : Result<Plan>(fail(text));
}

Result<void> Installer::write_plan(const Plan& plan) const {
  if (auto written = write_file_durably(folder_ / "plan.json", text_of(plan)); !written) return written;
  std::vector<Digest> named;
  for (const PlannedChange& change : plan.changes)
    named.insert(named.end(), {change.file, change.way_back});
  return files_.keep_only(named);
}

Result<int> Installer::count_start(const PackageRequest& request) const {
  const std::filesystem::path path = folder_ / "begun.json";
  const std::string what = sha256(text_of(PackageRequest{request.action, request.release, {}, 0})).hex();
  std::int64_t starts = 1;
  if (const auto text = read_file(path, max_plan_bytes)) {
    const auto json = parse_json(*text);
    const JsonObject begun = json && json->is_object() ? json->get_object() : JsonObject();
    const JsonReader reader(begun);
    if (reader.string("what") == what) starts += reader.integer("starts").value_or(0);
  }
  starts = std::clamp<std::int64_t>(starts, 1, 1000);
  const JsonObject begun{{"what", what}, {"starts", starts}};
  if (auto written = write_file_durably(path, boost::json::serialize(begun)); !written) return fail(written);
  return static_cast<int>(starts);
}

Result<void> Installer::forget_starts() const {
  std::error_code error;
  std::filesystem::remove(folder_ / "begun.json", error);
  return error ? fail(ErrorCode::io, error.message()) : Result<void>();
}

// ---- changing

Result<PackageAnswer> Installer::change(const PackageRequest& request, int starts) {
  const auto plan = read_plan();
  if (!plan || plan->release != request.release)
    return fail(ErrorCode::failed_precondition, "nothing is fetched for this release");
  const Standing target = request.action == PackageAction::install ? Standing::wanted : Standing::former;
  if (plan->changes.empty()) return answer(outcome_of(target));
  if (starts <= tries) {
    // Which may be what ends it each time.
    if (auto repaired = repair(starts > 1); !repaired) return fail(repaired);
  }
  auto standing = look(*plan);
  if (!standing) return fail(standing);
  if (*standing == Standing::elsewhere) {
    return fail(ErrorCode::failed_precondition,
                "the packages have been changed since they were fetched, by somebody else");
  }
  if (target == Standing::wanted) {
    if (auto checked = check_files(*plan); !checked) return fail(checked);
  }
  std::string why;
  const auto towards = [&](Standing where) -> Result<void> {
    if (*standing == where) return {};
    const auto done = bring(*plan, where);
    if (!done) {
      if (!why.empty()) why += "; going back: ";
      why += done.error().message;
    }
    standing = look(*plan);
    return standing ? Result<void>() : fail(standing);
  };
  if (starts > tries) why = interrupted(starts);
  if (starts <= tries) {
    if (auto looked = towards(target); !looked) return fail(looked);
  }
  if (target == Standing::wanted && *standing != target && starts <= 2 * tries) {
    if (auto looked = towards(Standing::former); !looked) return fail(looked);
  }
  return answer(outcome_of(*standing), std::move(why));
}

// What anybody's dpkg has left in the middle. What does not get right by that may by what is installed.
Result<void> Installer::repair(bool interrupted_here) {
  const auto installed = debian_.installed();
  if (!installed) return fail(installed);
  if (interrupted_here || !std::ranges::all_of(*installed, &InstalledPackage::whole)) (void)debian_.repair();
  return {};
}

Result<Standing> Installer::look(const Plan& plan) {
  const auto installed = debian_.installed();
  if (!installed) return fail(installed);
  return standing_of(plan, *installed);
}

Result<bool> Installer::all_whole(const Plan& plan) {
  const auto installed = debian_.installed();
  if (!installed) return fail(installed);
  return std::ranges::all_of(plan.changes, [&](const PlannedChange& change) {
    const InstalledPackage* const there = find_package(*installed, change.name, change.architecture);
    return there == nullptr || there->whole;
  });
}

Result<void> Installer::check_files(const Plan& plan) const {
  for (const PlannedChange& change : plan.changes) {
    if (auto checked = files_.check(change.file); !checked) return checked;
  }
  return {};
}

Result<void> Installer::bring(const Plan& plan, Standing towards) {
  std::vector<std::filesystem::path> files;
  std::vector<std::string> new_ones, lost;
  for (const PlannedChange& change : plan.changes) {
    const bool back = towards == Standing::former;
    const Digest& hash = back ? change.way_back : change.file;
    if (back && change.from.empty()) {
      new_ones.push_back(change.architecture == "all" ? change.name
                                                      : change.name + ":" + change.architecture);
    } else if (hash && files_.check(hash)) {
      files.push_back(files_.path_of(hash));
    } else {
      lost.push_back(change.name + "=" + (back ? change.from : change.to));
    }
  }
  const auto whole = all_whole(plan);
  if (!whole) return fail(whole);
  Result<void> done;
  if (!files.empty()) done = *whole ? debian_.install(files) : debian_.install_over(files);
  if (done && !new_ones.empty()) done = debian_.remove(new_ones);
  if (!done) (void)debian_.repair();
  if (lost.empty()) return done;
  std::string why = fmt::format("not to be had any more: {}", fmt::join(lost, ", "));
  if (!done) why += "; " + done.error().message;
  return fail(ErrorCode::failed_precondition, std::move(why));
}

}  // namespace starling::install
